"""Writes the goldens of videos of scenes: pictures between two prompts, made by diffusers' pipeline on the tiny model of pipelines.py.

A case is a short video of two scenes: the first scene's picture, n between, the second's. The picture at position t has slerp(noise of the
first seed, noise of the second, t) as latents and (1 - t) of the first texts' states and t of the second's as prompt_embeds and
negative_prompt_embeds, as diffusers' community pipeline `interpolate_stable_diffusion` walks; t is (i + 1) / (n + 1). The script refuses
to write pictures that are not lively, or that hardly depend on what is mixed.
"""

import argparse

import numpy as np
import torch
from common import save, shapes
from PIL import Image
from pipelines import MODEL, NEGATIVE, Models, case, make, psnr
from transformers import CLIPTokenizer

# Two directions whose cosine is nearer to one than this are taken for one.
DOT_THRESHOLD = 0.9995

SMALL = {"width": 64, "height": 48, "steps": 6}
DARK = {"prompt": "snow on a black hill at night", "negative_prompt": NEGATIVE}


def video(frames: int = 3, size: tuple[int, int] = (64, 48), second: dict = {}, **both) -> dict:
    """Two scenes that share all but the prompts and what `second` says; `frames` between them; the video's width and height."""
    first = case(**{**SMALL, **both})
    return {"scenes": [first, {**first, **DARK, **second}], "frames": frames, "size": size}


OTHER = {"seed": 29}
CASES = {
    f"{scheduler}.{guidance}.{seeds}": video(scheduler=scheduler, guidance_scale=scale, second=second)
    for scheduler in ["ddim", "euler"]
    for guidance, scale in [("guided", 5.0), ("unguided", 1.0)]
    for seeds, second in [("same_seed", {}), ("other_seed", OTHER)]
}
CASES |= {
    # The steps, the scheduler and the guidance scale between two scenes are the first one's; the texts are each as its own scene has them.
    "own.scenes_that_differ": video(
        4, negative_prompt="blue", second={**OTHER, "steps": 5, "guidance_scale": 3.0, "scheduler": "euler", "clip_skip": 1}
    ),
    # Three pictures at 1/4, 1/2 and 3/4 in the cases above; here one, and two.
    "heun.one_between": video(1, scheduler="heun", steps=4, second=OTHER),
    "dpmpp_2m.two_between": video(2, scheduler="dpmpp-2m", second=OTHER),
    # Sizes at which every Pillow resizes rows first: from 13 on it begins with the columns where the height shrinks much more.
    "euler.enlarged": video(2, (90, 60), scheduler="euler", second=OTHER),
    "euler.narrowed": video(1, (33, 90), scheduler="euler", second=OTHER),
}  # fmt: skip


def slerp(start: np.ndarray, end: np.ndarray, t: float) -> np.ndarray:
    """Along the great circle; along the line where the two hardly differ in direction."""
    cosine = np.sum(start * end / (np.linalg.norm(start) * np.linalg.norm(end)))
    if np.abs(cosine) > DOT_THRESHOLD:
        return (1 - t) * start + t * end
    angle = np.arccos(cosine)
    return np.sin((1 - t) * angle) / np.sin(angle) * start + np.sin(t * angle) / np.sin(angle) * end


def noise(call: dict) -> np.ndarray:
    shape = (1, 4, call["height"] // 8, call["width"] // 8)
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(call["seed"])).numpy()


def between(models: Models, first: dict, second: dict, t: float, negative_t: float | None = None) -> np.ndarray:
    """The picture at t on the way from one call to another; the negative texts may stand elsewhere."""
    pipeline = models.pipeline("StableDiffusionPipeline", first)
    guided = first["guidance_scale"] > 1
    states = [
        pipeline.encode_prompt(call["prompt"], "cpu", 1, guided, call["negative_prompt"], clip_skip=call["clip_skip"] or None)
        for call in [first, second]
    ]
    (prompt, negative), (to_prompt, to_negative) = states
    mixed = torch.lerp(negative, to_negative, t if negative_t is None else negative_t) if guided else None
    return np.array(
        pipeline(
            latents=torch.from_numpy(slerp(noise(first), noise(second), t)), prompt_embeds=torch.lerp(prompt, to_prompt, t),
            negative_prompt_embeds=mixed, width=first["width"], height=first["height"], num_inference_steps=first["steps"],
            guidance_scale=first["guidance_scale"],
        ).images[0]
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--look", metavar="FOLDER", help="write each video as a row of pictures there too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    models = Models(CLIPTokenizer.from_pretrained(MODEL / "tokenizer"), torch.float32)
    tensors, faults = {}, []
    with torch.no_grad():
        for name, video in CASES.items():
            first, second = video["scenes"]
            places = [(i + 1) / (video["frames"] + 1) for i in range(video["frames"])]
            made = [between(models, first, second, t) for t in places]
            ends = [make(models, "StableDiffusionPipeline", call, ()) for call in [first, second]]
            # What a picture between owes to each thing that is mixed.
            middle, t = made[len(made) // 2], places[len(made) // 2]
            owes = {"prompt": psnr(middle, between(models, first, {**second, "prompt": first["prompt"]}, t))}
            if first["guidance_scale"] > 1:
                owes["negative prompt"] = psnr(middle, between(models, first, second, t, negative_t=0.0))
            if first["seed"] != second["seed"]:
                owes["place"] = psnr(middle, between(models, first, second, t + 0.1))
                owes["noise"] = psnr(middle, between(models, first, {**second, "seed": first["seed"]}, t))
            print(f"{name}: deviation {middle.std():.1f}, another {', another '.join(f'{key} {value:.1f} dB' for key, value in owes.items())}")
            # Without guidance the tiny model's texts weigh little; a test that wants 60 dB sees them all the same.
            if middle.std() < 30 or max(owes.values()) > (50 if first["guidance_scale"] > 1 else 57):
                faults.append(name)
            frames = [Image.fromarray(frame).resize(video["size"], Image.LANCZOS) for frame in [ends[0], *made, ends[1]]]
            tensors[name] = torch.from_numpy(np.stack([np.array(frame) for frame in frames]))
            if options.look:
                Image.fromarray(np.concatenate(list(tensors[name].numpy()), axis=1)).save(f"{options.look}/{name}.png")
    if faults:
        raise SystemExit(f"not lively: {', '.join(faults)}")
    parts = {"text_encoder": models.text_encoder, "vae": models.vae, **{f"unet{key}": unet for key, unet in sorted(models.unets.items())}}
    save("pipelines", "scenes", tensors, videos=CASES, shapes={part: shapes(model) for part, model in parts.items()})


if __name__ == "__main__":
    main()
