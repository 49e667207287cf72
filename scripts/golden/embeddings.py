"""Goldens of textual inversion: whole images of diffusers' pipeline with words of several vectors, on the tiny model of pipelines.py.

Writes the embeddings in the three formats that are found (AUTOMATIC1111's .pt, `emb_params` in safetensors, diffusers' own .bin), and a
pickle that calls a function. References have lower-case words: diffusers reads only the first vector of a word with a capital.

    python scripts/golden/embeddings.py
"""

import os
import shutil

import numpy as np
import torch
from common import GOLDEN, draw, draw_weights, save
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from pipelines import MODEL, SCHEDULER, TEXT, UNET, VAE, case, psnr
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

FOLDER = GOLDEN / "embeddings" / "files"
WIDTH = TEXT["hidden_size"]


class Call:
    """Pickles as a call of a function."""

    def __reduce__(self):
        return os.system, ("touch /tmp/framewright-was-here",)


def write() -> dict[str, torch.Tensor]:
    """Writes the files; returns the vectors of each word."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    # Larger than the vocabulary's, so that each matters.
    vectors = {name: 4 * draw(f"{name}.token_embedding", (count, WIDTH)) for name, count in {"ink-wash": 3, "glow": 1, "fog": 2}.items()}
    torch.save(
        {
            "string_to_token": {"*": 265}, "string_to_param": {"*": torch.nn.Parameter(vectors["ink-wash"])}, "name": "ink-wash", "step": 500,
            "sd_checkpoint": None, "sd_checkpoint_name": None,
        },
        FOLDER / "ink-wash.pt",
    )  # fmt: skip
    torch.save({"glow": vectors["glow"][0].clone()}, FOLDER / "glow.bin")
    save_file({"emb_params": vectors["fog"]}, FOLDER / "fog.safetensors")
    torch.save({"string_to_param": {"*": Call()}}, FOLDER / "evil.pt")
    save_file({"emb_params": torch.zeros(1, 2 * WIDTH)}, FOLDER / "wide.safetensors")
    return vectors


def pipeline(vectors: dict[str, torch.Tensor]) -> StableDiffusionPipeline:
    pipe = StableDiffusionPipeline(
        vae=draw_weights(AutoencoderKL(**VAE)).eval(), text_encoder=draw_weights(CLIPTextModel(CLIPTextConfig(**TEXT))).eval(),
        tokenizer=CLIPTokenizer.from_pretrained(MODEL / "tokenizer"), unet=draw_weights(UNet2DConditionModel(**UNET)).eval(),
        scheduler=DDIMScheduler.from_config(SCHEDULER), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    for word, tensor in vectors.items():
        pipe.load_textual_inversion({word: tensor}, token=word)
    return pipe


def image(pipe: StableDiffusionPipeline, call: dict) -> np.ndarray:
    with torch.no_grad():
        return np.array(pipe(
            prompt=call["prompt"], negative_prompt=call["negative_prompt"], num_inference_steps=call["steps"], guidance_scale=call["guidance_scale"],
            generator=torch.Generator("cpu").manual_seed(call["seed"]), width=call["width"], height=call["height"],
        ).images[0])  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    vectors = write()
    calls = {
        "words": case(scheduler="ddim", prompt="a red circle, ink-wash, fog on a blue ground", negative_prompt="glow"),
        "in_a_long_prompt": case(scheduler="ddim", prompt="glow " + "a red circle " * 24 + "ink-wash", negative_prompt="noisy"),
    }
    tensors = {}
    for name, call in calls.items():
        found, plain = image(pipeline(vectors), call), image(pipeline({}), call)
        print(f"    image {name}: deviation {found.std():.1f}, without the words {psnr(found, plain):.1f} dB")
        if found.std() < 30 or psnr(found, plain) > 40:
            raise SystemExit(f"image {name}: too little variation")
        tensors[f"image.{name}"] = torch.from_numpy(found)
    save("embeddings", "images", tensors, calls=calls)


if __name__ == "__main__":
    main()
