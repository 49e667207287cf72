"""Goldens of Stable Diffusion XL's base model and its refiner in one image: diffusers' `denoising_end` and `denoising_start`.

The models are those of sdxl.py, with one refiner's UNet. Both pipelines draw from one generator, and the base's latents are the refiner's image.

    python scripts/golden/refiner.py [--look FOLDER]
"""

import argparse
import json

import numpy as np
import torch
from common import save, shapes
from PIL import Image
from pipelines import paint, psnr
from sdxl import NEGATIVE, REFINER, SIZES, TURBO, Models, case, make, write_model_folder

SCORES = {"aesthetic_score": 80.5, "negative_aesthetic_score": 24.0}
CASES = {
    "default": case(switch=0.5, negative_prompt=NEGATIVE, steps=10),
    "early": case(switch=0.3, steps=7),
    "sizes_and_scores": case(switch=0.25, negative_prompt=NEGATIVE, xl={**SIZES, **SCORES}),
    "two_texts": case(switch=0.6, negative_prompt=NEGATIVE, xl={"prompt_2": "snow, a green square", "negative_prompt_2": "blurry"}),
    "unguided": case(switch=0.25, steps=4, guidance_scale=0.0, scheduler_config=TURBO),
    "dpmpp_2m_karras": case(switch=0.25, scheduler="dpmpp-2m-karras", negative_prompt=NEGATIVE, steps=8),
    "ddim": case(switch=0.5, scheduler="ddim"),
    "heun": case(switch=0.5, scheduler="heun", steps=5),
    "from_image": case(switch=0.7, strength=0.7, steps=10, negative_prompt=NEGATIVE),
    # A base model may refine, too.
    "by_a_base": case(switch=0.25, negative_prompt=NEGATIVE, refiner={"unet": {"attention_head_dim": [4, 2]}, "index": {}},
                      xl={**SIZES, "negative_original_size": [50, 500], "negative_target_size": [640, 96]}),
}  # fmt: skip


def refined(models: Models, call: dict, given: tuple, **changes) -> np.ndarray:
    """The image of one call, [height, width, 3] bytes."""
    call = {**call, **changes}
    own = call.get("refiner", REFINER)
    kind = "StableDiffusionXLImg2ImgPipeline" if "strength" in call else "StableDiffusionXLPipeline"
    generator = torch.Generator("cpu").manual_seed(call["seed"])
    pairs = {key: tuple(value) if isinstance(value, list) else value for key, value in call["xl"].items()}
    of_refiner = {"aesthetic_score", "negative_aesthetic_score"}
    of_base = {"target_size", "negative_target_size"} if own is REFINER else set()
    common = {
        "prompt": call["prompt"], "negative_prompt": call["negative_prompt"] or None, "num_inference_steps": call["steps"],
        "guidance_scale": call["guidance_scale"], "generator": generator,
    }  # fmt: skip
    arguments = {key: value for key, value in pairs.items() if key not in of_refiner}
    if "strength" in call:
        arguments |= {"image": given[0].resize((call["width"], call["height"]), Image.LANCZOS), "strength": call["strength"]}
    else:
        arguments |= {"width": call["width"], "height": call["height"]}
    with torch.no_grad():
        base = models.pipeline(kind, call)
        latents = base(**common, **arguments, denoising_end=call["switch"], output_type="latent").images
        refiner = models.pipeline("StableDiffusionXLImg2ImgPipeline", {**call, "unet": own["unet"], "index": own["index"]})
        arguments = {key: value for key, value in pairs.items() if key not in of_base}
        if own is REFINER and "prompt_2" in pairs:
            # With the second text encoder alone, diffusers encodes the first of two prompts.
            common |= {"prompt": pairs["prompt_2"], "negative_prompt": pairs["negative_prompt_2"]}
            arguments = {key: value for key, value in arguments.items() if key not in ("prompt_2", "negative_prompt_2")}
        return np.array(refiner(**common, **arguments, image=latents, denoising_start=call["switch"], output_type="pil").images[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look", metavar="FOLDER", help="also write the images there as PNG")
    options = parser.parse_args()
    torch.set_num_threads(1)
    models, given = Models(write_model_folder()), paint()
    tensors, calls, faults = {"init_image": torch.from_numpy(np.array(given[0]))}, {}, []
    for name, call in CASES.items():
        image = refined(models, call, given)
        kind = "StableDiffusionXLImg2ImgPipeline" if "strength" in call else "StableDiffusionXLPipeline"
        unlike = {
            "seed": psnr(image, refined(models, call, given, seed=call["seed"] + 1)), "prompt": psnr(image, refined(models, call, given, prompt="snow")),
            "refiner": psnr(image, make(models, kind, {**call, "xl": {key: value for key, value in call["xl"].items() if "score" not in key}}, given)),
        }  # fmt: skip
        for field in call["xl"]:
            if field != "negative_prompt_2":
                fewer = {key: value for key, value in call["xl"].items() if key != field and not (field == "prompt_2" and key == "negative_prompt_2")}
                unlike[field] = psnr(image, refined(models, call, given, xl=fewer))
        print(f"{name}: deviation {image.std():.1f}, without " + ", ".join(f"{key} {value:.1f} dB" for key, value in unlike.items()))
        if image.std() < 30 or max(unlike.values()) > 50:
            faults.append(name)
        tensors[name], calls[name] = torch.from_numpy(image), {"refiner": REFINER, **call}
        if options.look:
            Image.fromarray(image).resize((image.shape[1] * 4, image.shape[0] * 4), 0).save(f"{options.look}/{name}.png")
    if faults:
        raise SystemExit(f"too little variation: {', '.join(faults)}")
    parts = {
        "text_encoder": models.text_encoder, "text_encoder_2": models.text_encoder_2, "vae": models.vae,
        **{f"unet{key}": unet for key, unet in sorted(models.unets.items())},
    }  # fmt: skip
    save("sdxl", "refined", tensors, calls=json.loads(json.dumps(calls)), shapes={part: shapes(model) for part, model in parts.items()})


if __name__ == "__main__":
    main()
