"""Paints the training images: shapes on plain grounds, and small landscapes.

`random_scene` draws an image's contents, `paint` paints it. Everything comes from one
`random.Random`-like numpy generator, so a seed determines the image.

As a program it paints a sheet of examples: python paint.py --sheet sheet.png
"""
import argparse
import math

import numpy as np
from PIL import Image, ImageDraw

SIZE = 128
SCALE = 2  # painted at twice the size, then downscaled by averaging
BIG = SIZE * SCALE

# The centre of each colour category in sRGB; the judges use the same centres.
PALETTE = {
    "red": (215, 35, 35), "green": (40, 160, 60), "blue": (35, 75, 210),
    "yellow": (248, 218, 45), "purple": (135, 45, 170), "orange": (248, 135, 25),
    "white": (244, 244, 242), "black": (22, 22, 24),
}
COLOURS = list(PALETTE)
SHAPES = ["circle", "square", "triangle", "star"]
TIMES = ["sunrise", "noon", "sunset", "night"]
SETTINGS = ["sea", "mountains", "city", "forest", "desert", "beach", "snow"]
OBJECTS = ["sun", "moon", "stars", "clouds", "boat", "mist", "birds", "palm", "cactus"]
# (figure, ground) pairs that are in no training image and in no training caption.
HELD_OUT = [("green", "purple"), ("orange", "blue"), ("white", "red"), ("purple", "yellow"),
            ("blue", "orange"), ("black", "green"), ("yellow", "black")]

# Sky at the top, in the middle and at the horizon; the light on the land.
SKY = {
    "sunrise": ((118, 160, 215), (246, 188, 190), (255, 232, 178)),
    "noon": ((52, 122, 222), (120, 186, 246), (206, 234, 252)),
    "sunset": ((72, 44, 112), (222, 88, 84), (255, 176, 70)),
    "night": ((7, 9, 30), (15, 21, 58), (34, 46, 98)),
}
LIGHT = {"sunrise": (1.0, .88, .86), "noon": (1.0, 1.0, 1.0),
         "sunset": (.82, .52, .45), "night": (.20, .26, .46)}
# The sun's extra height above the horizon over tall land.
LIFT = {"mountains": .20, "city": .20, "forest": .16, "snow": .06}


def random_scene(rng, kind):
    """The contents of an image of `kind` ("shape" or "land"), as a plain dict."""
    if kind == "shape":
        while True:
            fig, ground = (COLOURS[i] for i in rng.integers(0, 8, 2))
            if fig != ground and (fig, ground) not in HELD_OUT:
                return {"kind": kind, "fig": fig, "ground": ground,
                        "shape": SHAPES[rng.integers(4)]}
    time, setting = TIMES[rng.integers(4)], SETTINGS[rng.integers(7)]
    chance = {"clouds": .35, "mist": .22, "birds": .15 if time != "night" else 0}
    if time == "night":
        chance.update(moon=.55, stars=.6)
    else:
        chance.update(sun=.65)
    chance.update({"sea": {"boat": .55}, "beach": {"palm": .6, "boat": .3},
                   "desert": {"cactus": .55}}.get(setting, {}))
    return {"kind": kind, "time": time, "setting": setting,
            "objects": [o for o in OBJECTS if rng.random() < chance.get(o, 0)]}


def _shade(rgb, rng, amount):
    return np.clip(np.asarray(rgb, np.float32) + rng.normal(0, amount, 3), 0, 255)


def _noise(rng, cells, size=BIG):
    """Smooth noise of about -1..1: a small random grid, enlarged."""
    grid = rng.normal(0, .6, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((size, size), Image.BICUBIC))


def down(img):
    """The finished image: averaged to SIZE, as bytes."""
    img = np.clip(img, 0, 255).reshape(SIZE, SCALE, SIZE, SCALE, 3).mean((1, 3))
    return (img + .5).astype(np.uint8)


def shape_outline(shape, cx, cy, r, turn):
    """The corners of a figure with radius `r`; `turn` in radians."""
    if shape == "circle":
        n, radii = 48, [1.0]
    elif shape == "square":
        n, radii, turn = 4, [1.22], turn + math.pi / 4
    elif shape == "triangle":
        n, radii = 3, [1.25]
    else:
        n, radii = 10, [1.2, .52]
    return [(cx + r * radii[i % len(radii)] * math.sin(turn + 2 * math.pi * i / n),
             cy - r * radii[i % len(radii)] * math.cos(turn + 2 * math.pi * i / n))
            for i in range(n)]


