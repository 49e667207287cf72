"""Writes the goldens of configuration files: images and frames that show how diffusers' own loaders treat null, 0, 1 and unknown keys.

Each case edits the files of a saved folder (the tiny models of pipelines.py and video_pipeline.py), loads it with `from_pretrained`, fills
it with weights drawn by name and runs it. A case states whether the edit has an effect: if so, its image must differ from the plain
folder's visibly to a test that requires 72 dB, and is saved; otherwise it must be identical to the plain folder's, and only its name is
saved. Edits on which diffusers itself fails are also saved by name, with the error: we may refuse what it refuses.

    python scripts/golden/configs.py [--only PART_OF_A_NAME]
"""

import argparse
import copy
import json
import shutil
import tempfile
import warnings
from pathlib import Path

import diffusers
import numpy as np
import pipelines
import torch
import transformers
import video_pipeline
from common import draw_weights, save
from diffusers import (
    AutoencoderKL,
    AutoencoderKLTemporalDecoder,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableVideoDiffusionPipeline,
    UNet2DConditionModel,
    UNetSpatioTemporalConditionModel,
)
from PIL import Image
from pipelines import psnr
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

SIDE = 32
SAME, SHOWS, FAILS = "same", "shows", "fails"
UNET, VAE, TEXT, INDEX = "unet/config.json", "vae/config.json", "text_encoder/config.json", "model_index.json"
VISION, EXTRACTOR = "image_encoder/config.json", "feature_extractor/preprocessor_config.json"
EMA = {"decay": 0.9999, "inv_gamma": 1.0, "min_decay": 0.0, "optimization_step": 7, "power": 0.75, "update_after_step": 0, "use_ema_warmup": False}
TRAINERS = {"name_or_path": "x", "auto_map": {"AutoModel": "a.B"}, "trainable_parameters": 3, "torch_dtype": "float16"}
GENERATION = {"bad_words_ids": None, "torchscript": False, "use_cache": True, "num_beams": 1, "top_k": 50, "do_sample": False, "is_decoder": True,
              "add_cross_attention": True, "pruned_heads": {"0": [0]}, "finetuning_task": None, "tie_encoder_decoder": False}
VECTORS = ["<x>", "<x>_1", "<x>_2"]
WITH_TOKEN = "a red <x>, on blue"
# The pipeline's token ids for these texts are saved: unlike the images, they show each id. Tokens are in lower case, because diffusers does
# not find tokens with capitals in transformers 5.
TEXTS = [
    "", "red", "<x>", "a <x> on blue", "A <X> on blue", "<x>_1", "<x>_1 <x>_2", "<x> and <x>_1, <x>_2", "<x><x>", "x<x>x", "<x>_3", "<x>_", "<|endoftext|><x>", "  <x>\n<x>\t",
    "<y>", "<y> <x> <Y>_1", "<z> alone", "<x> " * 24 + "red", "<x> " * 25 + "red", "<x> " * 30, "ü<x>é",
]  # fmt: skip
TOKENS = [*VECTORS, "<y>", "<y>_1", "<z>", "<z>_2"]


def fields(file: str, expected: str, **changes) -> dict:
    """One case per field."""
    return {f"{file.split('/')[0]}.{field}={json.dumps(value)}": ({file: {field: value}}, expected) for field, value in changes.items()}


def each(file: str, expected: str, field: str, *values) -> dict:
    return {name: case for value in values for name, case in fields(file, expected, **{field: value}).items()}


def vectors(**tokenizer) -> dict:
    """A text encoder with three more tokens, and the tokenizer's files."""
    return {TEXT: {"vocab_size": 523}, **tokenizer}


DECODER = {str(520 + index): {"content": token, "special": False, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False} for index, token in enumerate(VECTORS)}
ADDED = {"tokenizer/added_tokens.json": {token: 520 + index for index, token in enumerate(VECTORS)}}

