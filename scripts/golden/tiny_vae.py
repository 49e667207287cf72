"""Writes the goldens of images with an AutoencoderTiny (TAESD) in place of the model's autoencoder: diffusers' own pipelines with `pipe.vae`
replaced, on the tiny model of pipelines.py, from noise, from an image and inside a mask.
"""

import numpy as np
import torch
from common import draw_weights, save, shapes
from diffusers import AutoencoderTiny
from pipelines import INPAINT, MODEL, NEGATIVE, Models, case, make, paint, psnr
from transformers import CLIPTokenizer

VAE = {
    "encoder_block_out_channels": [16] * 4,
    "decoder_block_out_channels": [16] * 4,
    "num_encoder_blocks": [1, 2, 2, 2],
    "num_decoder_blocks": [2, 2, 2, 1],
    # Every published model has 1; another value shows on which side it is applied.
    "scaling_factor": 0.8,
}
INDEX = {"vae": ["diffusers", "AutoencoderTiny"]}
CASES = {
    "text_to_image": ("StableDiffusionPipeline", case(scheduler="euler", steps=4, negative_prompt=NEGATIVE)),
    "image_to_image": ("StableDiffusionImg2ImgPipeline", case(scheduler="euler-ancestral", strength=0.6, steps=6)),
    "inpaint": ("StableDiffusionInpaintPipeline", case(**{**INPAINT["ddim"], "steps": 6})),
}


def main() -> None:
    torch.set_num_threads(1)
    models = Models(CLIPTokenizer.from_pretrained(MODEL / "tokenizer"), torch.float32)
    full = models.vae
    models.vae = draw_weights(AutoencoderTiny(**VAE)).eval()
    config = {key: value for key, value in models.vae.config.items() if key != "_use_default_values"}
    given = paint()
    tensors = {"init_image": torch.from_numpy(np.array(given[0])), "mask_image": torch.from_numpy(np.array(given[1]))}
    calls = {}
    for name, (kind, call) in CASES.items():
        image = make(models, kind, call, given)
        seed = psnr(image, make(models, kind, call, given, seed=call["seed"] + 1))
        print(f"{name}: deviation {image.std():.1f}, another seed {seed:.1f} dB")
        if image.std() < 30 or seed > 25:
            raise SystemExit(f"too little variation: {name}")
        tensors[name] = torch.from_numpy(image)
        calls[name] = {**call, "vae": {"_class_name": "AutoencoderTiny", **config}, "model_index": INDEX}
    parts = {"text_encoder": models.text_encoder, "vae": full, "vae_tiny": models.vae, "unet{}": models.unet({})}
    save("pipelines", "tiny_vae", tensors, calls=calls, shapes={part: shapes(model) for part, model in parts.items()})


if __name__ == "__main__":
    main()