def figure_mask(shape, cx, cy, r, turn=0.0, size=SIZE, scale=SCALE):
    img = Image.new("L", (size * scale, size * scale), 0)
    pts = [(x * scale, y * scale) for x, y in shape_outline(shape, cx, cy, r, turn)]
    ImageDraw.Draw(img).polygon(pts, fill=255)
    return np.asarray(img, np.float32) / 255


def shape_parts(scene, rng, place=None):
    """A shape image in parts: ground, figure, shadow mask (or None), figure mask.

    `place` (centre column, centre row, radius; in pixels) replaces the random one.
    """
    def hue(name):
        base = np.asarray(PALETTE[name], np.float32)
        if name == "white":
            return np.clip(base + rng.normal(0, 3, 3) - rng.uniform(-8, 26), 0, 255)
        if name == "black":
            return np.clip(base + rng.normal(0, 3, 3) + rng.uniform(-16, 26), 0, 255)
        return np.clip(base * rng.uniform(.82, 1.1) + rng.normal(0, 7, 3), 0, 255)

    ys, xs = np.mgrid[0:BIG, 0:BIG].astype(np.float32) / BIG - .5
    img = np.empty((BIG, BIG, 3), np.float32)
    img[:] = hue(scene["ground"])
    angle, slope = rng.uniform(0, 6.28), rng.uniform(0, 34)
    light = (xs * math.cos(angle) + ys * math.sin(angle)) * slope
    if rng.random() < .35:
        light = light + _noise(rng, int(rng.integers(4, 10))) * rng.uniform(2, 7)
    img += light[..., None]
    # The figure's size and place make much of the difference between two seeds of a prompt, so both
    # vary as far as the figure still covers the centre and leaves the border to the ground.
    r = rng.uniform(26, 45)
    stray = min(10, r * .52 - 6, 56 - r)
    cx, cy = 64 + rng.uniform(-stray, stray), 64 + rng.uniform(-stray, stray)
    if scene["shape"] == "triangle":
        cy += 5
    cx, cy, r = place or (cx, cy, r)
    turn = rng.uniform(-.16, .16)
    fig = np.empty_like(img)
    fig[:] = hue(scene["fig"])
    fig += (light * rng.uniform(-.8, .8))[..., None]
    shadow = None
    if rng.random() < .3:  # a soft shadow under the figure
        shadow = figure_mask(scene["shape"], cx + 2.5, cy + 3, r, turn)
    return img, fig, shadow, figure_mask(scene["shape"], cx, cy, r, turn)


def join_shape(ground, fig, shadow, mask):
    """Joins the parts from `shape_parts` to an image."""
    if shadow is not None:
        ground = ground * (1 - .25 * shadow[..., None])
    m = mask[..., None]
    return down(ground * (1 - m) + fig * m)


# ---------------------------------------------------------------- landscapes

