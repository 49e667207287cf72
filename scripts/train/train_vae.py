"""Stage 1: trains the autoencoder on the painted images, then encodes them all.

python train_vae.py --work WORK --minutes 12        trains (writes vae.pt)
python train_vae.py --work WORK --encode            writes latents.npy and scale.json
python train_vae.py --work WORK --decoder           a longer training of only the decoder
"""
import argparse
import json
import math
import os
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from PIL import Image

import common
import data

TEST = 64  # the first images are kept for measuring


def build():
    model = AutoencoderKL(**common.VAE)
    with torch.no_grad():  # start with little noise on the latents
        model.quant_conv.bias[4:] = -7
    return common.fast_norms(model)


def load(work):
    model = AutoencoderKL(**common.VAE)
    model.load_state_dict(torch.load(Path(work) / "vae.pt")["ema"]["vae"])
    return model.eval()


def tensor(pictures):
    x = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2)
    return x.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def loss_of(model, x, decoder_only=False):
    with torch.set_grad_enabled(not decoder_only), common.mixed():
        mean, logvar = model.quant_conv(model.encoder(x)).float().chunk(2, 1)
    logvar = logvar.clamp(-20, 10)
    z = mean + torch.randn_like(mean) * (logvar * .5).exp()
    with common.mixed():
        y = model.decoder(model.post_quant_conv(z)).float()
    kl = .5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return common.picture_loss(y, x) + 2e-4 * kl


@torch.no_grad()
def reconstruct(model, x):
    return torch.cat([model.decode(model.encode(b).latent_dist.mean).sample.clamp(-1, 1)
                      for b in x.split(16)])


def measure(state, pictures, work):
    model = AutoencoderKL(**common.VAE)
    model.load_state_dict(state)
    model.eval()
    x = tensor(pictures[:TEST])
    y = reconstruct(model, x)
    mse = ((x - y) / 2).square().mean((1, 2, 3))
    rows = torch.cat([torch.cat(list(t[:14]), 2) for t in (x, y)], 1)
    sheet = ((rows.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy()
    Image.fromarray(sheet).save(Path(work) / "vae.png")
    return float((-10 * mse.log10()).mean())


def worker(rank, args):
    common.start(rank, args.ranks, args.work)
    random.seed(rank)
    pictures, _ = data.load(args.work)
    model = build()
    path, gone = args.work / "vae.pt", 0.0
    if args.decoder:
        state = torch.load(path)["ema"]["vae"]
        model.load_state_dict(state)
        model.encoder.requires_grad_(False)
        model.quant_conv.requires_grad_(False)
        path = args.work / "decoder.pt"
    params = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(params, lr=args.lr, betas=(.9, .99), weight_decay=1e-4)
    ema = common.Ema({"vae": model}, .998)
    if args.resume or args.again:
        point = torch.load(path)
        model.load_state_dict(point["model"])
        ema.state, ema.step = point["ema"], point["step"]
        if args.resume:
            optimiser.load_state_dict(point["optimiser"])
            gone = point["gone"]
    common.share_state([model], args.ranks)
    clock, step = common.Clock(args.minutes, args.ranks, gone), 0
    while (progress := clock.progress()) < 1:
        crops = progress < args.crops
        pick = np.random.default_rng((rank, ema.step)).integers(
            TEST, len(pictures), args.batch * (2 if crops else 1))
        x = tensor(pictures[np.sort(pick)])
        if crops:
            i, j = random.randrange(9) * 8, random.randrange(9) * 8
            x = x[..., i:i + 64, j:j + 64].contiguous(memory_format=torch.channels_last)
        if random.random() < .5:
            x = x.flip(3)
        warm = min(1, (ema.step + 1) / 100)
        for group in optimiser.param_groups:
            group["lr"] = args.lr * warm * (.02 + .98 * .5 * (1 + math.cos(math.pi * progress)))
        loss = loss_of(model, x, args.decoder)
        common.descend(optimiser, loss, params, args.ranks)
        ema.update()
        step += 1
        if rank == 0 and step % 50 == 0:
            print(f"step {ema.step} at {progress:.3f} loss {loss.item():.4f}", flush=True)
        if rank == 0 and step % 250 == 0:
            common.save(path, model=model.state_dict(), ema=ema.state, step=ema.step,
                        optimiser=optimiser.state_dict(), gone=progress)
            print(f"PSNR {measure(ema.state['vae'], pictures, args.work):.2f} dB", flush=True)
    if rank == 0:
        common.save(path, model=model.state_dict(), ema=ema.state, step=ema.step,
                    optimiser=optimiser.state_dict(), gone=1.0)
        print(f"PSNR {measure(ema.state['vae'], pictures, args.work):.2f} dB", flush=True)


def _encode(rank, args):
    os.setsid()  # its own scheduling group
    torch.set_num_threads(1)
    model, (pictures, _) = load(args.work), data.load(args.work)
    model = model.to(memory_format=torch.channels_last)
    part = np.array_split(np.arange(min(args.first, len(pictures))), args.ranks)[rank]
    out = []
    with torch.inference_mode():
        for k in range(0, len(part), 32):
            dist = model.encode(tensor(pictures[part[k:k + 32]])).latent_dist
            out.append(dist.mean.numpy().astype(np.float16))
    np.save(args.work / f"latents.{rank}.npy", np.concatenate(out))


def encode(args):
    torch.multiprocessing.spawn(_encode, (args,), nprocs=args.ranks)
    parts = [args.work / f"latents.{r}.npy" for r in range(args.ranks)]
    latents = np.concatenate([np.load(p) for p in parts])
    np.save(args.work / "latents.npy", latents)
    for p in parts:
        p.unlink()
    scale = 1 / float(latents.astype(np.float32).std())
    (args.work / "scale.json").write_text(json.dumps({"scaling_factor": round(scale, 4)}))
    print("latents", latents.shape, "scaling factor", scale)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--work", type=Path, required=True, help="the folder that data.py wrote")
    p.add_argument("--minutes", type=float, default=12)
    p.add_argument("--ranks", type=int, default=2, help="processes")
    p.add_argument("--batch", type=int, default=6, help="per process; twice that for crops")
    p.add_argument("--crops", type=float, default=.62, help="the share of time on 64x64 crops")
    p.add_argument("--lr", type=float, default=1.5e-3)
    p.add_argument("--resume", action="store_true", help="resume an interrupted run")
    p.add_argument("--again", action="store_true", help="a new schedule from the last weights")
    p.add_argument("--decoder", action="store_true",
                   help="train only the decoder, with fixed latents (writes decoder.pt)")
    p.add_argument("--encode", action="store_true")
    p.add_argument("--first", type=int, default=10 ** 9, help="encode only this many images")
    args = p.parse_args()
    if args.encode:
        encode(args)
    else:
        common.launch(worker, args)


if __name__ == "__main__":
    main()
