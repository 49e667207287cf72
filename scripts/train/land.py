"""The seven landscapes, painted onto a `paint.Canvas`."""
import numpy as np

HORIZON = {"sea": .55, "mountains": .62, "city": .72, "forest": .58, "desert": .58,
           "beach": .46, "snow": .56}


def _water(c, top, foot, near, bottom=1.0):
    """Water from the line `top` down: the sky's colour, darker towards the front, with glints."""
    rng = c.rng
    horizon = float(np.min(top))
    far = c.sky[2] * .45 + c.lit(foot) * .55
    c.below(top, far, c.lit(near))
    for _ in range(rng.integers(14, 22)):  # long thin waves
        y = horizon + (bottom - horizon) * rng.random() ** .8
        depth = (y - horizon) / (1 - horizon)
        x, w, h = rng.random(), rng.uniform(.06, .2) * (.5 + depth), .004 + .006 * depth
        tone = c.sky[1] if rng.random() < .6 else c.lit(near) * .8
        area = c.patch(x - 1.1 * w, y - 1.1 * h, x + 1.1 * w, y + 1.1 * h)
        d = ((c.xs[area[1]] - x) / w) ** 2 + ((c.ys[area[0]] - y) / h) ** 2
        c.blend(np.clip(1.2 - d, 0, .45), tone, area)
    if c.glow is not None:
        x, rgb = c.glow
        depth = np.clip((c.ys - horizon) / (1 - horizon), 0, 1)
        width = .035 + .07 * depth
        ripple = .6 + .4 * np.sin(c.ys * 150 + np.sin(c.xs[None] * 40 + c.ys * 60) * 1.5)
        column = np.exp(-((c.xs[None] - x) / width) ** 2) * ripple * (c.ys > horizon)
        c.blend(column * .6 * (c.ys < bottom), rgb)


def boat_places(rng, setting, horizon):
    """Positions of boats, each (x, y, size)."""
    if setting == "beach":
        yield rng.uniform(.2, .7), horizon + .07, rng.uniform(.09, .12)
        return
    for k in range(rng.integers(1, 3)):
        x = rng.uniform(.18, .42) + (.42 if rng.random() < .5 else 0) if k == 0 else \
            rng.uniform(.1, .9)
        s = rng.uniform(.13, .17) if k == 0 else rng.uniform(.06, .08)
        yield x, horizon + (.24 if k == 0 else .06) * rng.uniform(.8, 1.2), s


def draw_boat(c, x, y, s):
    hull = c.lit((120, 62, 36), 5) * .9
    sail = np.maximum(c.lit((250, 246, 236), 3), 60)
    c.poly([(x - s, y - .16 * s), (x + s, y - .16 * s), (x + .68 * s, y + .28 * s),
            (x - .68 * s, y + .28 * s)], hull)
    c.poly([(x + .05 * s, y - 1.75 * s), (x + .05 * s, y - .24 * s),
            (x + .95 * s, y - .24 * s)], sail)
    c.poly([(x - .07 * s, y - 1.5 * s), (x - .07 * s, y - .24 * s),
            (x - .75 * s, y - .24 * s)], sail * .88)


def sea(c, scene, horizon):
    _water(c, np.full(256, horizon, np.float32), (60, 130, 180), (14, 62, 118))
    if "boat" in scene["objects"]:
        for boat in boat_places(c.rng, "sea", horizon):
            draw_boat(c, *boat)


