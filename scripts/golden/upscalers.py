"""Goldens of upscalers: spandrel's loader and its modules on drawn weights, in f32, for each style of names that people's files have.

A golden holds an image and what spandrel makes of it; its weights are drawn by the names in the file, which are spandrel's to understand.
Each case also runs in f64 and bf16, as in models.py. It needs spandrel beside diffusers: pip install --no-deps spandrel einops.

    python scripts/golden/upscalers.py [--only NAME]
"""

import argparse

import torch
from common import GOLDEN, draw, save
from models import BF16_DB, both_precisions
from spandrel import ModelLoader
from spandrel.architectures.Compact import Compact
from spandrel.architectures.ESRGAN import ESRGAN


def rrdb(style: str, blocks: int, features: int, ups: int, inputs: int = 3, plus: bool = False) -> dict[str, list[int]]:
    """The names and shapes in a file of ESRGAN's family."""
    module = ESRGAN(in_nc=inputs, out_nc=3, num_filters=features, num_blocks=blocks, scale=2**ups, plus=plus)
    old = {name: list(value.shape) for name, value in module.state_dict().items()}
    if style == "old":
        return old
    last = 4 + 3 * ups
    names = {"model.0": ("conv_first", "conv_first"), f"model.1.sub.{blocks}": ("conv_body", "trunk_conv"),
             f"model.{last}": ("conv_last", "conv_last"), f"model.{last - 2}": ("conv_hr", "HRconv")}
    for up in range(1, ups + 1):
        names[f"model.{3 * up}"] = (f"conv_up{up}", f"upconv{up}")
    for block in range(blocks):
        for dense in range(1, 4):
            for conv in range(1, 6):
                names[f"model.1.sub.{block}.RDB{dense}.conv{conv}.0"] = (
                    f"body.{block}.rdb{dense}.conv{conv}", f"RRDB_trunk.{block}.RDB{dense}.conv{conv}")
    renamed = {}
    for name, shape in old.items():
        layer, kind = name.rsplit(".", 1)
        renamed[f"{names[layer][0 if style == 'real' else 1]}.{kind}"] = shape
    return renamed


def compact(convs: int, features: int, scale: int) -> dict[str, list[int]]:
    module = Compact(num_feat=features, num_conv=convs, upscale=scale)
    return {name: list(value.shape) for name, value in module.state_dict().items()}


# The file's tensors, the prefix of their names in it, and the image's size.
CASES = {
    "real_x4": (rrdb("real", 2, 64, 2), "params_ema.", (20, 24)),
    "real_x2": (rrdb("real", 1, 64, 2, inputs=12), "params.", (19, 23)),
    "real_x1": (rrdb("real", 1, 32, 2, inputs=48), "", (22, 17)),
    "bsrgan_x4": (rrdb("bsrgan", 1, 24, 2), "", (9, 14)),
    "old_x4": (rrdb("old", 1, 64, 2), "", (12, 11)),
    "old_x8": (rrdb("old", 1, 32, 3), "", (7, 10)),
    "old_x1": (rrdb("old", 1, 32, 0), "", (17, 16)),
    "plus_x4": (rrdb("old", 1, 64, 2, plus=True), "", (12, 11)),
    "compact_x4": (compact(4, 64, 4), "params.", (21, 26)),
    "compact_x2": (compact(2, 24, 2), "", (13, 9)),
}  # fmt: skip


def golden(name: str, shapes: dict[str, list[int]], prefix: str, size: tuple[int, int]) -> None:
    weights = {key: draw(key, shape) for key, shape in shapes.items()}
    found = ModelLoader().load_from_state_dict(dict(weights))
    image = torch.rand((1, 3, *size), generator=torch.Generator("cpu").manual_seed(3))
    tensors = both_precisions(found.model.eval(), lambda module, cast: {"output": module(cast(image))})
    expected = [size[0] * found.scale, size[1] * found.scale]
    if list(tensors["output"].shape[2:]) != expected or tensors["output"].std() < 0.1:
        raise SystemExit(f"{name}: {tuple(tensors['output'].shape)} is not {expected}, or varies too little")
    save("upscalers", name, {"image": image, **tensors}, shapes=shapes, prefix=prefix, scale=str(found.scale), bf16_db=dict(BF16_DB))
    if name == "compact_x2":
        # As torch writes it, in a dictionary of its own beside what a trainer keeps there.
        torch.save({"params_ema": weights, "epoch": 3}, GOLDEN / "upscalers" / f"{name}.pth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CASES)
    only = parser.parse_args().only
    torch.set_num_threads(1)
    for name, case in CASES.items():
        if only in (None, name):
            print(name)
            golden(name, *case)


if __name__ == "__main__":
    main()
