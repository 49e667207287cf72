"""The video model's autoencoder, trained to share nano-sd's latents.

diffusers' class supports only 32 norm groups, so nano-sd's own encoder and decoder do not fit. The
encoder learns to produce nano-sd's latents, the decoder to paint from them: first still crops, then
images, then clips with its temporal blocks.

python train_svd_vae.py --work WORK --part decoder --minutes 25      writes video-decoder.pt
python train_svd_vae.py --work WORK --part encoder --minutes 10      writes video-encoder.pt
"""
import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import common
import temporal
import train_vae

TEST = 40  # the first clips are kept for measuring


class Data:
    def __init__(self, work, seed):
        self.clips = np.load(work / "clips.npy", mmap_mode="r")
        self.latents = np.load(work / "motion-latents.npy", mmap_mode="r")
        self.rng = np.random.default_rng(seed)
        with open(work / "clips.jsonl") as lines:
            kinds = [json.loads(line)["kind"] for line in lines]
        self.pools = [[k for k in range(TEST, len(self.latents)) if kinds[k] == kind]
                      for kind in ("shape", "land")]

    def pick(self):
        """A clip, of a shape and of a landscape equally often: even colours are harder."""
        return self.rng.choice(self.pools[self.rng.integers(2)])

    def frames(self, n):
        """Single frames: (images, latents)."""
        pick = np.sort([self.pick() for _ in range(n)])
        when = self.rng.integers(0, self.clips.shape[1], n)
        z = torch.from_numpy(self.latents[pick, when].astype(np.float32))
        return train_vae.tensor(self.clips[pick, when]), z

    def crops(self, n, cells=8):
        x, z = self.frames(n)
        i, j = self.rng.integers(0, 17 - cells, 2)
        x = x[..., i * 8:(i + cells) * 8, j * 8:(j + cells) * 8]
        return x.contiguous(memory_format=torch.channels_last), z[..., i:i + cells, j:j + cells]

    def clip(self, frames):
        k = self.pick()
        a = self.rng.integers(0, self.clips.shape[1] + 1 - frames)
        z = torch.from_numpy(self.latents[k, a:a + frames].astype(np.float32))
        return train_vae.tensor(self.clips[k, a:a + frames]), z


def still(model, frozen):
    """Excludes the decoder's temporal blocks from training, or includes them."""
    for name, p in model.decoder.named_parameters():
        if "temporal_res_block" in name or "mix_factor" in name or "time_conv_out" in name:
            p.requires_grad_(not frozen)


@torch.no_grad()
def measure(state, part, source):
    """The decoder's PSNR in dB, or the error of the encoder's latents relative to their
    variance."""
    model = temporal.vae().eval()
    model.load_state_dict(state)
    out = []
    for k in range(TEST):
        x = train_vae.tensor(source.clips[k, ::2])
        z = torch.from_numpy(source.latents[k, ::2].astype(np.float32))
        if part == "decoder":
            y = model.decode(z, len(z)).sample.clamp(-1, 1)
            out.append(-10 * ((x - y) / 2).square().mean((1, 2, 3)).log10())
        else:
            out.append((model.encode(x[:1]).latent_dist.mean - z[:1]).square().mean((1, 2, 3)) / 4.2)
    return float(torch.cat(out).mean())


def worker(rank, args):
    common.start(rank, args.ranks, args.work)
    model, decoder = temporal.vae(), args.part == "decoder"
    path, gone = args.work / f"video-{args.part}.pt", 0.0
    learn = model.decoder if decoder else torch.nn.ModuleList([model.encoder, model.quant_conv])
    model.requires_grad_(False)
    learn.requires_grad_(True)
    params = list(learn.parameters())
    optimiser = torch.optim.AdamW(params, lr=args.lr, betas=(.9, .99), weight_decay=1e-4)
    ema = common.Ema({"vae": model}, args.ema)
    if args.resume or args.again:
        point = torch.load(path)
        model.load_state_dict(point["model"])
        ema.state, ema.step = point["ema"], point["step"]
        if args.resume:
            optimiser.load_state_dict(point["optimiser"])
            gone = point["gone"]
    common.share_state([model], args.ranks)
    source = Data(args.work, (rank, ema.step))
    clock, step, total = common.Clock(args.minutes, args.ranks, gone), 0, 0.0

    def keep(progress):
        if rank == 0:
            common.save(path, model=model.state_dict(), ema=ema.state, step=ema.step,
                        optimiser=optimiser.state_dict(), gone=progress)
            print(f"{args.part}: {measure(ema.state['vae'], args.part, source):.4f}", flush=True)

    while (progress := clock.progress()) < 1:
        warm = min(1, (step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = args.lr * warm * (.02 + .98 * .5 * (1 + math.cos(math.pi * progress)))
        frames = 1
        if not decoder:
            x, z = source.frames(args.batch)
        elif progress < args.crops:
            x, z = source.crops(args.batch * 4)
        elif progress < args.stills:
            x, z = source.frames(args.batch)
        else:
            frames = int(source.rng.choice([3, 4, 8]))
            x, z = source.clip(frames)
        if decoder:
            still(model, frames == 1)
            with common.mixed():
                y = model.decode(z, frames).sample.float()
            # Broad errors count extra: otherwise the norm layers would lose the brightness and the
            # colour of an even image.
            loss = common.picture_loss(y, x) + 1.5 * F.avg_pool2d(y - x, 16).abs().mean()
        else:
            x = x + torch.randn_like(x) * .04 * float(source.rng.random())
            with common.mixed():
                y = model.quant_conv(model.encoder(x)).float()[:, :4]
            loss = (y - z).square().mean() + .3 * (y - z).abs().mean()
        common.descend(optimiser, loss, params, args.ranks)
        ema.update()
        step, total = step + 1, total + loss.item()
        if rank == 0 and step % 50 == 0:
            print(f"step {ema.step} at {progress:.3f} loss {total / 50:.4f}", flush=True)
            total = 0.0
        if step % args.every == 0:
            keep(progress)
    keep(1.0)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--work", type=Path, required=True, help="clips.py and train_svd.py wrote it")
    p.add_argument("--part", choices=("encoder", "decoder"), required=True)
    p.add_argument("--minutes", type=float, default=25)
    p.add_argument("--ranks", type=int, default=1, help="processes")
    p.add_argument("--batch", type=int, default=6, help="per process; four times that for crops")
    p.add_argument("--crops", type=float, default=.4, help="the decoder's share of 64x64 crops")
    p.add_argument("--stills", type=float, default=.75, help="the share before the clips start")
    p.add_argument("--lr", type=float, default=1.5e-3)
    p.add_argument("--ema", type=float, default=.995)
    p.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    p.add_argument("--resume", action="store_true", help="resume an interrupted run")
    p.add_argument("--again", action="store_true", help="a new schedule from the last weights")
    common.launch(worker, p.parse_args())


if __name__ == "__main__":
    main()
