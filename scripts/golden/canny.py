"""The golden of an image's edges: OpenCV's own, of the image that pipelines.py starts from and of a noisy one.

OpenCV is not among the packages of the other scripts: `pip install opencv-python-headless`.

    python scripts/golden/canny.py
"""

import json

import cv2
import numpy as np
import torch
from common import save
from PIL import Image, ImageDraw


def images() -> dict[str, np.ndarray]:
    """As in pipelines.py, which needs diffusers; and one whose every pixel differs from its neighbours."""
    width, height = 120, 80
    y, x = np.mgrid[0:height, 0:width]
    ground = np.stack([x * 255 / width, y * 255 / height, 128 + 100 * np.sin(x / 9 + y / 5)], axis=-1)
    shapes = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(shapes)
    draw.ellipse((20, 15, 65, 60), fill=(230, 40, 30))
    draw.rectangle((80, 30, 110, 70), fill=(20, 60, 210))
    noise = np.random.default_rng(5).integers(0, 256, (47, 61, 3), dtype=np.uint8)
    return {"shapes": np.array(shapes), "noise": noise, "smooth": cv2.GaussianBlur(noise, (0, 0), 2.0)}


def main() -> None:
    tensors = {}
    for name, image in images().items():
        tensors[name] = torch.from_numpy(image)
        for low, high in [(100, 200), (40, 90), (250.5, 120), (0, 0)]:
            edges = cv2.Canny(image, low, high)
            tensors[f"{name}.{low}.{high}"] = torch.from_numpy(edges)
            print(f"{name} {low} {high}: {np.mean(edges > 0):.1%} edges")
    save("canny", "edges", tensors, opencv=json.dumps(cv2.__version__))


if __name__ == "__main__":
    main()
