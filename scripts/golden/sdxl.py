"""Goldens of Stable Diffusion XL: its own parts, and whole images of diffusers' pipelines on a tiny model with drawn weights.

The parts are the second text encoder with its projection, and UNets with a "text_time" embedding; they are checked as in models.py. The
images are checked as in pipelines.py, and the model is written as a diffusers folder without weights.

    python scripts/golden/sdxl.py [--look FOLDER] [--only NAME]
"""

import argparse
import json
import shutil

import diffusers
import numpy as np
import torch
from common import GOLDEN, draw_weights, save, shapes
from diffusers import AutoencoderKL, UNet2DConditionModel
from models import BF16_DB, CROSS, PLAIN, SMALL, block_types, both_precisions, config_of, randn
from PIL import Image
from pipelines import SCHEDULERS, VAE, bytes_to_unicode, paint, psnr
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

MODEL = GOLDEN / "sdxl" / "model"


def text_encoder(name: str, eos_token_id: int, **config) -> None:
    config = CLIPTextConfig(vocab_size=100, hidden_size=32, intermediate_size=64, num_attention_heads=4, max_position_embeddings=20,
                            num_hidden_layers=3, hidden_act="gelu", bos_token_id=98, eos_token_id=eos_token_id, pad_token_id=0,
                            projection_dim=24, **config)
    module = CLIPTextModelWithProjection(config).eval()
    draw_weights(module)
    ids = torch.randint(0, 97, (3, 20), generator=torch.Generator("cpu").manual_seed(5))
    # The end token once and padding behind it; twice; and not at all.
    ids[:, 0], ids[0, 7], ids[0, 8:], ids[1, 15:] = 98, 99, 0, 99

    def run(module, cast):
        output = module(ids, output_hidden_states=True)
        return {"text_embeds": output.text_embeds, **{f"clip_skip_{skip}": output.hidden_states[-(skip + 2)] for skip in range(2)}}

    tensors = both_precisions(module, run)
    config = {key: value for key, value in config.to_dict().items() if not key.startswith("_")}
    save("sdxl", name, {"ids": ids.to(torch.int64), **tensors}, config=config, shapes=shapes(module), bf16_db=BF16_DB)


def unet(name: str, height: int, width: int, pooled: int, batch: int = 2, timestep: float = 481.0, **config) -> None:
    module = UNet2DConditionModel(
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=pooled + 6 * 8, **config).eval()
    draw_weights(module)
    inputs = {
        "sample": randn(1, batch, module.config.in_channels, height, width), "encoder_hidden_states": randn(2, batch, 7, 24),
        "text_embeds": randn(4, batch, pooled), "time_ids": torch.tensor([[1024, 768, 0, 16, 1016, 760], [512, 512, 3, 0, 512, 512]]).float(),
    }  # fmt: skip
    if module.config.time_cond_proj_dim:
        inputs["timestep_cond"] = randn(3, batch, module.config.time_cond_proj_dim)

    def run(module, cast):
        added = {"text_embeds": cast(inputs["text_embeds"]), "time_ids": inputs["time_ids"]}
        cond = cast(inputs["timestep_cond"]) if "timestep_cond" in inputs else None
        return {"output": module(cast(inputs["sample"]), torch.tensor(timestep), cast(inputs["encoder_hidden_states"]), timestep_cond=cond,
                                 added_cond_kwargs=added).sample}

    tensors = both_precisions(module, run)
    save("sdxl", name, {**inputs, **tensors}, config=config_of(module), shapes=shapes(module), bf16_db=BF16_DB, timestep=timestep)


PARTS = {
    "text_encoder": lambda name: text_encoder(name, eos_token_id=99),
    # Files written before transformers knew the end token's id.
    "text_encoder_old": lambda name: text_encoder(name, eos_token_id=2),
    "unet_base": lambda name: unet(
        name, 12, 16, pooled=20, **SMALL, **block_types([PLAIN, CROSS, CROSS], [CROSS, CROSS, PLAIN]), block_out_channels=[16, 32, 64],
        layers_per_block=2, attention_head_dim=[2, 4, 8], transformer_layers_per_block=[1, 2, 3], use_linear_projection=True),
    # SSD-1B and Vega: transformers of different depths within a level, and a middle of one residual block.
    "unet_layered": lambda name: unet(
        name, 12, 8, pooled=12, **SMALL, **block_types([PLAIN, CROSS, CROSS], [CROSS, CROSS, PLAIN]), block_out_channels=[16, 24, 32],
        layers_per_block=2, attention_head_dim=[2, 3, 4], transformer_layers_per_block=[1, [2, 1], [3, 2]],
        reverse_transformer_layers_per_block=[[2, 1, 3], [1, 2, 0], 1], mid_block_type="UNetMidBlock2D", use_linear_projection=True,
        time_cond_proj_dim=20),
}