class Canvas:
    """An image under construction: the pixels, the sky's colours, the light, the generator."""

    def __init__(self, time, rng):
        self.rng, self.time = rng, time
        # All nights are dark, and would hardly differ without this.
        exposure = rng.uniform(.75, 1.6) if time == "night" else rng.uniform(.9, 1.08)
        self.light = np.asarray(LIGHT[time], np.float32) * exposure
        self.sky = [_shade(np.multiply(c, exposure), rng, 7 if time != "night" else 4)
                    for c in SKY[time]]
        self.img = np.empty((BIG, BIG, 3), np.float32)
        self.xs = np.arange(BIG, dtype=np.float32) / BIG
        self.ys = self.xs[:, None]
        self.glow = None  # (x, colour) of the sun or moon, for reflections

    def lit(self, rgb, jitter=8):
        return _shade(rgb, self.rng, jitter) * self.light

    def far(self, rgb, haze):
        """A land colour seen through haze: 0 is near, 1 is the sky at the horizon."""
        return self.lit(rgb) * (1 - haze) + self.sky[2] * haze

    def blend(self, mask, rgb, area=(slice(None), slice(None))):
        """Blends a colour over the image (or a patch of it), with the mask as opacity."""
        target = self.img[area]
        target += (np.asarray(rgb, np.float32) - target) * np.asarray(mask, np.float32)[..., None]

    def below(self, line, rgb, foot=None):
        """Fills everything under the height line (fractions from the top)."""
        mask = np.clip((self.ys - line[None]) * BIG, 0, 1)
        if foot is not None:
            t = np.clip((self.ys - line.min()) / max(1 - line.min(), 1e-3), 0, 1)[..., None]
            rgb = np.asarray(rgb) * (1 - t) + np.asarray(foot) * t
        self.blend(mask, rgb)

    def patch(self, x0, y0, x1, y1):
        """The slices of the rows and columns that a box of fractions covers."""
        lo = [min(max(int(v * BIG) - 3, 0), BIG) for v in (y0, x0)]
        hi = [min(max(int(v * BIG) + 4, 0), BIG) for v in (y1, x1)]
        return slice(lo[0], hi[0]), slice(lo[1], hi[1])

    def poly(self, pts, rgb, alpha=1.0):
        xs, ys = zip(*pts)
        rows, cols = self.patch(min(xs), min(ys), max(xs), max(ys))
        h, w = rows.stop - rows.start, cols.stop - cols.start
        if h <= 0 or w <= 0:
            return
        img = Image.new("L", (w, h), 0)
        ImageDraw.Draw(img).polygon([(x * BIG - cols.start, y * BIG - rows.start)
                                     for x, y in pts], fill=255)
        self.blend(np.asarray(img, np.float32) * (alpha / 255), rgb, (rows, cols))

    def disc(self, x, y, r, rgb, soft=.006):
        area = self.patch(x - r - soft, y - r - soft, x + r + soft, y + r + soft)
        d = np.sqrt((self.xs[area[1]] - x) ** 2 + (self.ys[area[0]] - y) ** 2)
        self.blend(np.clip((r - d) / soft + .5, 0, 1), rgb, area)

    def wave_line(self, y, height, waves, rough=0.0):
        """A rolling horizontal line around `y`."""
        rng, line = self.rng, np.zeros(BIG, np.float32)
        for k in range(3):
            f = waves * (1.0, 1.9, 3.3)[k]
            line += np.sin(self.xs * f * 6.28 + rng.uniform(0, 6.28)) * (.6, .3, .15)[k]
        if rough:
            line += np.interp(self.xs * 40, np.arange(42), rng.normal(0, rough, 42))
        return (y + height * line).astype(np.float32)

    def peaks(self, y, height, count, rough=.1):
        """A jagged mountain line: tents with noisy flanks; also returns the tops."""
        rng = self.rng
        line = np.full(BIG, 1.0, np.float32)
        tops = []
        for k in range(count):
            x = (k + .5 + rng.uniform(-.3, .3)) / count
            h, w = height * rng.uniform(.6, 1.0), rng.uniform(.75, 1.0) / count
            tent = y - h * (1 - np.abs(self.xs - x) / w)
            line = np.minimum(line, tent)
            tops.append((x, y - h, w))
        n = np.interp(self.xs * 36, np.arange(38), rng.normal(0, rough * height, 38))
        return (np.minimum(line, y - .02) + n * .6).astype(np.float32), tops


def sun_place(c, setting, horizon):
    """A random place for the sun: (x, y, radius)."""
    rng, high = c.rng, c.time == "noon"
    x = rng.uniform(.18, .82)
    y = rng.uniform(.12, .22) if high else horizon - rng.uniform(.06, .16) - LIFT.get(setting, 0)
    return x, y, rng.uniform(.065, .085) if high else rng.uniform(.085, .12)


def draw_sun(c, x, y, r):
    rgb = {"sunrise": (255, 244, 190), "noon": (255, 250, 205), "sunset": (255, 226, 120)}[c.time]
    halo = {"sunrise": (255, 226, 170), "noon": (255, 252, 230), "sunset": (255, 150, 60)}[c.time]
    d = np.sqrt((c.xs[None] - x) ** 2 + (c.ys - y) ** 2)
    c.blend(.75 * np.exp(-(d / (r * 2.3)) ** 2), halo)
    c.disc(x, y, r, rgb)
    c.glow = (x, np.asarray(rgb, np.float32))


def moon_place(c):
    """A random place for the moon: (x, y, radius)."""
    rng = c.rng
    return rng.uniform(.15, .85), rng.uniform(.12, .26), rng.uniform(.065, .09)


