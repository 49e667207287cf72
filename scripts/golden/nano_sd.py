"""Writes the goldens of the embedded model: images that diffusers generates with models/nano-sd in f32, to test the trained weights.

Run it again whenever the model changes.
"""

import argparse
from pathlib import Path

import diffusers
import numpy as np
import torch
from common import save
from diffusers import StableDiffusionPipeline

MODEL = Path(__file__).resolve().parents[2] / "models" / "nano-sd"
CALLS = {
    "shape": {"prompt": "a red circle on a blue background", "seed": 3, "steps": 25, "scheduler": None},
    "landscape": {"prompt": "A peaceful sunrise over mountains with mist", "seed": 4, "steps": 12, "scheduler": "dpmpp-2m-karras"},
    "noise": {"prompt": "the sea at night with a boat", "seed": 5, "steps": 20, "scheduler": "euler-ancestral"},
}
SCHEDULERS = {
    "dpmpp-2m-karras": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "euler-ancestral": ("EulerAncestralDiscreteScheduler", {}),
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    own = pipeline.scheduler
    tensors = {}
    for name, call in CALLS.items():
        pipeline.scheduler = own
        if call["scheduler"]:
            kind, changes = SCHEDULERS[call["scheduler"]]
            pipeline.scheduler = getattr(diffusers, kind).from_config(own.config, **changes)
        generator = torch.Generator("cpu").manual_seed(call["seed"])
        image = pipeline(call["prompt"], num_inference_steps=call["steps"], guidance_scale=7.5, generator=generator).images[0]
        tensors[name] = torch.from_numpy(np.array(image))
    save("nano_sd", "pictures", tensors, calls=CALLS)


if __name__ == "__main__":
    main()