UNET = {
    "sample_size": 12, "in_channels": 4, "out_channels": 4, "block_out_channels": [32, 64], "layers_per_block": 1,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "attention_head_dim": [2, 4], "transformer_layers_per_block": [1, 2], "use_linear_projection": True, "cross_attention_dim": 72,
    "norm_num_groups": 8, "addition_embed_type": "text_time", "addition_time_embed_dim": 16,
    "projection_class_embeddings_input_dim": 48 + 6 * 16,
}  # fmt: skip
TEXT = {
    "vocab_size": 520, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "max_position_embeddings": 77, "hidden_act": "quick_gelu", "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,
}  # fmt: skip
TEXT_2 = {**TEXT, "hidden_size": 40, "num_hidden_layers": 4, "hidden_act": "gelu", "projection_dim": 48}
SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.19.0.dev0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "clip_sample": False, "interpolation_type": "linear", "num_train_timesteps": 1000,
    "prediction_type": "epsilon", "sample_max_value": 1.0, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
    "timestep_spacing": "leading", "trained_betas": None, "use_karras_sigmas": False,
}  # fmt: skip
TURBO = {"_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"}

PROMPT = "a red circle on a blue ground, with mist"
NEGATIVE = "noisy, dark"
SIZES = {"original_size": [1000, 120], "crops_coords_top_left": [8, 160], "target_size": [900, 60]}
# The refiner: the second text encoder alone, and an aesthetic score instead of the target size. The index's entries of absent parts are lists.
REFINER = {
    "unet": {"cross_attention_dim": 40, "projection_class_embeddings_input_dim": 48 + 5 * 16},
    "index": {"text_encoder": [None, None], "tokenizer": [None, None], "requires_aesthetics_score": True,
              "force_zeros_for_empty_prompt": False},
}  # fmt: skip
SCORES = {"original_size": [1000, 120], "crops_coords_top_left": [8, 160], "negative_original_size": [50, 500],
          "negative_crops_coords_top_left": [4, 200], "aesthetic_score": 80.5, "negative_aesthetic_score": 24.0}  # fmt: skip
NEGATIVE_SIZES = {"negative_original_size": [50, 500], "negative_crops_coords_top_left": [4, 200], "negative_target_size": [640, 96]}


def case(**changes):
    """One call, with the most common arguments; an absent negative prompt is None."""
    return {
        "prompt": PROMPT, "negative_prompt": "", "width": 96, "height": 64, "steps": 6, "guidance_scale": 5.0, "seed": 11,
        "scheduler": None, "clip_skip": 0, "xl": {}, "unet": {}, "scheduler_config": {}, "index": {}, **changes,
    }  # fmt: skip


