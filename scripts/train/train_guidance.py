"""Stage 4: trains the UNet for the program's default guidance scale.

The UNet of stage 3 looks best at a guidance of about 3.5; at the usual 7.5 corners and colours
overshoot. Here it learns from itself to produce at 7.5 its former output at 3.5: guided prediction
against guided prediction, and the unconditional prediction is preserved.

python train_guidance.py --work WORK --minutes 10      reads unet.pt, writes guided.pt
"""
import argparse
import copy
import time
from pathlib import Path

import torch
from diffusers import DDPMScheduler

import common
import train_text
import train_unet


def guided(out, scale):
    plain, prompted = out.chunk(2)
    return plain + scale * (prompted - plain), plain


def worker(rank, args):
    common.start(rank, args.ranks, args.work)
    source = train_unet.Data(args, rank)
    point = torch.load(args.work / "unet.pt")["ema"]
    text = train_text.build(source.tokenizer).eval()
    text.load_state_dict(point["text"])
    teacher = train_unet.build()
    teacher.load_state_dict(point["unet"])
    teacher.requires_grad_(False)
    unet = copy.deepcopy(teacher).requires_grad_(True)
    params = list(unet.parameters())
    optimiser = torch.optim.AdamW(params, lr=args.lr, betas=(.9, .99), weight_decay=0, fused=True)
    ema = common.Ema({"unet": unet, "text": text}, args.ema)
    alphas = DDPMScheduler(**common.NOISE).alphas_cumprod
    with torch.no_grad():
        empty = text(train_text.encode(source.tokenizer, [""])).last_hidden_state
    clock, step, begin = common.Clock(args.minutes, args.ranks), 0, time.time()
    sums = torch.zeros(2)
    while (progress := clock.progress()) < 1:
        z, ids, _, _ = source.next()
        t = train_unet.draw_times(len(z), args.top)
        a = alphas[t].view(-1, 1, 1, 1)
        noisy = a.sqrt() * z + (1 - a).sqrt() * torch.randn_like(z)
        twice, times = torch.cat([noisy, noisy]), torch.cat([t, t])
        with torch.no_grad():
            states = torch.cat([empty.expand(len(z), -1, -1), text(ids).last_hidden_state])
            with common.mixed():
                out = teacher(twice, times, encoder_hidden_states=states).sample.float()
            want, plain = guided(out, args.good)
            before = guided(out, args.asked)[0]
        with common.mixed():
            out = unet(twice, times, encoder_hidden_states=states).sample.float()
        got, own = guided(out, args.asked)
        w = train_unet.weights(alphas[t] / (1 - alphas[t]))
        miss = (got - want).square().mean((1, 2, 3))
        loss = (w * (miss + (own - plain).square().mean((1, 2, 3)))).mean()
        for group in optimiser.param_groups:
            group["lr"] = args.lr * train_text.schedule(progress, step, 20)
        common.descend(optimiser, loss, params, args.ranks)
        ema.update()
        step += 1
        with torch.no_grad():
            sums += torch.stack([(w * miss).mean(),
                                 (w * (before - want).square().mean((1, 2, 3))).mean()])
        if rank == 0 and step % 20 == 0:
            print(f"step {step} at {progress:.3f} off by {sums[0] / 20:.5f}, untrained "
                  f"{sums[1] / 20:.5f}, {(time.time() - begin) / step:.2f} s/step", flush=True)
            sums.zero_()
        if rank == 0 and (step % 40 == 0):
            common.save(args.work / "guided.pt", ema=ema.state, step=step)
    if rank == 0:
        common.save(args.work / "guided.pt", ema=ema.state, step=step)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--work", type=Path, required=True)
    p.add_argument("--minutes", type=float, default=10)
    p.add_argument("--ranks", type=int, default=2, help="processes")
    p.add_argument("--batch", type=int, default=6, help="per process")
    p.add_argument("--shapes", type=float, default=.5, help="the share of shape images")
    p.add_argument("--top", type=float, default=.4, help="times drawn from the noisiest 35 %%")
    p.add_argument("--good", type=float, default=3.5, help="the best-looking guidance so far")
    p.add_argument("--asked", type=float, default=7.5, help="the guidance that must look the same")
    p.add_argument("--lr", type=float, default=3e-4)
    p.add_argument("--ema", type=float, default=.97)
    common.launch(worker, p.parse_args())


if __name__ == "__main__":
    main()
