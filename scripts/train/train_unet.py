"""Stage 3: trains the UNet on the encoded images, with fresh captions every step.

Two things determine whether prompts are followed. The colours of an image are settled in the
noisiest steps, so these are drawn more often (`draw_times`) and weighted more (`weights`). And the
text encoder already distinguishes figure and ground (train_text.py); it continues to learn slowly
here, with the same reading loss in addition to the UNet's.

python train_unet.py --work WORK --minutes 80
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from transformers import CLIPTokenizer

import common
import data
import train_text


def build():
    unet = UNet2DConditionModel(**common.UNET)
    unet.set_attn_processor(AttnProcessor())  # a plain softmax: faster to train on a CPU
    return common.fast_norms(unet)


def draw_times(n, top):
    """Times 0..999; a share `top` of them from the noisiest 35 %."""
    t = torch.rand(n)
    high = torch.rand(n) < top
    return (torch.where(high, .65 + .35 * t, t) * 1000).long().clamp(max=999)


def weights(snr):
    """Weights of the noise loss: more for the noisiest steps, less for the nearly clean ones."""
    return torch.where(snr < 1, snr.rsqrt().clamp(max=10), (5 / snr).clamp(max=1))


class Data:
    def __init__(self, args, rank):
        _, scenes = data.load(args.work)
        scale = json.loads((args.work / "scale.json").read_text())["scaling_factor"]
        latents = np.load(args.work / "latents.npy", mmap_mode="r")
        scenes = scenes[:len(latents)]
        self.scenes, self.latents, self.scale = scenes, latents, scale
        self.rng = np.random.default_rng((int(time.time()), rank))
        self.pools = {kind: np.array([i for i, s in enumerate(scenes) if s["kind"] == kind])
                      for kind in ("shape", "land")}
        self.tokenizer = CLIPTokenizer.from_pretrained(args.work / "tokenizer")
        self.shapes, self.batch = args.shapes, args.batch

    def next(self):
        shapes = int(self.shapes * self.batch + self.rng.random())
        pick = np.concatenate([self.rng.choice(self.pools["shape"], shapes),
                               self.rng.choice(self.pools["land"], self.batch - shapes)])
        z = torch.from_numpy(self.latents[pick].astype(np.float32)) * self.scale
        words = train_text.captions_for(self.tokenizer, [self.scenes[i] for i in pick], self.rng)
        return z.contiguous(memory_format=torch.channels_last), *words


def worker(rank, args):
    common.start(rank, args.ranks, args.work)
    source = Data(args, rank)
    tokenizer = source.tokenizer
    unet, text, heads = build(), train_text.build(tokenizer), train_text.Heads()
    first = torch.load(args.work / "text.pt")
    text.load_state_dict(first["model"])
    heads.load_state_dict(first["heads"])
    learn_text = args.text_lr > 0
    groups = [{"params": list(unet.parameters()), "rate": args.lr}]
    if learn_text:
        groups.append({"params": [*text.parameters(), *heads.parameters()], "rate": args.text_lr})
    optimiser = torch.optim.AdamW(groups, lr=args.lr, betas=(.9, .99), weight_decay=.01,
                                  fused=True)
    ema = common.Ema({"unet": unet, "text": text}, args.ema)
    path, gone = args.work / "unet.pt", 0.0
    if args.resume or args.again:
        point = torch.load(path)
        unet.load_state_dict(point["unet"])
        text.load_state_dict(point["text"])
        heads.load_state_dict(point["heads"])
        ema.state, ema.step = point["ema"], point["step"]
        if args.resume:
            gone = point["gone"]
        if len(point["optimiser"]["param_groups"]) == len(groups):
            optimiser.load_state_dict(point["optimiser"])
            for group, own in zip(optimiser.param_groups, groups):
                group["rate"] = own["rate"]
    common.share_state([unet, text, heads], args.ranks)
    alphas = DDPMScheduler(**common.NOISE).alphas_cumprod
    params = [p for group in optimiser.param_groups for p in group["params"]]
    empty = train_text.encode(tokenizer, [""])[0]
    clock, step, begin = common.Clock(args.minutes, args.ranks, gone), 0, time.time()
    sums = torch.zeros(3)

    def keep(progress):
        common.save(path, unet=unet.state_dict(), text=text.state_dict(),
                    heads=heads.state_dict(), ema=ema.state, step=ema.step,
                    optimiser=optimiser.state_dict(), gone=progress)

    while (progress := clock.progress()) < 1:
        z, ids, labels, objects = source.next()
        drop = torch.rand(len(ids)) < args.drop
        ids[drop] = empty
        t = draw_times(len(z), args.top)
        a = alphas[t]
        noise = torch.randn_like(z)
        noisy = a.sqrt().view(-1, 1, 1, 1) * z + (1 - a).sqrt().view(-1, 1, 1, 1) * noise
        with torch.set_grad_enabled(learn_text):
            states = text(ids).last_hidden_state
        with common.mixed():
            out = unet(noisy, t, encoder_hidden_states=states).sample.float()
        each = (out - noise).square().mean((1, 2, 3))
        loss = (each * weights(a / (1 - a))).mean()
        total = loss
        if learn_text:
            kept = ~drop
            total = loss + args.read * heads.loss(states[kept], ids[kept], labels[kept],
                                                  objects[kept], tokenizer.eos_token_id)
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * train_text.schedule(progress, step, 100)
        common.descend(optimiser, total, params, args.ranks)
        ema.update()
        step += 1
        late = t > 800
        sums += torch.stack([loss.detach(), each.detach()[late].sum(), late.sum()])
        if rank == 0 and step % 50 == 0:
            print(f"step {ema.step} at {progress:.3f} loss {sums[0] / 50:.4f} "
                  f"late {sums[1] / sums[2]:.5f} {(time.time() - begin) / step:.3f} s/step",
                  flush=True)
            sums.zero_()
        if rank == 0 and step % args.every == 0:
            keep(progress)
    if rank == 0:
        keep(1.0)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--minutes", type=float, default=80)
    p.add_argument("--ranks", type=int, default=2, help="processes")
    p.add_argument("--batch", type=int, default=16, help="per process")
    p.add_argument("--shapes", type=float, default=.55, help="the share of shape images")
    p.add_argument("--top", type=float, default=.4, help="times drawn from the noisiest 35 %%")
    p.add_argument("--drop", type=float, default=.1, help="the share of empty captions")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--text-lr", type=float, default=0.0, help="0 keeps the text encoder unchanged")
    p.add_argument("--read", type=float, default=.05, help="the weight of the reading loss")
    p.add_argument("--ema", type=float, default=.998)
    p.add_argument("--every", type=int, default=200, help="steps between checkpoints")
    p.add_argument("--resume", action="store_true", help="resume an interrupted run")
    p.add_argument("--again", action="store_true", help="a new schedule from the last weights")
    common.launch(worker, p.parse_args())


if __name__ == "__main__":
    main()
