"""Writes the golden of the embedded video model: frames that diffusers generates with models/nano-svd in f32 from an image of nano-sd's
golden.

Run it again whenever the model changes.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from common import GOLDEN, save
from diffusers import StableVideoDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

MODEL = Path(__file__).resolve().parents[2] / "models" / "nano-svd"
CALLS = {
    "falls": {"picture": "shape", "seed": 3, "steps": 25, "bucket": 127},
    "drifts": {"picture": "landscape", "seed": 4, "steps": 10, "bucket": 223},
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    pipeline = StableVideoDiffusionPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    pictures = load_file(GOLDEN / "nano_sd" / "pictures.safetensors")
    tensors = {}
    for name, call in CALLS.items():
        frames = pipeline(
            Image.fromarray(pictures[call["picture"]].numpy()),
            height=128,
            width=128,
            num_inference_steps=call["steps"],
            motion_bucket_id=call["bucket"],
            generator=torch.Generator("cpu").manual_seed(call["seed"]),
        ).frames[0]
        tensors[name] = torch.from_numpy(np.stack([np.array(frame) for frame in frames]))
    save("nano_svd", "frames", tensors, calls=CALLS)


if __name__ == "__main__":
    main()
