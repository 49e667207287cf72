"""Paints the training clips: nano-sd's images with motion.

A clip is an image in layers, some of which are painted again in every frame, moved by a fraction of
a pixel. Its first frame is an image as paint.py paints it. The image determines what moves, and in
which direction: boats and clouds to the right; sun, moon, figures and the crest of a wave down.
`motion_bucket_id` sets the distance: `travel` returns it in pixels.

python clips.py --out WORK --count 2500       writes clips.npy and clips.jsonl
python clips.py --sheet sheet.png             a sheet of examples
"""
import argparse
import copy
import json
import multiprocessing
from pathlib import Path

import numpy as np
from PIL import Image

import land
import paint
from paint import BIG, SCALE, SIZE

FRAMES = 8
KINDS = ["boat", "clouds", "sun", "ball", "waves"]
CHUNK = 25


def travel(bucket, frame):
    """The distance moved by a frame, in pixels: 16 in the eighth frame at bucket 127."""
    return bucket / 127 * 16 / 7 * frame


def random_scene(rng, kind, alone):
    """A clip's contents, like paint.random_scene. `alone`: only `kind` moves.

    The kind "any" is any landscape, possibly without motion.
    """
    scene = paint.random_scene(rng, "shape" if kind == "ball" else "land")
    scene["moves"] = kind
    if kind == "ball":
        return scene
    places = {"boat": ["sea", "sea", "sea", "beach"], "waves": ["sea"]}.get(kind)
    if places:
        scene["setting"] = places[rng.integers(len(places))]
    night = scene["time"] == "night"
    own = {"sun": "moon" if night else "sun", "any": None}.get(kind, kind)
    if alone:
        scene["objects"] = []
    elif kind != "any":
        crest = ["waves"] if scene["setting"] == "sea" and rng.random() < .15 else []
        fits = {"sea": "boat", "beach": "boat palm", "desert": "cactus"}.get(scene["setting"], "")
        scene["objects"] = crest + [o for o in scene["objects"] if o not in
                                    ("boat", "palm", "cactus") or o in fits]
    if own and own not in scene["objects"]:
        scene["objects"].append(own)
    return scene


def shift(layer, right, down):
    """A layer (rows, columns, ...) moved by fractions of a pixel, with nothing behind it."""
    for axis, way in ((1, right), (0, down)):
        whole = int(np.floor(way))
        part = np.float32(way - whole)
        moved = np.zeros_like(layer)
        for step, share in ((whole, 1 - part), (whole + 1, part)):
            if share == 0 or step >= layer.shape[axis]:
                continue
            to = [slice(None)] * layer.ndim
            since = list(to)
            to[axis], since[axis] = slice(step, None), slice(None, layer.shape[axis] - step)
            moved[tuple(to)] += layer[tuple(since)] * share
        layer = moved
    return layer


class Layer:
    """A painter's addition to an image: colours premultiplied by their coverage.

    Painters can only blend; painting once on black and once on white yields both.
    """

    def __init__(self, c, painter):
        began = copy.deepcopy(c.rng.bit_generator.state)
        c.img[:] = 0
        painter()
        black = c.img.copy()
        c.rng.bit_generator.state = began
        c.img[:] = 255
        painter()
        self.colour, self.cover = black, 1 - (c.img - black).mean(2, keepdims=True) / 255

    def over(self, img, right=0.0):
        if right:
            both = shift(np.concatenate([self.colour, self.cover], 2), right, 0)
            return img * (1 - both[..., 3:]) + both[..., :3]
        return img * (1 - self.cover) + self.colour


