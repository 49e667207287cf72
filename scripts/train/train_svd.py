"""The video model's stages: encodes the clips, then trains the UNet on them.

The latents are those of nano-sd's autoencoder; this model's own autoencoder is trained to share
them (train_svd_vae.py). A clip follows from its first frame and the motion bucket, so the noisiest
steps, where only these two are visible, must be learned: they are drawn often.

python train_svd.py --work WORK --model ../../models/nano-sd --encode
python train_svd.py --work WORK --minutes 70
"""
import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.pipelines.stable_video_diffusion import pipeline_stable_video_diffusion as svd
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

import common
import temporal
import train_text
import train_vae

VIEWS = 2  # encoded noisy first frames per clip


def vision():
    """The image encoder: random, always the same, with embeddings of about unit size."""
    torch.manual_seed(7)
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**temporal.VISION)).eval()
    with torch.no_grad():
        model.visual_projection.weight.normal_(0, temporal.VISION["hidden_size"] ** -.5)
    return model.half().float()  # as it is stored


@torch.no_grad()
def embed(model, pictures):
    """Image embeddings of images (N, rows, columns, 3) in bytes, computed as in the pipeline."""
    x = svd._resize_with_antialiasing(train_vae.tensor(pictures).contiguous(), (224, 224))
    x = CLIPImageProcessor()(images=(x + 1) / 2, do_normalize=True, do_center_crop=False,
                             do_resize=False, do_rescale=False, return_tensors="pt").pixel_values
    return model(x).image_embeds


def _encode(rank, args):
    os.setsid()  # its own scheduling group
    common.start(rank, 1, args.work)
    vae = AutoencoderKL.from_pretrained(args.model / "vae").float().eval()
    vae = common.fast_norms(vae)
    clips, see = np.load(args.work / "clips.npy", mmap_mode="r"), vision()
    part = np.array_split(np.arange(min(args.first, len(clips))), args.ranks)[rank]
    latents, views, augs, embeds = [], [], [], []

    def encoded(x):
        return vae.encode(x).latent_dist.mean.numpy().astype(np.float16)

    with torch.inference_mode():
        for k in range(0, len(part), 4):
            block = np.array(clips[part[k:k + 4]])
            n, frames = block.shape[:2]
            z = encoded(train_vae.tensor(block.reshape(-1, *block.shape[2:])))
            latents.append(z.reshape(n, frames, *z.shape[1:]))
            first = train_vae.tensor(block[:, 0]).repeat_interleave(VIEWS, 0)
            aug = torch.rand(len(first)) ** 1.5 * .08
            noisy = encoded(first + aug.view(-1, 1, 1, 1) * torch.randn_like(first))
            views.append(noisy.reshape(n, VIEWS, *noisy.shape[1:]))
            augs.append(aug.view(n, VIEWS).numpy())
            embeds.append(embed(see, block[:, 0]).numpy())
            if rank == 0 and k % 200 == 0:
                print(f"{k} of {len(part)}", flush=True)
    np.savez(args.work / f"motion.{rank}.npz", latents=np.concatenate(latents),
             views=np.concatenate(views), augs=np.concatenate(augs), embeds=np.concatenate(embeds))


def encode(args):
    torch.multiprocessing.spawn(_encode, (args,), nprocs=args.ranks)
    parts = [np.load(args.work / f"motion.{r}.npz") for r in range(args.ranks)]
    for key in parts[0].files:
        np.save(args.work / f"motion-{key}.npy", np.concatenate([p[key] for p in parts]))
    scale = json.loads((args.model / "vae" / "config.json").read_text())["scaling_factor"]
    (args.work / "scale.json").write_text(json.dumps({"scaling_factor": scale}))


class Data:
    def __init__(self, args, rank):
        def read(name):
            return np.load(args.work / f"motion-{name}.npy")

        self.latents, self.views, self.augs, self.embeds = map(
            read, ("latents", "views", "augs", "embeds"))
        with open(args.work / "clips.jsonl") as lines:
            self.buckets = np.array([json.loads(line)["bucket"] for line in lines], np.float32)
        self.scale = json.loads((args.work / "scale.json").read_text())["scaling_factor"]
        self.rng, self.batch = np.random.default_rng((int(time.time()), rank)), args.batch

    def next(self):
        rng, n = self.rng, self.batch
        pick = rng.integers(0, len(self.latents), n)
        view = rng.integers(0, VIEWS, n)
        z = torch.from_numpy(self.latents[pick].astype(np.float32)) * self.scale
        image = torch.from_numpy(self.views[pick, view].astype(np.float32))
        # The rate has no effect: a clip's speed depends only on its bucket.
        rate = np.where(rng.random(n) < .6, 6, rng.integers(0, 31, n))
        ids = np.stack([rate, self.buckets[pick], self.augs[pick, view]], 1)
        return (z, image, torch.from_numpy(self.embeds[pick])[:, None],
                torch.from_numpy(ids.astype(np.float32)))