def mountains(c, scene, horizon):
    rng = c.rng
    line, _ = c.peaks(horizon + .06, .26, 4)
    c.below(line, c.far((112, 128, 160), .55), c.sky[2])
    line, tops = c.peaks(horizon + .16, .42, 2 + int(rng.integers(0, 2)), .07)
    rock = c.far((104, 100, 112), .15)
    c.below(line, rock, c.far((70, 92, 84), .2))
    cap = np.maximum(c.lit((250, 250, 255), 3), c.sky[2] * .5)
    wig = np.interp(c.xs * 30, np.arange(32), rng.normal(0, .02, 32))
    under = np.clip((c.ys - line[None]) * 256, 0, 1)
    for x, top, w in tops:
        drop = np.clip(((top + .13 + wig[None]) - c.ys) * 128, 0, 1)
        c.blend(under * drop * (np.abs(c.xs[None] - x) < w), cap)
        side = under * (c.xs[None] > x + (c.ys - top) * .18) * (np.abs(c.xs[None] - x) < w * .8)
        c.blend(side * .22, (20, 20, 45))  # the side facing away from the light
    hill = c.wave_line(.84, .03, 1.2)
    c.below(hill, c.lit((84, 138, 70)), c.lit((48, 96, 46)))
    for x in rng.random(rng.integers(4, 9)):
        _pine(c, x, float(hill[int(x * 255)]) + rng.uniform(.02, .09), rng.uniform(.07, .12),
              c.lit((30, 82, 54)))


def _pine(c, x, y, s, rgb, snow=None):
    c.poly([(x - .05 * s, y - .2 * s), (x + .05 * s, y - .2 * s), (x + .05 * s, y),
            (x - .05 * s, y)], rgb * .6)
    for k in range(3):
        top, half = y - s * (1 - .24 * k), s * (.2 + .08 * k)
        foot = top + s * .42
        c.poly([(x, top), (x + half, foot), (x - half, foot)], rgb * (1 - .06 * k))
        if snow is not None:
            c.poly([(x, top), (x + half * .62, top + s * .26), (x, top + s * .2),
                    (x - half * .62, top + s * .26)], snow)


def city(c, scene, horizon):
    rng, night = c.rng, c.time == "night"
    for layer in range(2):
        x = -.03
        while x < 1:
            w = rng.uniform(.09, .15)
            top = horizon - rng.uniform(.14, .38 if layer else .46)
            if layer == 0:
                rgb = c.far((128, 134, 156), .5)
            else:
                pick = ((92, 98, 122), (134, 112, 106), (78, 92, 108), (150, 140, 132))
                rgb = c.far(pick[rng.integers(4)], .06)
            c.poly([(x, top), (x + w, top), (x + w, 1), (x, 1)], rgb)
            if layer:
                c.poly([(x + w * .72, top), (x + w, top), (x + w, 1), (x + w * .72, 1)], rgb * .8)
                lamp = np.asarray((255, 214, 110), np.float32)
                dark = rgb * .62 if c.time == "noon" else rgb * .55
                chance = {"night": .6, "sunset": .4, "sunrise": .25, "noon": 0}[c.time]
                for wy in np.arange(top + .035, horizon - .03, .058):
                    for wx in np.arange(x + .018, x + w * .66 - .02, .038):
                        tone = lamp if rng.random() < chance else dark
                        c.poly([(wx, wy), (wx + .021, wy), (wx + .021, wy + .03),
                                (wx, wy + .03)], tone)
            x += w + (rng.uniform(-.02, .02) if layer == 0 else rng.uniform(.0, .035))
    if rng.random() < .5:
        flat = np.full(256, horizon + .02, np.float32)
        _water(c, flat, (88, 120, 150), (30, 58, 96))
    else:
        c.below(np.full(256, horizon + .02, np.float32), c.lit((98, 98, 104)), c.lit((62, 62, 70)))
        y = horizon + .15
        for x in np.arange(rng.uniform(-.1, .05), 1, .17):
            c.poly([(x, y), (x + .09, y), (x + .085, y + .022), (x - .005, y + .022)],
                   c.lit((235, 225, 190)))
    if night:
        glow = np.exp(-np.abs(c.ys - horizon) / .05) * np.ones((1, 256), np.float32)
        c.blend(glow * .22, (255, 180, 90))


