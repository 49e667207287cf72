"""Writes the goldens of the noise stream: successive torch.randn draws from one CPU generator for each seed."""

import argparse

import torch
from common import save

SEEDS = [0, 1, 2**32 - 1, 2**40 + 5]
# In this order from one generator: odd and even scalar draws (the cached second normal survives the block draws in between), whole blocks,
# a block with a remainder, and a latent of a 512 x 512 image.
DRAWS = [[1], [3], [16], [17], [2], [1, 4, 5, 5], [15], [4 * 64 * 64], [7]]


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    tensors = {}
    for seed in SEEDS:
        generator = torch.Generator("cpu").manual_seed(seed)
        for index, shape in enumerate(DRAWS):
            tensors[f"{seed}.{index}"] = torch.randn(shape, generator=generator)
    save("noise", "randn", tensors, seeds=SEEDS, draws=DRAWS)


if __name__ == "__main__":
    main()