def draw_moon(c, x, y, r):
    d = np.sqrt((c.xs[None] - x) ** 2 + (c.ys - y) ** 2)
    c.blend(.4 * np.exp(-(d / (r * 2.4)) ** 2), (120, 135, 190))
    c.disc(x, y, r, (240, 238, 218))
    c.disc(x - r * .3, y - r * .2, r * .22, (214, 212, 196))
    c.disc(x + r * .3, y + r * .3, r * .18, (218, 216, 200))
    c.glow = (x, np.asarray((215, 215, 215), np.float32))


def cloud_places(c, horizon):
    """Random clouds, each (x, y, width, [puffs as (x, y, radius)])."""
    rng = c.rng
    for _ in range(rng.integers(2, 5)):
        x, y = rng.uniform(.05, .95), rng.uniform(.08, max(.12, horizon * .62))
        w = rng.uniform(.11, .18)
        puffs = [(x + rng.uniform(-1, 1) * w, y - rng.uniform(0, .35) * w, w * rng.uniform(.28, .48))
                 for _ in range(7)]
        yield x, y, w, puffs


def draw_cloud(c, x, y, w, puffs, drift=0.0):
    """A cloud, moved to the right by `drift`."""
    rgb = {"sunrise": (255, 226, 214), "noon": (255, 255, 255),
           "sunset": (250, 140, 105), "night": (62, 70, 112)}[c.time]
    area = c.patch(x + drift - 1.6 * w, y - .9 * w, x + drift + 1.6 * w, y + .4 * w)
    mask = np.float32(0)
    for px, py, pr in puffs:
        d = np.sqrt((c.xs[area[1]] - px - drift) ** 2 + ((c.ys[area[0]] - py) * 1.35) ** 2)
        mask = np.maximum(mask, np.clip((pr - d) / .03 + .5, 0, 1))
    mask *= np.clip((y + w * .22 - c.ys[area[0]]) / .03, 0, 1)
    c.blend(mask * .92, rgb, area)


def sky(c, scene, horizon):
    """Only the sky, with its stars."""
    rng = c.rng
    t = np.clip(c.ys / horizon, 0, 1)
    low, high = np.clip(t * 2 - 1, 0, 1)[..., None], np.clip(t * 2, 0, 1)[..., None]
    c.img[:] = (c.sky[0] * (1 - high) + c.sky[1] * high) * (1 - low) + c.sky[2] * low
    if "stars" in scene["objects"]:
        for _ in range(rng.integers(14, 26)):
            x, y = rng.random(), rng.random() * horizon * .85
            c.disc(x, y, rng.uniform(.008, .015), (255, 250, 225), .008)


def paint(scene, rng):
    """Paints a scene; returns an array of 128x128x3 bytes."""
    if scene["kind"] == "shape":
        return join_shape(*shape_parts(scene, rng))
    import land
    c = Canvas(scene["time"], rng)
    horizon = land.HORIZON[scene["setting"]] + rng.uniform(-.04, .04)
    sky(c, scene, horizon)
    if "sun" in scene["objects"]:
        draw_sun(c, *sun_place(c, scene["setting"], horizon))
    if "moon" in scene["objects"]:
        draw_moon(c, *moon_place(c))
    if "clouds" in scene["objects"]:
        for cloud in cloud_places(c, horizon):
            draw_cloud(c, *cloud)
    land.PAINTERS[scene["setting"]](c, scene, horizon)
    land.extras(c, scene, horizon)
    return down(c.img)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--sheet", default="sheet.png", help="the output file of the examples")
    p.add_argument("--seed", type=int, default=0)
    args = p.parse_args()
    rng = np.random.default_rng(args.seed)
    rows = []
    for time in TIMES:
        row = []
        for setting in SETTINGS:
            scene = random_scene(rng, "land")
            while (scene["time"], scene["setting"]) != (time, setting):
                scene = random_scene(rng, "land")
            row.append(paint(scene, rng))
        rows.append(np.concatenate(row, 1))
    for _ in range(2):
        rows.append(np.concatenate([paint(random_scene(rng, "shape"), rng)
                                    for _ in range(len(SETTINGS))], 1))
    Image.fromarray(np.concatenate(rows)).save(args.sheet)


if __name__ == "__main__":
    main()