def forest(c, scene, horizon):
    rng = c.rng
    c.below(c.wave_line(horizon - .06, .03, 2.5), c.far((70, 112, 92), .5))
    c.below(c.wave_line(horizon + .04, .02, 1.5), c.far((76, 130, 70), .12),
            c.lit((44, 86, 40)))
    if rng.random() < .5:  # a path
        x, b = rng.uniform(.4, .6), rng.uniform(.3, .7)
        c.poly([(x - .015, horizon + .06), (x + .015, horizon + .06), (b + .16, 1), (b - .16, 1)],
               c.lit((176, 148, 104)))
    for row in range(3):
        count = (9, 7, 5)[row]
        for k in rng.permutation(count):
            x = (k + .5 + rng.uniform(-.3, .3)) / count
            if row == 2 and abs(x - .5) < .17:
                continue
            y = horizon + (.06, .16, .34)[row] + rng.uniform(-.02, .03)
            s = (.26, .36, .55)[row] * rng.uniform(.85, 1.15)
            rgb = c.far((34, 98 + 18 * rng.random(), 52), (.38, .18, .0)[row])
            if rng.random() < .68:
                _pine(c, x, y, s, rgb)
            else:
                c.poly([(x - .03 * s, y - .5 * s), (x + .03 * s, y - .5 * s), (x + .04 * s, y),
                        (x - .04 * s, y)], c.far((96, 66, 44), .1))
                for dx, dy, r in ((-.16, -.5, .2), (.16, -.5, .2), (0, -.68, .24)):
                    c.disc(x + dx * s, y + dy * s, r * s, rgb * rng.uniform(.95, 1.15))


def desert(c, scene, horizon):
    rng = c.rng
    if rng.random() < .35:  # distant pyramids or mesas
        x, s = rng.uniform(.2, .8), rng.uniform(.14, .2)
        rgb = c.far((206, 162, 104), .25)
        c.poly([(x, horizon - s), (x + s, horizon + .03), (x - s, horizon + .03)], rgb)
        c.poly([(x, horizon - s), (x + s, horizon + .03), (x + .2 * s, horizon + .03)], rgb * .78)
    for k, (y, haze) in enumerate(((0, .35), (.11, .15), (.24, 0))):
        line = c.wave_line(horizon + y, .035, .8 + .2 * k)
        c.below(line, c.far((236, 190, 118), haze), c.far((206, 148, 82), haze))
        shift = np.roll(line, int(rng.integers(20, 60)))
        shade = np.clip((c.ys - line[None]) * 256, 0, 1) * np.clip((shift[None] - c.ys) * 60, 0, 1)
        c.blend(shade * .4, c.far((150, 92, 58), haze))
    if "cactus" in scene["objects"]:
        for k in range(rng.integers(1, 3)):
            x = rng.uniform(.12, .88)
            y, s = horizon + rng.uniform(.22, .36), rng.uniform(.24, .36)
            rgb, w = c.lit((52, 128, 66)), .075 * s / .3
            for x0, y0, x1, y1 in ((-.5, -1, .5, 0), (-1.9, -.72, -1.1, -.38),
                                   (-1.9, -.5, 0, -.38), (1.1, -.85, 1.9, -.48),
                                   (0, -.6, 1.9, -.48)):
                c.poly([(x + x0 * w, y + y0 * s), (x + x1 * w, y + y0 * s),
                        (x + x1 * w, y + y1 * s), (x + x0 * w, y + y1 * s)], rgb)
            c.disc(x, y - s, w * .5, rgb)


def beach(c, scene, horizon):
    rng = c.rng
    _water(c, np.full(256, horizon, np.float32), (90, 190, 205), (50, 170, 190), horizon + .3)
    if "boat" in scene["objects"]:
        draw_boat(c, *next(boat_places(rng, "beach", horizon)))
    side = rng.choice([-1, 1])
    line = c.wave_line(.72, .018, 1.0) + side * (c.xs - .5) * rng.uniform(.05, .22)
    c.below(line - .022, c.far((250, 252, 250), .15))
    c.below(line + .012, c.lit((202, 172, 122)))
    c.below(line + .05, c.lit((244, 218, 160)), c.lit((226, 188, 124)))
    if "palm" in scene["objects"]:
        left = rng.random() < .5
        for k in range(rng.integers(1, 3)):
            x = rng.uniform(.06, .26) + .13 * k
            lean, s = rng.uniform(.06, .18), rng.uniform(.5, .66) - .14 * k
            x, lean = (x, lean) if left else (1 - x, -lean)
            y = .92 - .05 * k
            trunk, leaf = c.lit((122, 84, 52)), c.lit((40, 120, 56))
            for t in np.linspace(0, 1, 30):
                c.disc(x + lean * t * t, y - s * t, .018 - .006 * t, trunk)
            tx, ty = x + lean, y - s
            for a in np.linspace(-2.7, -.44, 6) + rng.uniform(-.12, .12, 6):
                ex, ey = tx + np.cos(a) * .2, ty + np.sin(a) * .09 + .07
                mx, my = tx + np.cos(a) * .11, ty + np.sin(a) * .13 - .015
                c.poly([(tx, ty), (mx, my - .025), (ex, ey), (mx, my + .03)], leaf)


