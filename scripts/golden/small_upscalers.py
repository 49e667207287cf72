"""Writes the upscalers of tests that need some: four tiny networks with random weights, in Real-ESRGAN's own names of layers.

    python scripts/golden/small_upscalers.py
"""

import pathlib

import torch
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parents[2] / "crates/generation-test/upscalers"
# Channels of the compact ones; channels, and those that a dense layer adds, of the others.
COMPACT, FEATURES, GROWTH = 24, 8, 4


def conv(tensors, name, inputs, outputs):
    module = torch.nn.Conv2d(inputs, outputs, 3)
    tensors[f"{name}.weight"], tensors[f"{name}.bias"] = module.weight.detach(), module.bias.detach()


def compact(scale):
    tensors = {}
    for index, (inputs, outputs) in enumerate([(3, COMPACT), (COMPACT, COMPACT), (COMPACT, 3 * scale * scale)]):
        conv(tensors, f"body.{2 * index}", inputs, outputs)
        if index < 2:
            tensors[f"body.{2 * index + 1}.weight"] = torch.full((COMPACT,), 0.25)
    return tensors


def rrdb(scale):
    tensors = {}
    # A network for 2 takes blocks of 2x2 pixels, and enlarges by 4.
    conv(tensors, "conv_first", 3 if scale == 4 else 12, FEATURES)
    for dense in (1, 2, 3):
        for layer in range(1, 6):
            outputs = FEATURES if layer == 5 else GROWTH
            conv(tensors, f"body.0.rdb{dense}.conv{layer}", FEATURES + (layer - 1) * GROWTH, outputs)
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        conv(tensors, name, FEATURES, FEATURES)
    conv(tensors, "conv_last", FEATURES, 3)
    return tensors


torch.manual_seed(0)
FOLDER.mkdir(exist_ok=True)
for name, tensors in {"compact_x2": compact(2), "compact_x4": compact(4), "real_x2": rrdb(2), "real_x4": rrdb(4)}.items():
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, FOLDER / f"{name}.safetensors")
