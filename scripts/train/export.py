"""Stage 5: writes the trained parts as a diffusers folder in fp16.

python export.py --work WORK --out FOLDER
"""
import argparse
import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

import common
import tokenizer as tokens
import train_text

LIMIT = 16_000_000
SCHEDULER = dict(**common.NOISE, clip_sample=False, set_alpha_to_one=False, steps_offset=1,
                 prediction_type="epsilon", timestep_spacing="leading")


def assemble(work):
    """The pipeline of the trained parts, in fp32."""
    scale = json.loads((work / "scale.json").read_text())["scaling_factor"]
    vae = AutoencoderKL(**common.VAE, scaling_factor=scale)
    polished = work / "decoder.pt"
    vae.load_state_dict(torch.load(polished if polished.exists() else work / "vae.pt")["ema"]["vae"])
    taught = work / "guided.pt"
    part = torch.load(taught if taught.exists() else work / "unet.pt")["ema"]
    unet = UNet2DConditionModel(**common.UNET)
    unet.load_state_dict(part["unet"])
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    text = train_text.build(tokenizer)
    text.load_state_dict(part["text"])
    return StableDiffusionPipeline(
        vae=vae.eval(), text_encoder=text.eval(), tokenizer=tokenizer, unet=unet.eval(),
        scheduler=DDIMScheduler(**SCHEDULER), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False)


def write_folder(pipe, out, card, finish=lambda stage: None):
    """Writes a pipeline in fp16, atomically. `finish` may change the folder before it is put in
    place."""
    stage = out.with_name(out.name + ".part")
    shutil.rmtree(stage, ignore_errors=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.to(torch.float16)
    pipe.save_pretrained(stage)
    (stage / "README.md").unlink(missing_ok=True)
    finish(stage)
    if card:
        shutil.copy(card, stage / "README.md")
    # the libraries' notes on the parts' origin
    for path in stage.rglob("config.json"):
        config = json.loads(path.read_text())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2) + "\n")
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        out.rename(old)
    stage.rename(out)
    shutil.rmtree(old, ignore_errors=True)
    sizes = {str(f.relative_to(out)): f.stat().st_size
             for f in sorted(out.rglob("*")) if f.is_file()}
    for name, size in sizes.items():
        print(f"{size:10} {name}")
    total = sum(sizes.values())
    print(f"{total:10} in all")
    if total > LIMIT:
        raise SystemExit(f"larger than {LIMIT} bytes")


def _text_parts(stage):
    shutil.rmtree(stage / "tokenizer")
    tokens.write(stage / "tokenizer")
    (stage / "text_encoder" / "generation_config.json").unlink(missing_ok=True)
    # the names that every release of CLIPTextModel reads
    weights = stage / "text_encoder" / "model.safetensors"
    state = {"text_model." + k.removeprefix("text_model."): v
             for k, v in load_file(weights).items()}
    save_file(state, weights, metadata={"format": "pt"})


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True, help="replaced if it exists")
    p.add_argument("--card", type=Path, help="a README.md to keep beside the weights")
    args = p.parse_args()
    write_folder(assemble(args.work), args.out, args.card, _text_parts)


if __name__ == "__main__":
    main()