def snow(c, scene, horizon):
    rng = c.rng
    white, blue = (246, 249, 255), (196, 212, 236)
    c.below(c.wave_line(horizon - .05, .035, 1.1), c.far(blue, .45))
    c.below(c.wave_line(horizon + .06, .03, .9), c.far(white, .1), c.lit(blue))
    cap = np.minimum(c.lit((255, 255, 255), 2) * 1.12, 255)
    for row in range(2):
        for k in range(rng.integers(3, 6)):
            x = rng.random()
            if row and .3 < x < .7:
                continue
            _pine(c, x, horizon + (.12, .3)[row] + rng.uniform(-.03, .05),
                  (.22, .38)[row] * rng.uniform(.85, 1.15), c.lit((44, 92, 84)), cap)
    c.below(c.wave_line(.86, .03, .8), c.lit(white, 3), c.lit(blue, 3))
    if rng.random() < .35:  # a cabin with a lamp in the window
        x, y, s = rng.uniform(.32, .68), horizon + rng.uniform(.2, .26), .1
        c.poly([(x - s, y - s), (x + s, y - s), (x + s, y), (x - s, y)], c.lit((124, 78, 50)))
        c.poly([(x - 1.3 * s, y - .9 * s), (x, y - 1.8 * s), (x + 1.3 * s, y - .9 * s)], cap * .97)
        lamp = (255, 214, 110) if c.time != "noon" else tuple(c.lit((90, 110, 130)))
        c.poly([(x + .1 * s, y - .72 * s), (x + .6 * s, y - .72 * s), (x + .6 * s, y - .28 * s),
                (x + .1 * s, y - .28 * s)], lamp)
    if rng.random() < .4:  # falling snow
        for _ in range(rng.integers(18, 30)):
            c.disc(rng.random(), rng.random(), rng.uniform(.007, .013),
                   np.maximum(c.lit((255, 255, 255), 2), 120), .008)


PAINTERS = {"sea": sea, "mountains": mountains, "city": city, "forest": forest,
            "desert": desert, "beach": beach, "snow": snow}


def extras(c, scene, horizon):
    """Birds and mist, which any setting can have."""
    rng, objects = c.rng, scene["objects"]
    if "birds" in objects:
        for _ in range(rng.integers(3, 6)):
            x, y, s = rng.uniform(.1, .9), rng.uniform(.08, horizon * .6), rng.uniform(.04, .06)
            ink = c.sky[0] * .25
            c.poly([(x, y), (x - s, y - .55 * s), (x - .5 * s, y - .1 * s), (x, y + .28 * s)], ink)
            c.poly([(x, y), (x + s, y - .55 * s), (x + .5 * s, y - .1 * s), (x, y + .28 * s)], ink)
    if "mist" in objects:
        tone = c.sky[2] * .55 + np.asarray({"night": (120, 128, 150)}.get(
            c.time, (245, 240, 240)), np.float32) * .45
        for k in range(3):
            y = horizon + (-.03, .1, .24)[k] + rng.uniform(-.04, .04)
            wave = y + .02 * np.sin(c.xs[None] * rng.uniform(4, 9) + rng.uniform(0, 6.28))
            band = np.exp(-((c.ys - wave) / rng.uniform(.06, .09)) ** 2)
            c.blend(band * rng.uniform(.6, .8), tone)
