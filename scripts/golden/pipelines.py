"""Writes the goldens of whole images: diffusers' own pipelines on a tiny model whose weights are drawn by name.

The model's configuration files and its tokenizer are written as a diffusers folder without weights; the images, the input image and the
mask as one safetensors file. The script refuses to write images without contrast or variation: a standard deviation below 30 of 255, or an
image that hardly depends on seed or prompt, would let a broken pipeline pass.
"""

import argparse
import json
import math
import shutil

import diffusers
import numpy as np
import torch
from common import GOLDEN, draw_weights, save, shapes
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image, ImageDraw
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

MODEL = GOLDEN / "pipelines" / "model"

UNET = {
    "sample_size": 12,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": [32, 64],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "attention_head_dim": 4,
    "cross_attention_dim": 32,
    "norm_num_groups": 8,
}
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [8, 8, 16, 16],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 4,
    "sample_size": 96,
    "scaling_factor": 0.5,
}
TEXT = {
    "vocab_size": 520,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "bos_token_id": 518,
    "eos_token_id": 519,
    "pad_token_id": 519,
}
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
}
V_PREDICTION = {"prediction_type": "v_prediction", "timestep_spacing": "trailing", "rescale_betas_zero_snr": True}

# Our schedulers' names: diffusers' class, and its constructor's arguments in addition to the file.
SCHEDULERS = {
    "ddim": ("DDIMScheduler", {}),
    "ddpm": ("DDPMScheduler", {}),
    "pndm": ("PNDMScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "dpmpp-2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp-2m-karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "dpmpp-2m-sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "dpmpp-2s": ("DPMSolverSinglestepScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "deis": ("DEISMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
}

PROMPT = "a red circle on a blue ground, with mist"
NEGATIVE = "noisy, dark"


def case(**changes):
    """One call, with the most common arguments."""
    return {
        "prompt": PROMPT, "negative_prompt": "", "width": 96, "height": 64, "steps": 8, "guidance_scale": 5.0, "seed": 11,
        "scheduler": None, "clip_skip": 0, "unet": {}, "scheduler_config": {}, **changes,
    }  # fmt: skip


TEXT_TO_IMAGE = {
    "own": case(negative_prompt=NEGATIVE),
    "ddim": case(scheduler="ddim", width=72, height=104),
    "ddpm": case(scheduler="ddpm", steps=12),
    "lms": case(scheduler="lms", negative_prompt=NEGATIVE),
    "euler": case(scheduler="euler", width=64, height=96),
    "euler_ancestral": case(scheduler="euler-ancestral", negative_prompt=NEGATIVE),
    "heun": case(scheduler="heun", steps=5),
    "dpmpp_2m": case(scheduler="dpmpp-2m", clip_skip=1, negative_prompt=NEGATIVE),
    "dpmpp_2m_karras": case(scheduler="dpmpp-2m-karras", negative_prompt=NEGATIVE),
    "dpmpp_2m_sde": case(scheduler="dpmpp-2m-sde"),
    "dpmpp_2s": case(scheduler="dpmpp-2s"),
    "unipc": case(scheduler="unipc"),
    "deis": case(scheduler="deis"),
    "lcm": case(scheduler="lcm", steps=4, guidance_scale=1.0),
    "lcm_embedded_guidance": case(scheduler="lcm", steps=4, guidance_scale=8.5, unet={"time_cond_proj_dim": 32}),
    "tcd": case(scheduler="tcd", steps=4),
    "v_prediction_ddim": case(scheduler="ddim", scheduler_config=V_PREDICTION),
    "v_prediction_euler": case(scheduler="euler", scheduler_config=V_PREDICTION),
}
IMAGE_TO_IMAGE = {
    "own": case(strength=0.6),
    "ddim": case(scheduler="ddim", strength=0.6, steps=10, negative_prompt=NEGATIVE),
    "euler_ancestral": case(scheduler="euler-ancestral", strength=0.6, steps=10),
    "heun": case(scheduler="heun", strength=0.6, steps=10),
    "dpmpp_2m_sde": case(scheduler="dpmpp-2m-sde", strength=0.75),
    "full_strength": case(scheduler="euler", strength=1.0),
}
INPAINT = {
    "own": case(strength=0.75),
    "ddim": case(scheduler="ddim", strength=0.75, negative_prompt=NEGATIVE),
    "euler_ancestral": case(scheduler="euler-ancestral", strength=0.75),
    "heun": case(scheduler="heun", strength=0.75, steps=5),
    "full_strength": case(scheduler="euler-ancestral", strength=1.0),
    "trained_for_it": case(scheduler="euler-ancestral", strength=1.0, unet={"in_channels": 9}),
    "trained_for_it_partly": case(scheduler="ddim", strength=0.75, unet={"in_channels": 9}),
}


def bytes_to_unicode() -> list[str]:
    """The 256 characters that represent bytes in a byte-level vocabulary, in the vocabulary's order."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + index) for index in range(len(hidden))]


def write_model_folder() -> CLIPTokenizer:
    """Writes the configurations and a tokenizer of bytes and six merges; returns the tokenizer."""
    shutil.rmtree(MODEL, ignore_errors=True)
    for part in ["unet", "vae", "text_encoder", "tokenizer", "scheduler"]:
        (MODEL / part).mkdir(parents=True)
    letters = bytes_to_unicode()
    merges = ["r e", "re d</w>", "o n</w>", "b l", "bl u", "blu e</w>"]
    entries = letters + [letter + "</w>" for letter in letters] + [merge.replace(" ", "") for merge in merges]
    entries += ["<|startoftext|>", "<|endoftext|>"]
    (MODEL / "tokenizer" / "vocab.json").write_text(json.dumps({entry: index for index, entry in enumerate(entries)}, ensure_ascii=False))
    (MODEL / "tokenizer" / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    tokens = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    write_json("tokenizer/tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, **tokens})
    write_json("scheduler/scheduler_config.json", SCHEDULER)
    parts = {
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", SCHEDULER["_class_name"]],
    }  # fmt: skip
    write_json("model_index.json", {"_class_name": "StableDiffusionPipeline", **parts})
    write_json("unet/config.json", dict(UNet2DConditionModel(**UNET).config))
    write_json("vae/config.json", dict(AutoencoderKL(**VAE).config))
    write_json("text_encoder/config.json", {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", **TEXT})
    return CLIPTokenizer.from_pretrained(MODEL / "tokenizer")


def write_json(path: str, content: dict) -> None:
    # Unlike diffusers' own files: its list of default fields would cancel edits of those fields.
    content = {key: value for key, value in content.items() if key != "_use_default_values"}
    (MODEL / path).write_text(json.dumps(content, indent=1) + "\n")


def paint() -> tuple[Image.Image, Image.Image]:
    """The input image and its mask, larger than the outputs, so that both are resized."""
    width, height = 120, 80
    y, x = np.mgrid[0:height, 0:width]
    ground = np.stack([x * 255 / width, y * 255 / height, 128 + 100 * np.sin(x / 9 + y / 5)], axis=-1)
    picture = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 15, 65, 60), fill=(230, 40, 30))
    draw.rectangle((80, 30, 110, 70), fill=(20, 60, 210))
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).ellipse((30, 10, 100, 75), fill=255)
    return picture, mask


class Models:
    """The tiny model in one precision, with a UNet for each variant."""

    def __init__(self, tokenizer: CLIPTokenizer, dtype: torch.dtype):
        self.tokenizer, self.dtype, self.unets = tokenizer, dtype, {}
        self.text_encoder = draw_weights(CLIPTextModel(CLIPTextConfig(**TEXT))).to(dtype).eval()
        if not hasattr(self.text_encoder, "text_model"):
            # transformers 5 has no such level, in which diffusers' clip_skip looks for the last norm.
            object.__setattr__(self.text_encoder, "text_model", self.text_encoder)
        self.vae = draw_weights(AutoencoderKL(**VAE)).to(dtype).eval()

    def unet(self, changes: dict) -> UNet2DConditionModel:
        key = json.dumps(changes)
        if key not in self.unets:
            self.unets[key] = draw_weights(UNet2DConditionModel(**{**UNET, **changes})).to(self.dtype).eval()
        return self.unets[key]

    def pipeline(self, kind: str, call: dict):
        config = {**SCHEDULER, **call["scheduler_config"]}
        own = getattr(diffusers, config["_class_name"]).from_config(config)
        pipeline = getattr(diffusers, kind)(
            vae=self.vae, text_encoder=self.text_encoder, tokenizer=self.tokenizer, unet=self.unet(call["unet"]), scheduler=own,
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
        pipeline.set_progress_bar_config(disable=True)
        if call["scheduler"]:
            name, changes = SCHEDULERS[call["scheduler"]]
            pipeline.scheduler = getattr(diffusers, name).from_config(config, **changes)
        return pipeline


def make(models: Models, kind: str, call: dict, given: tuple[Image.Image, Image.Image], **changes) -> np.ndarray:
    """The image of one call, [height, width, 3] bytes."""
    call = {**call, **changes}
    size = (call["width"], call["height"])
    arguments = {
        "prompt": call["prompt"], "negative_prompt": call["negative_prompt"], "num_inference_steps": call["steps"],
        "guidance_scale": call["guidance_scale"], "clip_skip": call["clip_skip"] or None,
        "generator": torch.Generator("cpu").manual_seed(call["seed"]), "output_type": "pil",
    }  # fmt: skip
    if kind == "StableDiffusionImg2ImgPipeline":
        arguments |= {"image": given[0].resize(size, Image.LANCZOS), "strength": call["strength"]}
    else:
        arguments |= {"width": size[0], "height": size[1]}
    if kind == "StableDiffusionInpaintPipeline":
        arguments |= {"image": given[0], "mask_image": given[1], "strength": call["strength"]}
    if kind == "StableDiffusionPipeline" and models.dtype == torch.bfloat16:
        # The same f32 latents, rounded: diffusers would draw different numbers in bf16.
        shape = (1, 4, call["height"] // 8, call["width"] // 8)
        arguments["latents"] = torch.randn(shape, generator=arguments["generator"]).to(torch.bfloat16)
    with torch.no_grad():
        return np.array(models.pipeline(kind, call)(**arguments).images[0])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--look", metavar="FOLDER", help="also write the images there as PNG")
    parser.add_argument("--only", default="", help="run only the cases whose name contains this, and write no golden")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tokenizer = write_model_folder()
    exact, rounded = Models(tokenizer, torch.float32), Models(tokenizer, torch.bfloat16)
    given = paint()
    tensors = {"init_image": torch.from_numpy(np.array(given[0])), "mask_image": torch.from_numpy(np.array(given[1]))}
    calls = {}
    groups = {
        "text_to_image": ("StableDiffusionPipeline", TEXT_TO_IMAGE), "image_to_image": ("StableDiffusionImg2ImgPipeline", IMAGE_TO_IMAGE),
        "inpaint": ("StableDiffusionInpaintPipeline", INPAINT),
    }  # fmt: skip
    faults = []
    for group, (kind, cases) in groups.items():
        for name, call in cases.items():
            if options.only not in f"{group}.{name}":
                continue
            picture = make(exact, kind, call, given)
            seed = psnr(picture, make(exact, kind, call, given, seed=call["seed"] + 1))
            prompt = psnr(picture, make(exact, kind, call, given, prompt="snow"))
            if group == "text_to_image" and name in ["own", "ddim", "euler", "unipc"]:
                call = {**call, "bf16_psnr": psnr(picture, make(rounded, kind, call, given))}
            print(
                f"{group}.{name}: deviation {picture.std():.1f}, another seed {seed:.1f} dB, another prompt {prompt:.1f} dB, "
                f"bf16 {call.get('bf16_psnr', 0):.1f} dB"
            )
            # A test that requires 60 dB must detect an ignored prompt.
            if picture.std() < 30 or seed > 25 or prompt > 50:
                faults.append(f"{group}.{name}")
            tensors[f"{group}.{name}"] = torch.from_numpy(picture)
            calls[f"{group}.{name}"] = call
            if options.look:
                Image.fromarray(picture).resize((picture.shape[1] * 4, picture.shape[0] * 4), 0).save(f"{options.look}/{group}.{name}.png")
    if faults:
        raise SystemExit(f"too little variation: {', '.join(faults)}")
    if not options.only:
        parts = {
            "text_encoder": exact.text_encoder, "vae": exact.vae,
            **{f"unet{key}": unet for key, unet in sorted(exact.unets.items())},
        }  # fmt: skip
        save("pipelines", "pictures", tensors, calls=calls, shapes={part: shapes(model) for part, model in parts.items()})


if __name__ == "__main__":
    main()
