"""Writes the trained parts of the video model as a diffusers folder in fp16.

python export_svd.py --work WORK --out FOLDER
"""
import argparse
import json
from pathlib import Path

import torch
from diffusers import (AutoencoderKLTemporalDecoder, EulerDiscreteScheduler,
                       StableVideoDiffusionPipeline, UNetSpatioTemporalConditionModel)
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessor

import export
import temporal
import train_svd


def assemble(work):
    """The pipeline of the trained parts, in fp32."""
    scale = json.loads((work / "scale.json").read_text())["scaling_factor"]
    vae = AutoencoderKLTemporalDecoder(**temporal.VAE, scaling_factor=scale)
    state = torch.load(work / "video-decoder.pt")["ema"]["vae"]
    taught = torch.load(work / "video-encoder.pt")["ema"]["vae"]
    state.update({k: v for k, v in taught.items() if not k.startswith("decoder.")})
    vae.load_state_dict(state)
    unet = UNetSpatioTemporalConditionModel(**temporal.UNET)
    unet.load_state_dict(torch.load(work / "unet.pt")["ema"]["unet"])
    return StableVideoDiffusionPipeline(
        vae=vae.eval(), image_encoder=train_svd.vision(), unet=unet.eval(),
        scheduler=EulerDiscreteScheduler(**temporal.SCHEDULER),
        feature_extractor=CLIPImageProcessor())


def _names(stage):
    """The names of weights and of a class that every release of transformers reads."""
    index = stage / "model_index.json"
    index.write_text(index.read_text().replace("CLIPImageProcessorPil", "CLIPImageProcessor"))
    weights = stage / "image_encoder" / "model.safetensors"
    state = {k if k.startswith(("vision_model.", "visual_projection.")) else "vision_model." + k: v
             for k, v in load_file(weights).items()}
    save_file(state, weights, metadata={"format": "pt"})


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True, help="replaced if it exists")
    p.add_argument("--card", type=Path, help="a README.md to keep beside the weights")
    args = p.parse_args()
    export.write_folder(assemble(args.work), args.out, args.card, _names)


if __name__ == "__main__":
    main()
