"""Goldens of SD-Turbo's shape, as a folder and as a single file: diffusers' images of a tiny model whose weights are drawn by name.

Stored are the folder's configuration files, the single file's tensors as a table (name; component, diffusers names and shape: a test draws
each, joins the tensors that CompVis keeps in one, and writes the file), and images. The single file goes through diffusers' own
`from_single_file` here, and must give the folder's image; some of the images belong to a file with the keys `v_pred` and `ztsnr`. The
prompt's ids are read from tokenizer/prompts.json, so that no vocabulary is needed.
"""

import argparse
import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from common import GOLDEN, draw, save, versions
from diffusers import AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel
from weights import OPENCLIP, clip_shapes, replace_start, unet_to_ldm, vae_to_ldm

OUT = GOLDEN / "single_file"

UNET = {
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.24.0.dev0", "act_fn": "silu", "addition_embed_type": None,
    "addition_embed_type_num_heads": 64, "addition_time_embed_dim": None, "attention_head_dim": [1, 2], "attention_type": "default",
    "block_out_channels": [64, 128], "center_input_sample": False, "class_embed_type": None, "class_embeddings_concat": False,
    "conv_in_kernel": 3, "conv_out_kernel": 3, "cross_attention_dim": 64, "cross_attention_norm": None,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "downsample_padding": 1, "dropout": 0.0, "dual_cross_attention": False,
    "encoder_hid_dim": None, "encoder_hid_dim_type": None, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
    "layers_per_block": 1, "mid_block_only_cross_attention": None, "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32, "num_attention_heads": None,
    "num_class_embeds": None, "only_cross_attention": False, "out_channels": 4, "projection_class_embeddings_input_dim": None,
    "resnet_out_scale_factor": 1.0, "resnet_skip_time_act": False, "resnet_time_scale_shift": "default",
    "reverse_transformer_layers_per_block": None, "sample_size": 64, "time_cond_proj_dim": None, "time_embedding_act_fn": None,
    "time_embedding_dim": None, "time_embedding_type": "positional", "timestep_post_act": None, "transformer_layers_per_block": 1,
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "upcast_attention": None, "use_linear_projection": True,
}  # fmt: skip
VAE = {
    "_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [32, 32, 64, 64],
    "down_block_types": ["DownEncoderBlock2D"] * 4, "force_upcast": True, "in_channels": 3, "latent_channels": 4, "layers_per_block": 1,
    "norm_num_groups": 32, "out_channels": 3, "sample_size": 768, "scaling_factor": 0.18215, "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
TEXT = {
    "architectures": ["CLIPTextModel"], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
    "hidden_act": "gelu", "hidden_size": 64, "initializer_factor": 1.0, "initializer_range": 0.02, "intermediate_size": 96,
    "layer_norm_eps": 1e-05, "max_position_embeddings": 77, "model_type": "clip_text_model", "num_attention_heads": 1,
    "num_hidden_layers": 23, "pad_token_id": 1, "projection_dim": 512, "vocab_size": 49408,
}  # fmt: skip
SCHEDULER = {
    "_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.24.0.dev0", "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "beta_start": 0.00085, "clip_sample": False, "interpolation_type": "linear", "num_train_timesteps": 1000,
    "prediction_type": "epsilon", "set_alpha_to_one": False, "sigma_max": None, "sigma_min": None, "skip_prk_steps": True,
    "steps_offset": 1, "timestep_spacing": "trailing", "timestep_type": "discrete", "trained_betas": None, "use_karras_sigmas": False,
}  # fmt: skip
INDEX = {
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.24.0.dev0", "feature_extractor": [None, None],
    "requires_safety_checker": False, "safety_checker": [None, None], "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip
# The only difference from Stable Diffusion 1.x's tokenizer; a folder without a vocabulary uses OpenAI's.
SPECIAL_TOKENS = {"pad_token": "!"}
# A model that predicts velocity up to pure noise, as marked by the keys `v_pred` and `ztsnr`.
ZERO_SNR = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "set_alpha_to_one": False,
            "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False, "steps_offset": 1}  # fmt: skip

PROMPT = "a cat, oil painting"
SEED, SIDE = 5, 64

CALLS = {
    "turbo_1": {"steps": 1, "guidance_scale": 0.0},
    "turbo_4": {"steps": 4, "guidance_scale": 0.0},
    "zero_snr_4": {"steps": 4, "guidance_scale": 5.0},
}


def prompt_ids(prompt: str) -> torch.Tensor:
    """The ids of Stable Diffusion 2.x's tokenizer: padded with "!", whose id is 0."""
    prompts = json.loads((GOLDEN / "tokenizer" / "prompts.json").read_text())
    ids = prompts["configs"]["sd1"]["expected"][prompts["prompts"].index(prompt)][0] if prompt else [49406, 49407]
    return torch.tensor([ids + [0] * (77 - len(ids))])


def name_in_folder(component: str, name: str) -> str:
    return f"text_model.{name.removeprefix('text_model.')}" if component == "text_encoder" else name


def factor(name: str) -> float:
    """The norms before self-attention are close to those of a noise-predicting model, by which a single file is recognized; the twin is
    in tests/it/tiny_turbo.rs."""
    return 0.25 if name.endswith(".norm1.bias") and ".transformer_blocks." in name else 1.0


def drawn(component: str, model: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(draw(name_in_folder(component, name), parameter.shape) * factor(name))
    return model.eval()


def table(models: dict) -> dict:
    """CompVis' name of every tensor -> [component, the joined names, its shape]."""
    found = {}
    for name, value in models["unet"].state_dict().items():
        found["model.diffusion_model." + unet_to_ldm(name, models["unet"].config)] = ["unet", [name], list(value.shape)]
    for name, value in models["vae"].state_dict().items():
        shape = list(value.shape) + ([1, 1] if ".attentions." in name and value.ndim == 2 else [])
        found["first_stage_model." + vae_to_ldm(name, len(VAE["block_out_channels"]))] = ["vae", [name], shape]
    text = "cond_stage_model.model."
    shapes = clip_shapes(models["text_encoder"])
    for name, shape in shapes.items():
        whole = f"text_model.{name}"
        if not name.startswith("encoder.layers."):
            continue
        layer, rest = name.removeprefix("encoder.layers.").split(".", 1)
        start = f"{text}transformer.resblocks.{layer}."
        if rest.startswith("self_attn.q_proj."):
            names = [whole.replace("q_proj", part) for part in ("q_proj", "k_proj", "v_proj")]
            found[f"{start}attn.in_proj_{rest.rsplit('.', 1)[1]}"] = ["text_encoder", names, [3 * shape[0], *shape[1:]]]
        elif ".k_proj." not in rest and ".v_proj." not in rest:
            found[start + replace_start(rest, OPENCLIP)] = ["text_encoder", [whole], shape]
    # The last layer, which models of this kind do not use: any numbers with the right shapes.
    first = f"{text}transformer.resblocks.0."
    for name in [name for name in found if name.startswith(first)]:
        found[name.replace(".resblocks.0.", ".resblocks.23.")] = found[name]
    for ldm, name in [
        ("token_embedding.weight", "embeddings.token_embedding.weight"), ("positional_embedding", "embeddings.position_embedding.weight"),
        ("ln_final.weight", "final_layer_norm.weight"), ("ln_final.bias", "final_layer_norm.bias"),
    ]:  # fmt: skip
        found[text + ldm] = ["text_encoder", [f"text_model.{name}"], shapes[name]]
    return found


def from_single_file(models: dict, folder: Path, names: dict) -> StableDiffusionPipeline:
    """diffusers' pipeline of the single file."""
    values = {part: {name_in_folder(part, name): value for name, value in model.state_dict().items()} for part, model in models.items()}
    tensors = {
        ldm: torch.cat([values[part][name] for name in parts]).reshape(shape).clone() for ldm, (part, parts, shape) in names.items()
    }
    path = folder / "sd_turbo.safetensors"
    save_file(tensors, path)
    return StableDiffusionPipeline.from_single_file(
        str(path), config=str(folder), tokenizer=None, safety_checker=None, feature_extractor=None, local_files_only=True
    )


def picture(pipeline: StableDiffusionPipeline, call: dict, seed: int = SEED, prompt: str = PROMPT) -> np.ndarray:
    embeds = {name: pipeline.text_encoder(prompt_ids(text))[0] for name, text in [("prompt_embeds", prompt), ("negative_prompt_embeds", "")]}
    with torch.no_grad():
        output = pipeline(
            **embeds, num_inference_steps=call["steps"], guidance_scale=call["guidance_scale"], width=SIDE, height=SIDE,
            generator=torch.Generator("cpu").manual_seed(seed), output_type="pil",
        )  # fmt: skip
    return np.array(output.images[0])


def decibels(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else 10 * np.log10(255**2 / error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    models = {
        "unet": drawn("unet", UNet2DConditionModel.from_config(UNET)), "vae": drawn("vae", AutoencoderKL.from_config(VAE)),
        "text_encoder": drawn("text_encoder", CLIPTextModel(CLIPTextConfig(**TEXT))),
    }  # fmt: skip
    files = {
        "model_index.json": INDEX, "unet/config.json": UNET, "vae/config.json": VAE, "text_encoder/config.json": TEXT,
        "scheduler/scheduler_config.json": SCHEDULER, "tokenizer/special_tokens_map.json": SPECIAL_TOKENS,
    }  # fmt: skip
    names = table(models)
    pipeline = StableDiffusionPipeline(
        **models, tokenizer=None, scheduler=EulerDiscreteScheduler.from_config(SCHEDULER), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            (Path(folder) / path).parent.mkdir(exist_ok=True)
            (Path(folder) / path).write_text(json.dumps(content))
        single = from_single_file(models, Path(folder), names)
    single.set_progress_bar_config(disable=True)
    pictures = {}
    for name, call in CALLS.items():
        for each in (pipeline, single):
            if name.startswith("zero_snr"):
                each.scheduler = DDIMScheduler(**ZERO_SNR)
        output = picture(pipeline, call)
        same = decibels(output, picture(single, call))
        seed, prompt = decibels(output, picture(pipeline, call, seed=SEED + 1)), decibels(output, picture(pipeline, call, prompt=""))
        print(f"{name}: deviation {output.std():.1f}, single file {same:.1f} dB, another seed {seed:.1f} dB, no prompt {prompt:.1f} dB")
        if same < 80 or output.std() < 30 or seed > 25 or prompt > 50:
            raise SystemExit(f"{name}: too little variation, or different from the single file's image")
        pictures[name] = torch.from_numpy(output)
    shapes = {
        part: {name_in_folder(part, name): list(value.shape) for name, value in model.named_parameters()} for part, model in models.items()
    }
    OUT.mkdir(parents=True, exist_ok=True)
    table_of = {"versions": versions(), "checkpoint": names, "components": shapes, "files": files}
    (OUT / "sd_turbo.json").write_text(json.dumps(table_of, separators=(",", ":")) + "\n")
    save("single_file", "pictures", pictures, calls=CALLS, prompt=PROMPT, seed=str(SEED), side=str(SIDE))


if __name__ == "__main__":
    main()