class LandClip:
    def __init__(self, scene, rng):
        self.c = c = paint.Canvas(scene["time"], rng)
        objects = scene["objects"]
        self.horizon = horizon = land.HORIZON[scene["setting"]] + rng.uniform(-.04, .04)
        paint.sky(c, scene, horizon)
        self.sky, self.light, self.clouds, self.boats, self.wave = c.img.copy(), None, [], None, None
        if "sun" in objects:
            self.light = (paint.draw_sun, paint.sun_place(c, scene["setting"], horizon))
        if "moon" in objects:
            self.light = (paint.draw_moon, paint.moon_place(c))
        if self.light:  # for the reflection in the water
            self.light[0](c, *self.light[1])
        if "clouds" in objects:
            self.clouds = list(paint.cloud_places(c, horizon))
        still = dict(scene, objects=[o for o in objects if o != "boat"])
        self.land = Layer(c, lambda: land.PAINTERS[scene["setting"]](c, still, horizon))
        if "waves" in objects:
            line = c.wave_line(horizon + rng.uniform(.06, .16), .008, rng.uniform(.8, 2.5))
            tone = np.maximum(c.lit((244, 250, 252), 4), c.sky[1] * .6 + 60)
            self.wave = (line, rng.uniform(.018, .03), rng.uniform(.75, .95), tone)
        if "boat" in objects:
            places = list(land.boat_places(rng, scene["setting"], horizon))
            self.boats = Layer(c, lambda: [land.draw_boat(c, *p) for p in places])
        self.front = Layer(c, lambda: land.extras(c, scene, horizon)) \
            if {"birds", "mist"} & set(objects) else None

    def frame(self, pixels, moving=True):
        """The frame with everything moved by this many pixels; `moving=False`: without the
        moving things."""
        c, way = self.c, pixels / SIZE
        c.img = self.sky.copy()
        if moving and self.light:
            draw, (x, y, r) = self.light
            draw(c, x, y + way, r)
        for cloud in self.clouds if moving else []:
            paint.draw_cloud(c, *cloud, way)
        c.img = self.land.over(c.img)
        if moving and self.wave:
            line, thick, strength, tone = self.wave
            band = np.exp(-((c.ys - line[None] - way) / thick) ** 2) * strength
            c.blend(band * (c.ys > self.horizon), tone)
        if moving and self.boats:
            c.img = self.boats.over(c.img, pixels * SCALE)
        if self.front:
            c.img = self.front.over(c.img)
        return paint.down(c.img)


class BallClip:
    def __init__(self, scene, rng):
        place = None
        if rng.random() < .6:  # smaller and higher than nano-sd's, to leave space
            r = rng.uniform(15, 34)
            place = (rng.uniform(1.3 * r, 128 - 1.3 * r),
                     rng.uniform(1.3 * r, max(64, 1.3 * r + 4)), r)
        self.parts = paint.shape_parts(scene, rng, place)

    def frame(self, pixels, moving=True):
        ground, fig, shadow, mask = self.parts
        if not moving:
            return paint.down(ground)
        if shadow is not None:
            shadow = shift(shadow, 0, pixels * SCALE)
        return paint.join_shape(ground, fig, shadow, shift(mask, 0, pixels * SCALE))


def build(scene, rng):
    """A clip that generates frames."""
    return (BallClip if scene["kind"] == "shape" else LandClip)(scene, rng)


def _chunk(seed):
    """CHUNK scenes, each as two clips at two speeds."""
    rng = np.random.default_rng((72, seed))
    out = np.empty((CHUNK * 2, FRAMES, SIZE, SIZE, 3), np.uint8)
    metadata = []
    for k in range(CHUNK):
        kind = (KINDS + ["any"])[rng.choice(6, p=[.2, .2, .2, .2, .12, .08])]
        scene = random_scene(rng, kind, alone=kind != "any" and rng.random() < .45)
        clip, first = build(scene, rng), None
        slow, fast = rng.uniform(1, 128), rng.uniform(90, 255)
        for n, bucket in enumerate((round(slow), round(fast))):
            first = clip.frame(0) if first is None else first
            out[2 * k + n] = [first] + [clip.frame(travel(bucket, f)) for f in range(1, FRAMES)]
            metadata.append({**scene, "bucket": bucket})
    return seed, out, metadata


def write(args):
    args.out.mkdir(parents=True, exist_ok=True)
    chunks = args.count // CHUNK
    clips = np.lib.format.open_memmap(args.out / "clips.npy", "w+", np.uint8,
                                      (chunks * CHUNK * 2, FRAMES, SIZE, SIZE, 3))
    metadata = [None] * chunks
    with multiprocessing.Pool(args.workers) as pool:
        for seed, block, lines in pool.imap_unordered(_chunk, range(chunks)):
            clips[seed * CHUNK * 2:(seed + 1) * CHUNK * 2] = block
            metadata[seed] = lines
            print("chunk", seed, flush=True)
    clips.flush()
    with open(args.out / "clips.jsonl", "w") as out:
        out.writelines(json.dumps(line) + "\n" for line in sum(metadata, []))


def sheet(path, seed):
    rng, rows = np.random.default_rng(seed), []
    for n in range(14):
        kind = (KINDS + ["any"])[n % 6]
        scene = random_scene(rng, kind, alone=n < 5)
        clip = build(scene, rng)
        rows.append(np.concatenate([clip.frame(travel(127, f)) for f in range(FRAMES)] +
                                   [clip.frame(0, moving=False)], 1))
    Image.fromarray(np.concatenate(rows)).save(path)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--out", type=Path, help="the folder for the training clips")
    p.add_argument("--count", type=int, default=2500, help="scenes, two clips each")
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--sheet", type=Path, help="paint a sheet of examples instead")
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args()
    if args.sheet:
        sheet(args.sheet, args.seed)
    else:
        write(args)


if __name__ == "__main__":
    main()
