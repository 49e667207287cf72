"""Writes the goldens of images with AUTOMATIC1111's prompts: diffusers' own pipeline on the tiny model of pipelines.py, with the embeddings
that the web UI's own encoder makes of the same text encoder.

    python scripts/golden/weighted_prompts.py --webui FOLDER

FOLDER is as for prompts.py. diffusers wants both texts of one length, so their numbers of chunks are equal here.
"""

import argparse
import types

import numpy as np
import torch
from common import save, shapes
from pipelines import MODEL, Models, case, psnr
from prompts import program_of
from transformers import CLIPTokenizer

LONG = "a (red:1.4) circle on a [blue] ground, with ((mist)) and boats, ropes, gulls, painted in oil on canvas by a master of long ago"
CASES = {
    "weights": case(prompt="a (red:1.6) circle on a [[blue]] ground", negative_prompt="(noisy:1.3), dark", scheduler="euler", steps=4,
                    guidance_scale=9.0),
    "long": case(prompt=LONG, negative_prompt="noisy BREAK (dark:1.2)", scheduler="ddim", steps=4, guidance_scale=9.0),
}


def make(models: Models, encode, call: dict, **changes) -> np.ndarray:
    """The image of one call, [height, width, 3] bytes."""
    call = {**call, **changes}
    embeds, negative = encode(call["prompt"]), encode(call["negative_prompt"])
    with torch.no_grad():
        found = models.pipeline("StableDiffusionPipeline", call)(
            prompt_embeds=embeds, negative_prompt_embeds=negative, num_inference_steps=call["steps"], width=call["width"],
            height=call["height"], guidance_scale=call["guidance_scale"], output_type="pil",
            generator=torch.Generator("cpu").manual_seed(call["seed"]),
        )  # fmt: skip
    return np.array(found.images[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--webui", required=True, metavar="FOLDER")
    _, _, clip = program_of(parser.parse_args().webui)
    torch.set_num_threads(1)
    models = Models(CLIPTokenizer.from_pretrained(MODEL / "tokenizer"), torch.float32)
    embeddings = types.SimpleNamespace(find_embedding_at_position=lambda *_: (None, None))
    wrapped = types.SimpleNamespace(tokenizer=models.tokenizer, transformer=models.text_encoder)
    module = clip.FrozenCLIPEmbedderWithCustomWords(wrapped, types.SimpleNamespace(embedding_db=embeddings))

    def encode(prompt: str) -> torch.Tensor:
        with torch.no_grad():
            return module([prompt])

    tensors, calls = {}, {}
    for name, call in CASES.items():
        image = make(models, encode, call)
        plain = psnr(image, make(models, encode, call, prompt=call["prompt"].translate(str.maketrans("", "", "()[]:.0123456789"))))
        seed = psnr(image, make(models, encode, call, seed=call["seed"] + 1))
        print(f"{name}: deviation {image.std():.1f}, another seed {seed:.1f} dB, without weights {plain:.1f} dB")
        if image.std() < 30 or seed > 25 or plain > 52:
            raise SystemExit(f"too little variation: {name}")
        tensors[name] = torch.from_numpy(image)
        calls[name] = call
    parts = {"text_encoder": models.text_encoder, "vae": models.vae, "unet{}": models.unet({})}
    save("pipelines", "weighted_prompts", tensors, calls=calls, shapes={part: shapes(model) for part, model in parts.items()})


if __name__ == "__main__":
    main()
