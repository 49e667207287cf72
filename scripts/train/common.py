"""The common part of the training stages: the models' shapes, a fast GroupNorm, two-process
training.

Training runs as N processes with one thread each, joined by one all-reduce per step: on a machine
with other load this is much faster than N threads in one process.
"""
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

VAE = dict(in_channels=3, out_channels=3, latent_channels=4, sample_size=128,
           down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
           block_out_channels=(16, 32, 64, 64), layers_per_block=1, norm_num_groups=4)
UNET = dict(sample_size=16, in_channels=4, out_channels=4, layers_per_block=1,
            # no attention at 16x16, where it would take nearly half of the time
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            mid_block_type="UNetMidBlock2DCrossAttn",
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(64, 96, 128), cross_attention_dim=128,
            attention_head_dim=(2, 3, 4), norm_num_groups=16)
TEXT = dict(hidden_size=128, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4,
            max_position_embeddings=77, projection_dim=128, hidden_act="quick_gelu")
NOISE = dict(num_train_timesteps=1000, beta_schedule="scaled_linear", beta_start=.00085,
             beta_end=.012)


class _Norm(torch.autograd.Function):
    """GroupNorm over (N, H*W, C), channels last, from per-channel sums."""

    @staticmethod
    def forward(ctx, x, weight, bias, groups, eps):
        n, hw, c = x.shape
        count = hw * (c // groups)
        s1 = x.sum(1, dtype=torch.float32).view(n, groups, -1).sum(2)
        s2 = (x * x).sum(1, dtype=torch.float32).view(n, groups, -1).sum(2)
        mean = s1 / count
        rstd = ((s2 / count - mean * mean).clamp_min(0) + eps).rsqrt()
        a = rstd.repeat_interleave(c // groups, 1) * weight
        b = bias - mean.repeat_interleave(c // groups, 1) * a
        ctx.save_for_backward(x, weight, mean, rstd)
        ctx.groups = groups
        return torch.addcmul(b[:, None].to(x.dtype), x, a[:, None].to(x.dtype))

    @staticmethod
    def backward(ctx, dy):
        x, weight, mean, rstd = ctx.saved_tensors
        n, hw, c = x.shape
        k = c // ctx.groups
        s1 = dy.sum(1, dtype=torch.float32)
        mean, rstd = mean.repeat_interleave(k, 1), rstd.repeat_interleave(k, 1)
        s2 = ((dy * x).sum(1, dtype=torch.float32) - mean * s1) * rstd  # sum of dy * xhat

        def group_mean(t):
            return (t.view(n, ctx.groups, k).sum(2) / (hw * k)).repeat_interleave(k, 1)

        m1, m2 = group_mean(s1 * weight), group_mean(s2 * weight)
        slope = -rstd * rstd * m2
        shift = -rstd * m1 - mean * slope
        dx = torch.addcmul(shift[:, None].to(x.dtype), x, slope[:, None].to(x.dtype))
        dx.addcmul_(dy, (rstd * weight)[:, None].to(x.dtype))
        return dx, s2.sum(0), s1.sum(0), None, None


class FastGroupNorm(nn.GroupNorm):
    """The same numbers as nn.GroupNorm; its backward is faster on a CPU."""

    def forward(self, x):
        if x.dim() == 3:  # (N, C, L), the attention of the autoencoder
            y = _Norm.apply(x.transpose(1, 2), self.weight, self.bias, self.num_groups, self.eps)
            return y.transpose(1, 2)
        n, c, h, w = x.shape
        flat = x.permute(0, 2, 3, 1).reshape(n, h * w, c)
        y = _Norm.apply(flat, self.weight, self.bias, self.num_groups, self.eps)
        return y.view(n, h, w, c).permute(0, 3, 1, 2)


def fast_norms(model):
    """Replaces every GroupNorm with the fast one, in place; the parameters stay the same."""
    for module in model.modules():
        if type(module) is nn.GroupNorm:
            module.__class__ = FastGroupNorm
    return model.to(memory_format=torch.channels_last)


def mixed():
    """bfloat16 in convolutions and products, float32 in the weights and sums: 1.5 times as fast
    on a CPU with AVX-512 BF16 or AMX."""
    return torch.autocast("cpu", torch.bfloat16)


def picture_loss(y, x):
    """The distance of an image from its target, with an extra term for edges."""
    d = y - x
    edges = (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
    return d.abs().mean() + d.square().mean() + .5 * edges


class Ema:
    def __init__(self, modules, decay):
        self.modules, self.decay, self.step = modules, decay, 0
        self.state = {k: {n: p.detach().clone() for n, p in m.state_dict().items()}
                      for k, m in modules.items()}

    @torch.no_grad()
    def update(self):
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        for key, module in self.modules.items():
            own = module.state_dict()
            names = [n for n in own if own[n].is_floating_point()]
            torch._foreach_lerp_([self.state[key][n] for n in names], [own[n] for n in names],
                                 1 - decay)


def save(path, **things):
    """Writes a checkpoint atomically."""
    part = Path(str(path) + ".part")
    torch.save(things, part)
    os.replace(part, path)


def start(rank, world, folder):
    """Joins the processes of one training, each in its own session (as a scheduling group)."""
    if world > 1 and os.getsid(0) != os.getpid():
        os.setsid()
    torch.set_num_threads(1)
    torch.manual_seed(1000 + rank)
    if world > 1:
        dist.init_process_group("gloo", rank=rank, world_size=world,
                                init_method=f"file://{Path(folder).resolve()}/rendezvous")


def average(params, world):
    """Averages the gradients over the processes."""
    if world == 1:
        return
    grads = [p.grad for p in params if p.grad is not None]
    flat = torch._utils._flatten_dense_tensors(grads)
    dist.all_reduce(flat)
    flat /= world
    for g, f in zip(grads, torch._utils._unflatten_dense_tensors(flat, grads)):
        g.copy_(f)


def descend(optimiser, loss, params, world):
    """One optimizer step, with the gradients of all processes, clipped to a norm of 1."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    average(params, world)
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimiser.step()


def share_state(modules, world):
    if world > 1:
        for module in modules:
            for t in module.state_dict().values():
                dist.broadcast(t, 0)


class Clock:
    """The elapsed share of this stage's time, 0..1; the same in every process."""

    def __init__(self, minutes, world, gone=0.0):
        self.begin, self.total, self.world, self.gone = time.time(), minutes * 60, world, gone

    def progress(self):
        t = torch.tensor(self.gone + (time.time() - self.begin) / self.total)
        if self.world > 1:
            dist.broadcast(t, 0)
        return float(t)


def launch(worker, args):
    """Runs worker(rank, args) in args.ranks processes."""
    meeting = Path(args.work) / "rendezvous"
    meeting.unlink(missing_ok=True)
    if args.ranks == 1:
        worker(0, args)
    else:
        torch.multiprocessing.spawn(worker, (args,), nprocs=args.ranks)
