"""Writes the goldens of few-step models: diffusers' own pipelines on the tiny model of pipelines.py, with the scheduler files of the
distilled models that people run, at 1, 2 and 4 steps.
"""


import diffusers
import numpy as np
import torch
from common import save, shapes
from pipelines import MODEL, PROMPT, SCHEDULER, Models, case, psnr
from transformers import CLIPTokenizer


# What the published scheduler_config.json files say beside the schedule of betas.
TRAILING = {"timestep_spacing": "trailing", "prediction_type": "epsilon"}
KINDS = {
    # SD-Turbo; SDXL-Lightning and Hyper-SD's models of several steps have the same file.
    "turbo": ("StableDiffusionPipeline", "EulerDiscreteScheduler", TRAILING, 0.0, {}),
    # SDXL-Turbo.
    "turbo_ancestral": ("StableDiffusionPipeline", "EulerAncestralDiscreteScheduler", TRAILING, 0.0, {}),
    # A model with LCM-LoRA merged in.
    "lcm_lora": ("StableDiffusionPipeline", "LCMScheduler", {}, 1.0, {}),
    # LCM-Dreamshaper; 8.5 is the pipeline's own default.
    "lcm": ("LatentConsistencyModelPipeline", "LCMScheduler", {}, 8.5, {"time_cond_proj_dim": 32}),
    # Hyper-SD and TCD's own.
    "tcd": ("StableDiffusionPipeline", "TCDScheduler", {}, 0.0, {}),
    # Hyper-SD with the scheduler of its first examples.
    "ddim": ("StableDiffusionPipeline", "DDIMScheduler", TRAILING, 0.0, {}),
}


def make(models: Models, pipeline_class: str, call: dict, **changes) -> np.ndarray:
    """The image of one call, [height, width, 3] bytes."""
    call = {**call, **changes}
    config = {**SCHEDULER, **call["scheduler_config"]}
    parts = {
        "vae": models.vae, "text_encoder": models.text_encoder, "tokenizer": models.tokenizer, "unet": models.unet(call["unet"]),
        "scheduler": getattr(diffusers, config["_class_name"]).from_config(config),
    }  # fmt: skip
    pipeline = getattr(diffusers, pipeline_class)(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    with torch.no_grad():
        found = pipeline(
            prompt=call["prompt"], num_inference_steps=call["steps"], guidance_scale=call["guidance_scale"], width=call["width"],
            height=call["height"], generator=torch.Generator("cpu").manual_seed(call["seed"]), output_type="pil",
        )  # fmt: skip
    return np.array(found.images[0])


def main() -> None:
    torch.set_num_threads(1)
    models = Models(CLIPTokenizer.from_pretrained(MODEL / "tokenizer"), torch.float32)
    tensors, calls = {}, {}
    for kind, (pipeline_class, scheduler, config, guidance_scale, unet) in KINDS.items():
        for steps in (1, 2, 4):
            call = case(steps=steps, guidance_scale=guidance_scale, unet=unet, scheduler_config={"_class_name": scheduler, **config},
                        model_index={"_class_name": pipeline_class, "scheduler": ["diffusers", scheduler]})  # fmt: skip
            image = make(models, pipeline_class, call)
            seed = psnr(image, make(models, pipeline_class, call, seed=call["seed"] + 1))
            prompt = psnr(image, make(models, pipeline_class, call, prompt="snow"))
            scale = psnr(image, make(models, pipeline_class, call, guidance_scale=2.0)) if unet else 0.0
            print(f"{kind}.{steps}: deviation {image.std():.1f}, another seed {seed:.1f} dB, prompt {prompt:.1f} dB, scale {scale:.1f} dB")
            if image.std() < 30 or seed > 25 or prompt > 50 or scale > 55:
                raise SystemExit(f"too little variation: {kind}.{steps}")
            tensors[f"{kind}.{steps}"] = torch.from_numpy(image)
            calls[f"{kind}.{steps}"] = call
    assert all(call["prompt"] == PROMPT for call in calls.values())
    parts = {"text_encoder": models.text_encoder, "vae": models.vae, **{f"unet{key}": unet for key, unet in sorted(models.unets.items())}}
    save("pipelines", "few_steps", tensors, calls=calls, shapes={part: shapes(model) for part, model in parts.items()})


if __name__ == "__main__":
    main()
