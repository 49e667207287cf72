"""Judges generated images: colours and shape by plain rules, landscapes by a small CNN.

The plain rules need no learned weights; README.md beside this file states them exactly.
"""
import functools
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import paint

TURNS = (-.16, -.08, 0.0, .08, .16)
CENTRE, RING = 6, 6  # half the side of the central square; the width of the border ring


def lab(rgb):
    """sRGB bytes (..., 3) to CIELAB under D65."""
    c = np.asarray(rgb, np.float64) / 255
    c = np.where(c <= .04045, c / 12.92, ((c + .055) / 1.055) ** 2.4)
    m = np.array([[.4124564, .3575761, .1804375], [.2126729, .7151522, .0721750],
                  [.0193339, .1191920, .9503041]])
    t = c @ m.T / np.array([.95047, 1.0, 1.08883])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]),
                     200 * (f[..., 1] - f[..., 2])], -1)


CENTROIDS = lab(np.array(list(paint.PALETTE.values())))


def nearest(rgb):
    return paint.COLOURS[int(((CENTROIDS - lab(rgb)) ** 2).sum(1).argmin())]


def regions(picture):
    """The mean colours of the centre and of the border ring."""
    h, w, _ = picture.shape
    centre = picture[h // 2 - CENTRE:h // 2 + CENTRE, w // 2 - CENTRE:w // 2 + CENTRE]
    ring = np.ones((h, w), bool)
    ring[RING:-RING, RING:-RING] = False
    return centre.reshape(-1, 3).mean(0), picture[ring].mean(0)


def figure(picture):
    """The pixels closer (in Lab) to the centre's colour than to the ring's."""
    centre, ring = (lab(c) for c in regions(picture))
    pixels = lab(picture)
    return ((pixels - centre) ** 2).sum(-1) < ((pixels - ring) ** 2).sum(-1)


@functools.lru_cache(maxsize=4096)
def template(shape, x, y, r, turn):
    return paint.figure_mask(shape, x, y, r, turn, scale=1) > .5


@functools.lru_cache(maxsize=None)
def unit_area(shape):
    """The area of an outline with radius 1."""
    xs, ys = np.array(paint.shape_outline(shape, 0, 0, 1, 0)).T
    return float(abs((xs * np.roll(ys, 1) - ys * np.roll(xs, 1)).sum()) / 2)


def shape_of(picture):
    """The shape whose outline, at the mask's centre and area, matches the mask best (IoU)."""
    mask = figure(picture)
    area = mask.sum()
    if area < 100:
        return "none", 0.0
    ys, xs = np.nonzero(mask)
    x, y, best = xs.mean() + .5, ys.mean() + .5, ("none", 0.0)
    for shape in paint.SHAPES:
        r = float(np.sqrt(area / unit_area(shape)))
        for turn in TURNS:
            t = template(shape, round(float(x), 1), round(float(y), 1), round(r, 1), turn)
            iou = (mask & t).sum() / (mask | t).sum()
            if iou > best[1]:
                best = (shape, float(iou))
    return best


def brightness(picture):
    return float((picture @ np.array([.2126, .7152, .0722])).mean())


def psnr(a, b):
    mse = ((a.astype(float) - b) ** 2).mean()
    return float(10 * np.log10(255 ** 2 / max(mse, 1e-9)))


class LandscapeNet(nn.Module):
    """Classifies setting and time of day of an image, at half its size."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for out in (24, 48, 64, 96):
            layers += [nn.Conv2d(width, out, 3, 2, 1), nn.BatchNorm2d(out), nn.ReLU()]
            width = out
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.setting, self.time = nn.Linear(4 * width, 7), nn.Linear(4 * width, 4)

    def forward(self, x):
        h = self.body(x)
        return self.setting(h), self.time(h)


def _input(pictures):
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return F.avg_pool2d(x, 2)


def train_landscapes(count=2000, steps=700, seed=5):
    """Trains the CNN on freshly painted images; the last 200 are for measuring."""
    rng, begin = np.random.default_rng(seed), time.time()
    torch.manual_seed(seed)
    scenes = [paint.random_scene(rng, "land") for _ in range(count)]
    x = _input([paint.paint(s, rng) for s in scenes])
    want = torch.tensor([[paint.SETTINGS.index(s["setting"]), paint.TIMES.index(s["time"])]
                         for s in scenes])
    net = LandscapeNet()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=.01)
    print(f"painted {count} in {time.time() - begin:.0f} s", flush=True)
    for step in range(steps):
        pick = torch.randint(0, count - 200, (64,))
        b = x[pick]
        if rng.random() < .5:  # generated images are softer than painted ones
            small = int(rng.integers(28, 56))
            b = F.interpolate(F.interpolate(b, size=small, mode="area"), size=64, mode="bilinear")
        if rng.random() < .5:
            b = b.flip(3)
        b = b * float(rng.uniform(.9, 1.1)) + torch.randn(len(b), 3, 1, 1) * .04
        b = b + torch.randn_like(b) * .03
        setting, hour = net(b)
        loss = F.cross_entropy(setting, want[pick, 0]) + F.cross_entropy(hour, want[pick, 1])
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * (1 - .95 * step / steps)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.eval()
    with torch.no_grad():
        predicted = torch.stack([o.argmax(1) for o in net(x[-200:])], 1)
    score = (predicted == want[-200:]).float().mean(0).tolist()
    print(f"landscape judge on unseen painted images: setting {score[0]:.3f}, "
          f"time {score[1]:.3f}", flush=True)
    return net


def landscape_judge(cache):
    path, net = Path(cache) / "landscape-judge.pt", LandscapeNet()
    if path.exists():
        net.load_state_dict(torch.load(path))
        return net.eval()
    net = train_landscapes()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), path)
    return net


@torch.no_grad()
def landscapes_of(net, pictures):
    setting, hour = (o.argmax(1).tolist() for o in net(_input(pictures)))
    return [(paint.SETTINGS[s], paint.TIMES[t]) for s, t in zip(setting, hour)]