# A case: the changed files, whether they have an effect, and the changes of the call.
TEXT_TO_IMAGE = {
    **fields(UNET, SAME, upcast_attention=None, use_linear_projection=None, center_input_sample=None, attention_type=None, num_attention_heads=None),
    **fields(UNET, SAME, resnet_skip_time_act=1, cross_attention_norm="layer_norm", mid_block_only_cross_attention=1, addition_time_embed_dim=7, projection_class_embeddings_input_dim=5),
    **each(UNET, SAME, "upcast_attention", 0, 1),
    **each(UNET, SAME, "use_linear_projection", 0, 1),
    **each(UNET, SAME, "center_input_sample", 0, False),
    **each(UNET, SAME, "attention_type", 0, 1, "x"),
    **each(UNET, SAME, "dual_cross_attention", None, 0),
    **each(UNET, SAME, "class_embed_type", None, 0, "x"),
    **each(UNET, SAME, "class_embeddings_concat", None, 0),
    **each(UNET, SAME, "resnet_out_scale_factor", None, 0, 2),
    **each(UNET, SAME, "flip_sin_to_cos", 1, True),
    **each(UNET, SHOWS, "flip_sin_to_cos", None, 0, False),
    **each(UNET, SAME, "freq_shift", 0, False),
    **each(UNET, SHOWS, "freq_shift", 1, True),
    **each(UNET, FAILS, "freq_shift", None),
    **each(UNET, SHOWS, "norm_eps", 1, True),
    **each(UNET, FAILS, "norm_eps", None),
    **each(UNET, SAME, "downsample_padding", 1),
    **each(UNET, SHOWS, "downsample_padding", 0),
    **each(UNET, FAILS, "downsample_padding", None),
    **each(UNET, SAME, "mid_block_scale_factor", 1, True),
    **each(UNET, SHOWS, "mid_block_scale_factor", 2),
    **each(UNET, FAILS, "mid_block_scale_factor", None),
    "unet without mid block": ({UNET: {"mid_block_type": None, "mid_block_scale_factor": None}}, SHOWS),
    **each(UNET, SHOWS, "only_cross_attention", True, [1, 0], [True, None]),
    **each(UNET, SAME, "only_cross_attention", [None, 0]),
    **each(UNET, FAILS, "only_cross_attention", None, 0, 1),
    **each(UNET, SAME, "time_embedding_dim", None, 0),
    **each(UNET, SHOWS, "transformer_layers_per_block", 0, [0, 1]),
    **each(UNET, FAILS, "transformer_layers_per_block", None),
    **each(UNET, SHOWS, "conv_in_kernel", 1),
    **each(UNET, SAME, "sample_size", None, 0, [3, 5]),
    **each(UNET, SAME, "quantization_config", None),
    **each(UNET, FAILS, "dropout", None),
    **each(UNET, SAME, "dropout", 0, 1),
    **each(UNET, FAILS, "act_fn", None),
    **each(UNET, SAME, "time_cond_proj_dim", None),
    "unet with values that nobody chose": ({UNET: {"_use_default_values": ["flip_sin_to_cos", "freq_shift"], "flip_sin_to_cos": False, "freq_shift": 1}}, SAME),
    "unet in the first names": ({UNET: {"down_block_types": ["UNetResCrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "UNetResCrossAttnUpBlock2D"]}}, SAME),
    "unet of an EMA": ({UNET: EMA}, SAME),
    "unet of a trainer": ({UNET: TRAINERS}, SAME),
    "unet of a stranger": ({UNET: {"_class_name": "Stranger", "_name_or_path": "x", "surprise": [1], "attention_bias": True}}, SAME),
    **each(VAE, SAME, "force_upcast", None, 0, 1),
    **each(VAE, SHOWS, "use_post_quant_conv", None, 0, False),
    **each(VAE, SAME, "use_post_quant_conv", 1),
    **each(VAE, SHOWS, "mid_block_add_attention", None, 0),
    **each(VAE, SAME, "mid_block_add_attention", 1),
    **each(VAE, SHOWS, "scaling_factor", 1),
    **each(VAE, FAILS, "scaling_factor", None),
    **each(VAE, SAME, "shift_factor", None, 2),
    **each(VAE, SAME, "sample_size", 0, 1),
    "vae with figures of other pipelines": ({VAE: {"latents_mean": [2.0] * 4, "latents_std": [2.0] * 4}}, SAME),
    "vae of a trainer": ({VAE: {**EMA, **TRAINERS, "double_z": False, "ch_mult": [1, 2]}}, SAME),
    **each(TEXT, SAME, "use_attention_mask", None, 0),
    **each(TEXT, SAME, "model_type", None, "clip", "bert"),
    **each(TEXT, SAME, "projection_dim", None, 0, 1),
    **each(TEXT, SAME, "attention_dropout", None, 0, 1),
    **each(TEXT, SAME, "pad_token_id", None, 0),
    **each(TEXT, SAME, "tie_word_embeddings", None, 0, 1),
    **each(TEXT, SHOWS, "num_hidden_layers", 0, 1),
    **each(TEXT, FAILS, "num_hidden_layers", None),
    **each(TEXT, FAILS, "layer_norm_eps", None),
    **each(TEXT, FAILS, "hidden_act", None),
    "text_encoder of a generator": ({TEXT: {**GENERATION, **TRAINERS}}, SAME),
    "text_encoder within the whole of CLIP": ({TEXT: {"text_config": {**pipelines.TEXT, "num_hidden_layers": 1}, "model_type": "clip", "hidden_size": 64}}, SHOWS),
    "index of another pipeline": ({INDEX: {"text_encoder_2": ["transformers", "CLIPTextModel"], "force_zeros_for_empty_prompt": True, "notes": {"a": 1}}}, SAME),
    "index with null": ({INDEX: {"requires_safety_checker": None, "controlnet": [None, None], "image_encoder": [None, None]}}, SAME),
    "tokens in added_tokens.json": (vectors(**ADDED), SHOWS, {"prompt": WITH_TOKEN}),
    "tokens in added_tokens_decoder": (vectors(**{"tokenizer/tokenizer_config.json": {"added_tokens_decoder": DECODER}}), SHOWS, {"prompt": WITH_TOKEN}),
    "tokens in extra_special_tokens": (vectors(**{"tokenizer/tokenizer_config.json": {"extra_special_tokens": VECTORS}}), SHOWS, {"prompt": WITH_TOKEN}),
    "tokens in the negative prompt": (vectors(**ADDED), SHOWS, {"negative_prompt": "dark <x>"}),
    "tokens beside their own vectors": (vectors(**ADDED), SHOWS, {"prompt": "<x> and <x>_1, <x>_2"}),
    "tokens beyond the limit": (vectors(**ADDED), SHOWS, {"prompt": "<x> " * 30 + "red"}),
}  # fmt: skip
IMAGE_TO_IMAGE = {
    "vae.use_quant_conv of an image=null": ({VAE: {"use_quant_conv": None}}, SHOWS),
    "vae.use_quant_conv of an image=0": ({VAE: {"use_quant_conv": 0}}, SHOWS),
    "vae.use_quant_conv of an image=1": ({VAE: {"use_quant_conv": 1}}, SAME),
}
IMAGE_TO_VIDEO = {
    **each(UNET, SAME, "sample_size", None, 0),
    **each(UNET, SAME, "num_frames", None, 0),
    **each(UNET, SHOWS, "transformer_layers_per_block", 0),
    **each(UNET, FAILS, "addition_time_embed_dim", None),
    **each(UNET, FAILS, "num_attention_heads", None),
    "video unet of another class": ({UNET: {**EMA, "flip_sin_to_cos": False, "norm_num_groups": 1, "attention_head_dim": 3, "upcast_attention": None}}, SAME),
    **each(VAE, SAME, "force_upcast", None, 0),
    "video vae of another class": ({VAE: {"use_quant_conv": False, "norm_num_groups": 1, "act_fn": "mish", "mid_block_add_attention": False}}, SAME),
    **each(VISION, SAME, "model_type", None),
    "image_encoder of a generator": ({VISION: {**GENERATION, **TRAINERS}}, SAME),
    "image_encoder within the whole of CLIP": ({VISION: {"vision_config": {**video_pipeline.VISION, "num_hidden_layers": 1}, "hidden_size": 64}}, SHOWS),
    **each(EXTRACTOR, SHOWS, "image_mean", 0, 1, 0.5),
    **each(EXTRACTOR, SHOWS, "image_std", 1),
    **each(EXTRACTOR, FAILS, "image_mean", None),
    **each(EXTRACTOR, SAME, "do_normalize", None, 0),
}  # fmt: skip


def save_folder(pipeline, folder: Path) -> None:
    """Saves a pipeline with plain tokenizer files, like those of published models."""
    pipeline.save_pretrained(folder)
    if (folder / "tokenizer").is_dir():
        shutil.rmtree(folder / "tokenizer")
        shutil.copytree(pipelines.MODEL / "tokenizer", folder / "tokenizer")


def changed(folder: Path, changes: dict, into: Path) -> None:
    shutil.copytree(folder, into, dirs_exist_ok=True)
    for file, new in changes.items():
        path = into / file
        old = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**old, **new}))


CLASSES = {
    "StableDiffusionPipeline": {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "text_encoder": (CLIPTextConfig, CLIPTextModel)},
    "StableVideoDiffusionPipeline": {
        "unet": UNetSpatioTemporalConditionModel, "vae": AutoencoderKLTemporalDecoder,
        "image_encoder": (CLIPVisionConfig, CLIPVisionModelWithProjection),
    },
}  # fmt: skip
CLASSES["StableDiffusionImg2ImgPipeline"] = CLASSES["StableDiffusionPipeline"]


def load(kind, folder: Path):
    """The folder's pipeline: every part is built from its own configuration by its class's own loader, with weights drawn by name."""
    parts = {}
    for part, built in CLASSES[kind.__name__].items():
        if isinstance(built, tuple):
            module = built[1](built[0].from_pretrained(folder / part))
        else:
            module = built.from_config(built.load_config(folder / part))
        parts[part] = draw_weights(module).eval()
    pipeline = kind.from_pretrained(folder, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def picture(pipeline, image: Image.Image, call: dict) -> np.ndarray:
    """[height, width, 3] bytes, with one more dimension for frames."""
    generator = torch.Generator("cpu").manual_seed(11)
    with torch.no_grad():
        if isinstance(pipeline, StableVideoDiffusionPipeline):
            return np.stack([np.array(frame) for frame in pipeline(image, width=SIDE, height=SIDE, num_frames=2, num_inference_steps=2, generator=generator, output_type="pil").frames[0]])
        arguments = {"prompt": pipelines.PROMPT, "negative_prompt": pipelines.NEGATIVE, "num_inference_steps": 3, "guidance_scale": 5.0, "generator": generator, **call}
        if isinstance(pipeline, StableDiffusionImg2ImgPipeline):
            return np.array(pipeline(image=image, strength=0.7, **arguments).images[0])
        return np.array(pipeline(width=SIDE, height=SIDE, **arguments).images[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="run only the cases whose name contains this, and write no golden")
    only = parser.parse_args().only
    warnings.filterwarnings("ignore")
    diffusers.logging.set_verbosity_error()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    diffusers.utils.logging.disable_progress_bar()
    image = pipelines.paint()[0].resize((SIDE, SIDE), Image.LANCZOS)
    work = Path(tempfile.mkdtemp())
    # Leaves the other goldens' folders unchanged.
    pipelines.MODEL, video_pipeline.MODEL = work / "picture-configs", work / "video-configs"
    models = pipelines.Models(pipelines.write_model_folder(), torch.float32)
    save_folder(models.pipeline("StableDiffusionPipeline", {"scheduler_config": {}, "unet": {}, "scheduler": None}), work / "pictures")
    save_folder(video_pipeline.build(), work / "videos")
    tensors, cases = {"image": torch.from_numpy(np.array(image))}, {}
    groups = {
        "text_to_image": (StableDiffusionPipeline, "pictures", TEXT_TO_IMAGE), "image_to_image": (StableDiffusionImg2ImgPipeline, "pictures", IMAGE_TO_IMAGE),
        "image_to_video": (StableVideoDiffusionPipeline, "videos", IMAGE_TO_VIDEO),
    }  # fmt: skip
    faults = []
    for group, (kind, base, group_cases) in groups.items():
        plain = picture(load(kind, work / base), image, {})
        if plain.std() < 30:
            faults.append(f"{group}: a deviation of {plain.std():.1f}")
        tensors[group] = torch.from_numpy(plain)
        for name, (changes, expected, *call) in group_cases.items():
            if only not in name:
                continue
            folder = work / "changed"
            shutil.rmtree(folder, ignore_errors=True)
            changed(work / base, copy.deepcopy(changes), folder)
            call = call[0] if call else {}
            case = {"group": group, "changes": changes, "call": call, "outcome": expected}
            try:
                built = picture(load(kind, folder), image, call)
                likeness = psnr(plain, built)
                outcome = SAME if likeness == float("inf") else SHOWS if likeness < 60 else f"differs a little, {likeness:.1f} dB"
                note = f"{likeness:.1f} dB"
            except Exception as error:  # noqa: BLE001 - any error of diffusers is the outcome
                outcome, note = FAILS, f"{type(error).__name__}: {str(error).splitlines()[0]}"
                case["error"] = note
            print(f"{group}: {name}: {outcome} ({note})")
            if outcome != expected:
                faults.append(f"{group}: {name}: {outcome}, not {expected}")
            if outcome == SHOWS:
                tensors[f"{group}: {name}"] = torch.from_numpy(built)
            cases[f"{group}: {name}"] = case
    folder = work / "tokens"
    changed(work / "pictures", vectors(**{"tokenizer/added_tokens.json": {token: 520 + index for index, token in enumerate(TOKENS)}}), folder)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, text_encoder=None, unet=None, vae=None)
    texts = [[text, pipeline.tokenizer(pipeline.maybe_convert_prompt(text, pipeline.tokenizer), add_special_tokens=False).input_ids] for text in TEXTS]
    shutil.rmtree(work)
    if faults:
        raise SystemExit("\n".join(faults))
    if not only:
        save("configs", "configs", tensors, cases=cases, texts=texts, tokens=TOKENS)


if __name__ == "__main__":
    main()
