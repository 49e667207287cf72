"""Paints the training set to disk: pictures.npy (bytes) and scenes.jsonl.

python data.py --out WORK --count 18000 --workers 2
"""
import argparse
import json
import multiprocessing
from pathlib import Path

import numpy as np

import paint

CHUNK = 250


def _chunk(job):
    seed, share = job
    rng = np.random.default_rng((71, seed))
    pictures, scenes = np.empty((CHUNK, 128, 128, 3), np.uint8), []
    for i in range(CHUNK):
        scene = paint.random_scene(rng, "shape" if rng.random() < share else "land")
        pictures[i] = paint.paint(scene, rng)
        scenes.append(scene)
    return seed, pictures, scenes


def load(folder):
    """The painted set: (images, scenes)."""
    folder = Path(folder)
    with open(folder / "scenes.jsonl") as lines:
        scenes = [json.loads(line) for line in lines]
    return np.load(folder / "pictures.npy", mmap_mode="r"), scenes


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--count", type=int, default=18000, help="a multiple of 250")
    p.add_argument("--shapes", type=float, default=.45, help="the share of shape images")
    p.add_argument("--workers", type=int, default=2)
    args = p.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    chunks = args.count // CHUNK
    pictures = np.lib.format.open_memmap(args.out / "pictures.npy", "w+", np.uint8,
                                         (chunks * CHUNK, 128, 128, 3))
    scenes = [None] * chunks
    with multiprocessing.Pool(args.workers) as pool:
        jobs = [(k, args.shapes) for k in range(chunks)]
        for seed, block, texts in pool.imap_unordered(_chunk, jobs):
            pictures[seed * CHUNK:(seed + 1) * CHUNK] = block
            scenes[seed] = texts
            print("chunk", seed, flush=True)
    pictures.flush()
    with open(args.out / "scenes.jsonl", "w") as out:
        for scene in sum(scenes, []):
            out.write(json.dumps(scene) + "\n")


if __name__ == "__main__":
    main()