def draw_sigmas(n, top):
    """Noise levels: log-normal about e, and a share `top` evenly from the noisiest."""
    s = (torch.randn(n) * 1.6 + 1.0).exp()
    high = (np.log(8) + (np.log(temporal.SIGMA_MAX) - np.log(8)) * torch.rand(n)).exp()
    return torch.where(torch.rand(n) < top, high, s).clamp(temporal.SIGMA_MIN,
                                                           temporal.SIGMA_MAX)


def predict(unet, noisy, sigma, image, embeds, ids):
    """The UNet's v for noisy latents (clip, frame, ..) at one noise level per clip."""
    s = sigma.view(-1, 1, 1, 1, 1)
    known = image[:, None].expand(-1, noisy.shape[1], -1, -1, -1)
    x = torch.cat([noisy / (s * s + 1).sqrt(), known], 2)
    return unet(x, .25 * sigma.log(), embeds, ids).sample.float()


def moving(z):
    """The changing parts of a clip, in 0..1, the same for all of its frames."""
    d = (z - z[:, :1]).abs().amax((1, 2), keepdim=True)
    return (d * 2).clamp(max=1)


def worker(rank, args):
    common.start(rank, args.ranks, args.work)
    source, unet = Data(args, rank), temporal.unet()
    params = list(unet.parameters())
    optimiser = torch.optim.AdamW(params, lr=args.lr, betas=(.9, .99), weight_decay=.01, fused=True)
    ema = common.Ema({"unet": unet}, args.ema)
    path, gone = args.work / "unet.pt", 0.0
    if args.resume or args.again:
        point = torch.load(path)
        unet.load_state_dict(point["unet"])
        ema.state, ema.step = point["ema"], point["step"]
        optimiser.load_state_dict(point["optimiser"])
        if args.resume:
            gone = point["gone"]
    common.share_state([unet], args.ranks)
    clock, step, begin = common.Clock(args.minutes, args.ranks, gone), 0, time.time()
    sums = torch.zeros(4)

    def keep(progress):
        common.save(path, unet=unet.state_dict(), ema=ema.state, step=ema.step,
                    optimiser=optimiser.state_dict(), gone=progress)

    while (progress := clock.progress()) < 1:
        z, image, embeds, ids = source.next()
        dropped = torch.rand(len(z)) < args.drop
        image[dropped], embeds[dropped] = 0, 0
        sigma = draw_sigmas(len(z), args.top)
        s = sigma.view(-1, 1, 1, 1, 1)
        noisy = z + s * torch.randn_like(z)
        with common.mixed():
            out = predict(unet, noisy, sigma, image, embeds, ids)
        v = (noisy / (s * s + 1) - z) * (s * s + 1).sqrt() / s
        d, there = (out - v).square(), moving(z)
        loss = (d * (1 + args.moving * there)).mean()
        for group in optimiser.param_groups:
            group["lr"] = args.lr * train_text.schedule(progress, step, 100)
        common.descend(optimiser, loss, params, args.ranks)
        ema.update()
        step += 1
        with torch.no_grad():  # the image's error, in noisy steps that see the input image
            late = (sigma > 5) & ~dropped
            d, there = d[late] * (s * s / (s * s + 1))[late], there[late].expand_as(d[late])
            sums += torch.stack([loss, (d * (1 - there)).sum() / (1 - there).sum().clamp_min(1),
                                 (d * there).sum() / there.sum().clamp_min(1), d.new_ones(())])
        if rank == 0 and step % 50 == 0:
            print(f"step {ema.step} at {progress:.3f} loss {sums[0] / sums[3]:.4f} "
                  f"still {sums[1] / sums[3]:.4f} moving {sums[2] / sums[3]:.4f} "
                  f"{(time.time() - begin) / step:.3f} s/step", flush=True)
            sums.zero_()
        if rank == 0 and step % args.every == 0:
            keep(progress)
    if rank == 0:
        keep(1.0)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--work", type=Path, required=True, help="the folder that clips.py wrote")
    p.add_argument("--encode", action="store_true")
    p.add_argument("--model", type=Path, help="nano-sd's folder, for its latents")
    p.add_argument("--first", type=int, default=10 ** 9, help="encode only this many clips")
    p.add_argument("--minutes", type=float, default=70)
    p.add_argument("--ranks", type=int, default=2, help="processes")
    p.add_argument("--batch", type=int, default=8, help="clips per process")
    p.add_argument("--top", type=float, default=.3, help="the share of steps at noise 8..80")
    p.add_argument("--moving", type=float, default=3.0, help="extra weight of changing parts")
    p.add_argument("--drop", type=float, default=.1, help="the share without the image")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--ema", type=float, default=.998)
    p.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    p.add_argument("--resume", action="store_true", help="resume an interrupted run")
    p.add_argument("--again", action="store_true", help="a new schedule from the last weights")
    args = p.parse_args()
    if args.encode:
        encode(args)
    else:
        common.launch(worker, args)


if __name__ == "__main__":
    main()
