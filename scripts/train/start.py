"""Writes a finished model as the stages' checkpoints, so that training can continue from it.

python start.py --model ../../models/nano-sd --work WORK      then: train_unet.py --again

The heads that read captions are not part of a model: they start anew, and are used only if the text
encoder trains further.
"""
import argparse
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

import common
import train_text


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--model", type=Path, required=True, help="a folder in diffusers' format")
    p.add_argument("--work", type=Path, required=True)
    args = p.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    shutil.copytree(args.model / "tokenizer", args.work / "tokenizer", dirs_exist_ok=True)
    vae = AutoencoderKL.from_pretrained(args.model / "vae").float().state_dict()
    unet = UNet2DConditionModel.from_pretrained(args.model / "unet").float().state_dict()
    loaded = CLIPTextModel.from_pretrained(args.model / "text_encoder").float()
    text = train_text.build(CLIPTokenizer.from_pretrained(args.work / "tokenizer"))
    text.load_state_dict(loaded.state_dict())
    text, heads = text.state_dict(), train_text.Heads().state_dict()
    fresh = {"step": 0, "gone": 0.0, "optimiser": {"param_groups": []}}
    common.save(args.work / "vae.pt", model=vae, ema={"vae": vae}, **fresh)
    common.save(args.work / "text.pt", model=text, heads=heads)
    common.save(args.work / "unet.pt", unet=unet, text=text, heads=heads,
                ema={"unet": unet, "text": text}, **fresh)


if __name__ == "__main__":
    main()