TEXT_TO_IMAGE = {
    "negative": case(negative_prompt=NEGATIVE),
    "no_negative": case(width=72, height=104),
    "not_zeroed": case(index={"force_zeros_for_empty_prompt": False}),
    "sizes": case(negative_prompt=NEGATIVE, xl=SIZES),
    "negative_sizes": case(negative_prompt=NEGATIVE, xl={**SIZES, **NEGATIVE_SIZES}),
    "negative_sizes_without_crop": case(xl={**SIZES, "negative_original_size": [50, 500], "negative_target_size": [640, 96]}),
    "two_texts": case(negative_prompt=NEGATIVE, xl={"prompt_2": "snow, a green square", "negative_prompt_2": "blurry"}),
    "clip_skip": case(negative_prompt=NEGATIVE, clip_skip=1),
    "turbo_1": case(steps=1, guidance_scale=0.0, scheduler_config=TURBO),
    "turbo_2": case(steps=2, guidance_scale=0.0, scheduler_config=TURBO),
    "lightning_4": case(steps=4, guidance_scale=0.0, scheduler_config={"timestep_spacing": "trailing"}),
    "lcm": case(steps=4, guidance_scale=8.5, scheduler="lcm", unet={"time_cond_proj_dim": 32}),
    "ddim": case(scheduler="ddim"),
    "dpmpp_2m_karras": case(scheduler="dpmpp-2m-karras", negative_prompt=NEGATIVE),
}
IMAGE_TO_IMAGE = {
    "own": case(strength=0.6, negative_prompt=NEGATIVE),
    "sizes": case(strength=0.6, steps=8, xl={**SIZES, "negative_original_size": [50, 500]}),
    "turbo": case(strength=0.5, steps=4, guidance_scale=0.0, scheduler_config=TURBO),
    "refiner": case(strength=0.4, steps=10, negative_prompt=NEGATIVE, **REFINER),
    "refiner_no_negative": case(strength=0.6, **REFINER),
    "refiner_scores": case(strength=0.6, negative_prompt=NEGATIVE, xl=SCORES, **REFINER),
    "refiner_zeroed": case(strength=0.6, unet=REFINER["unet"], index={**REFINER["index"], "force_zeros_for_empty_prompt": True}),
}
INPAINT = {
    "own": case(strength=0.75, negative_prompt=NEGATIVE),
    "full_strength": case(strength=1.0, xl=SIZES),
    "trained_for_it": case(strength=0.99, unet={"in_channels": 9}),
    "refiner": case(strength=0.5, negative_prompt=NEGATIVE, xl=SCORES, **REFINER),
}


def write_model_folder() -> list[CLIPTokenizer]:
    """Writes the configurations and two tokenizers of bytes and six merges, which differ in their padding; returns the tokenizers."""
    shutil.rmtree(MODEL, ignore_errors=True)
    for part in ["unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"]:
        (MODEL / part).mkdir(parents=True)
    letters = bytes_to_unicode()
    merges = ["r e", "re d</w>", "o n</w>", "b l", "bl u", "blu e</w>"]
    entries = letters + [letter + "</w>" for letter in letters] + [merge.replace(" ", "") for merge in merges]
    entries += ["<|startoftext|>", "<|endoftext|>"]
    tokens = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    for folder, pad in [("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")]:
        (MODEL / folder / "vocab.json").write_text(json.dumps({entry: index for index, entry in enumerate(entries)}, ensure_ascii=False))
        (MODEL / folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
        write_json(f"{folder}/tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": pad, **tokens})
    write_json("scheduler/scheduler_config.json", SCHEDULER)
    parts = {
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"], "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", SCHEDULER["_class_name"]],
    }  # fmt: skip
    write_json("model_index.json", {"_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": True, **parts})
    write_json("unet/config.json", dict(UNet2DConditionModel(**UNET).config))
    write_json("vae/config.json", dict(AutoencoderKL(**VAE).config))
    write_json("text_encoder/config.json", {"architectures": ["CLIPTextModel"], "model_type": "clip_text_model", **TEXT})
    write_json("text_encoder_2/config.json", {"architectures": ["CLIPTextModelWithProjection"], "model_type": "clip_text_model", **TEXT_2})
    return [CLIPTokenizer.from_pretrained(MODEL / folder) for folder in ["tokenizer", "tokenizer_2"]]


def write_json(path: str, content: dict) -> None:
    content = {key: value for key, value in content.items() if key != "_use_default_values"}
    (MODEL / path).write_text(json.dumps(content, indent=1) + "\n")


class Models:
    """The tiny model in f32, with a UNet for each variant."""

    def __init__(self, tokenizers: list[CLIPTokenizer]):
        self.tokenizers, self.unets = tokenizers, {}
        self.text_encoder = draw_weights(CLIPTextModel(CLIPTextConfig(**TEXT))).eval()
        self.text_encoder_2 = draw_weights(CLIPTextModelWithProjection(CLIPTextConfig(**TEXT_2))).eval()
        self.vae = draw_weights(AutoencoderKL(**VAE)).eval()

    def unet(self, changes: dict) -> UNet2DConditionModel:
        key = json.dumps(changes)
        if key not in self.unets:
            self.unets[key] = draw_weights(UNet2DConditionModel(**{**UNET, **changes})).eval()
        return self.unets[key]

    def pipeline(self, kind: str, call: dict):
        config = {**SCHEDULER, **call["scheduler_config"]}
        own = getattr(diffusers, config["_class_name"]).from_config(config)
        parts = {
            "vae": self.vae, "text_encoder": self.text_encoder, "text_encoder_2": self.text_encoder_2, "tokenizer": self.tokenizers[0],
            "tokenizer_2": self.tokenizers[1], "unet": self.unet(call["unet"]), "scheduler": own, "add_watermarker": False,
        }  # fmt: skip
        index = {name: None if isinstance(entry, list) else entry for name, entry in call["index"].items()}
        pipeline = getattr(diffusers, kind)(**{**parts, **index})
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
        "prompt": call["prompt"], "negative_prompt": call["negative_prompt"] or None, "num_inference_steps": call["steps"],
        "guidance_scale": call["guidance_scale"], "clip_skip": call["clip_skip"] or None,
        "generator": torch.Generator("cpu").manual_seed(call["seed"]), "output_type": "pil",
        **{key: tuple(value) if isinstance(value, list) else value for key, value in call["xl"].items()},
    }  # fmt: skip
    if kind == "StableDiffusionXLImg2ImgPipeline":
        arguments |= {"image": given[0].resize(size, Image.LANCZOS), "strength": call["strength"]}
    else:
        arguments |= {"width": size[0], "height": size[1]}
    if kind == "StableDiffusionXLInpaintPipeline":
        arguments |= {"image": given[0], "mask_image": given[1], "strength": call["strength"]}
    with torch.no_grad():
        return np.array(models.pipeline(kind, call)(**arguments).images[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look", metavar="FOLDER", help="also write the images there as PNG")
    parser.add_argument("--only", default="", help="run only the cases whose name contains this, and write no images' golden")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name, write in PARTS.items():
        if options.only in name:
            print(name)
            write(name)
    models = Models(write_model_folder())
    given = paint()
    tensors = {"init_image": torch.from_numpy(np.array(given[0])), "mask_image": torch.from_numpy(np.array(given[1]))}
    calls, faults = {}, []
    groups = {
        "text_to_image": ("StableDiffusionXLPipeline", TEXT_TO_IMAGE), "image_to_image": ("StableDiffusionXLImg2ImgPipeline", IMAGE_TO_IMAGE),
        "inpaint": ("StableDiffusionXLInpaintPipeline", INPAINT),
    }  # fmt: skip
    for group, (kind, cases) in groups.items():
        for name, call in cases.items():
            if options.only not in f"{group}.{name}":
                continue
            image = make(models, kind, call, given)
            seed = psnr(image, make(models, kind, call, given, seed=call["seed"] + 1))
            prompt = psnr(image, make(models, kind, call, given, prompt="snow"))
            unlike = {"seed": seed, "prompt": prompt}
            # Every field must matter, so that one that is dropped is detected.
            for field in call["xl"]:
                if field not in ("negative_target_size", "negative_original_size") or group != "text_to_image":
                    unlike[field] = psnr(image, make(models, kind, call, given, xl={key: value for key, value in call["xl"].items() if key != field}))
            if "negative_original_size" in call["xl"] and group == "text_to_image":
                for field in ("negative_original_size", "negative_target_size"):
                    unlike[field] = psnr(image, make(models, kind, call, given, xl={**call["xl"], field: [333, 77]}))
            print(f"{group}.{name}: deviation {image.std():.1f}, without " + ", ".join(f"{key} {value:.1f} dB" for key, value in unlike.items()))
            if image.std() < 30 or seed > 25 or max(unlike.values()) > 50:
                faults.append(f"{group}.{name}")
            tensors[f"{group}.{name}"] = torch.from_numpy(image)
            calls[f"{group}.{name}"] = call
            if options.look:
                Image.fromarray(image).resize((image.shape[1] * 4, image.shape[0] * 4), 0).save(f"{options.look}/{group}.{name}.png")
    if faults:
        raise SystemExit(f"too little variation: {', '.join(faults)}")
    if not options.only:
        parts = {
            "text_encoder": models.text_encoder, "text_encoder_2": models.text_encoder_2, "vae": models.vae,
            **{f"unet{key}": unet for key, unet in sorted(models.unets.items())},
        }  # fmt: skip
        save("sdxl", "images", tensors, calls=calls, shapes={part: shapes(model) for part, model in parts.items()})


if __name__ == "__main__":
    main()
