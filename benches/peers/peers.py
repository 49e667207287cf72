"""Times other runtimes and this program on the same models, with random weights, and prints a table of ratios.

Every runtime gets the models' parts with the same shapes and as many threads. This program runs before and after each of them, so that a machine
that other work slows down shows: a ratio is of neighbours in time. See `benches/peers/run --help`.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Callable

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel, UNetSpatioTemporalConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

DOWN, UP, CROSS_DOWN, CROSS_UP = "DownBlock2D", "UpBlock2D", "CrossAttnDownBlock2D", "CrossAttnUpBlock2D"


class Called(torch.nn.Module):
    """A model as a function of tensors alone, which is what runtimes trace."""

    def __init__(self, model, call):
        super().__init__()
        self.model, self.call = model, call

    def forward(self, *inputs):
        return self.call(self.model, *inputs)


@dataclass
class Part:
    """A part of a model: its name in `framewright bench --plain`, what makes it, and the shapes of what it reads."""

    name: str
    model: Callable[[], torch.nn.Module]
    inputs: tuple
    call: Callable = lambda model, *inputs: model(*inputs, return_dict=False)[0]
    engines: tuple = ("openvino", "torch")

    def drawn(self):
        draw = torch.Generator().manual_seed(7)
        made = []
        for wanted in self.inputs:
            if isinstance(wanted, tuple):
                wanted = torch.randn(wanted, generator=draw)
            made.append(wanted)
        return made


def stable_diffusion(channels, layers, mid="UNetMidBlock2DCrossAttn", **more):
    levels = len(channels)
    plain = levels if mid is None else levels - 1
    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=channels,
        layers_per_block=layers,
        down_block_types=[CROSS_DOWN] * plain + [DOWN] * (levels - plain),
        up_block_types=[UP] * (levels - plain) + [CROSS_UP] * plain,
        mid_block_type=mid,
        **more,
    )


def xl():
    return UNet2DConditionModel(
        sample_size=64,
        block_out_channels=(320, 640, 1280),
        layers_per_block=2,
        down_block_types=(DOWN, CROSS_DOWN, CROSS_DOWN),
        up_block_types=(CROSS_UP, CROSS_UP, UP),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )


def full_autoencoder():
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
    )


def text_encoder_of_2():
    return CLIPTextModel(
        CLIPTextConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16, hidden_act="gelu")
    )


def decoded(model, latents):
    return model.decode(latents, return_dict=False)[0]


STEP = torch.tensor(500.0)
LATENTS, TWO_LATENTS = (1, 4, 64, 64), (2, 4, 64, 64)
TOKENS = (torch.arange(77) * 571 % 49_000)[None]
SIZES = torch.tensor([[512.0, 512.0, 0.0, 0.0, 512.0, 512.0]])
MOTION = torch.tensor([[6.0, 127.0, 0.02]] * 2)


def first_hidden(model, ids):
    return model(ids)[0]


def with_sizes(model, latents, step, text, pooled, sizes):
    return model(latents, step, text, added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes}, return_dict=False)[0]


TAESD = Part("vae", lambda: AutoencoderTiny(latent_channels=4), (LATENTS,), decoded)
DECODER = Part("vae", full_autoencoder, (LATENTS,), decoded)
EIGHT = {"attention_head_dim": 8, "cross_attention_dim": 768}
SD2 = {"attention_head_dim": (5, 10, 20, 20), "cross_attention_dim": 1024, "use_linear_projection": True}
GUIDED = (TWO_LATENTS, STEP, (2, 77, 768))

# Pictures of 512x512; SVD's clip is 8 frames of 256x256. A guided step is one of two latents. OpenVINO's conversion of SDXL wants more than 24 GB,
# and that of SVD fails.
WORKS = {
    "tiny-sd": [Part("step", lambda: stable_diffusion((320, 640, 1280), 1, None, **EIGHT), GUIDED), DECODER],
    "sd15": [Part("step", lambda: stable_diffusion((320, 640, 1280, 1280), 2, **EIGHT), GUIDED), DECODER],
    "sd-turbo": [
        Part("step", lambda: stable_diffusion((320, 640, 1280, 1280), 2, **SD2), (LATENTS, STEP, (1, 77, 1024))),
        TAESD,
        Part("text", text_encoder_of_2, (TOKENS,), first_hidden),
    ],
    "sdxl-turbo": [
        Part("step", xl, (LATENTS, STEP, (1, 77, 2048), (1, 1280), SIZES), with_sizes, ("torch",)),
        TAESD,
    ],
    "svd": [
        Part("step", lambda: UNetSpatioTemporalConditionModel(sample_size=96), ((2, 8, 8, 32, 32), STEP, (2, 1, 1024), MOTION), engines=("torch",))
    ],
}


def median_of(run, repeat):
    run()
    found = []
    for _ in range(repeat):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def in_torch(part, precision, repeat, threads):
    torch.set_num_threads(threads)
    dtype = {"bf16": torch.bfloat16, "f32": torch.float32}[precision]
    model = Called(part.model().eval().to(dtype), part.call)
    inputs = [given.to(dtype) if given.is_floating_point() and given.ndim > 0 else given for given in part.drawn()]
    if inputs[0].ndim == 4:
        model = model.to(memory_format=torch.channels_last)
        inputs[0] = inputs[0].contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        return median_of(lambda: model(*inputs), repeat)


def in_openvino(part, precision, repeat, threads):
    import openvino

    inputs = part.drawn()
    with torch.no_grad():
        traced = openvino.convert_model(Called(part.model().eval(), part.call), example_input=inputs, input=[list(given.shape) for given in inputs])
    gc.collect()
    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(traced, "CPU", hints)
    taken = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    if taken != precision:
        print(f"{part.name}: OpenVINO was asked for {precision}, and runs in {taken}", file=sys.stderr)
    request = compiled.create_infer_request()
    arrays = [given.numpy() for given in inputs]
    return median_of(lambda: request.infer(arrays), repeat)


ENGINES = {"torch": in_torch, "openvino": in_openvino}


def ours(program, work, threads):
    """Seconds of each part by this program's own bench: for a video model from its report, else from lines `PART SECONDS`."""
    command = [program, "bench", "--architecture", work, "--random-weights", "--threads", str(threads)]
    command += ["--size", "256", "--frames", "8", "--json"] if work == "svd" else ["--size", "512", "--plain"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    if work == "svd":
        return {"step": next(timing["p50"] for timing in json.loads(output)["timings"] if timing["what"] == "unet step")}
    return {name: float(seconds) for name, seconds in (line.split() for line in output.splitlines())}


def compare(work, options):
    """The table's lines of a work."""
    lines = []
    before = ours(options.program, work, options.threads)
    for peer in options.peers:
        engine, precision = peer.split("-")
        found = {}
        parts = [part for part in WORKS[work] if engine in part.engines]
        if not parts:
            print(f"{work}: {engine} cannot run it", file=sys.stderr)
            continue
        for part in parts:
            torch.manual_seed(0)
            found[part.name] = ENGINES[engine](part, precision, options.repeat, options.threads)
            gc.collect()
        after = ours(options.program, work, options.threads)
        for name, seconds in found.items():
            mine = statistics.mean((before[name], after[name]))
            lines.append(f"| {work} | {name} | {peer} | {seconds:.3f} s | {mine:.3f} s | {mine / seconds:.2f} |")
            print(lines[-1], file=sys.stderr, flush=True)
        before = after
    return lines


def main():
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", nargs="+", choices=WORKS, default=["tiny-sd"], help="the models [tiny-sd]")
    known = [f"{engine}-{precision}" for engine in ENGINES for precision in ("bf16", "f32")]
    parser.add_argument("--peers", nargs="+", choices=known, default=["openvino-bf16", "torch-bf16"], help="[openvino-bf16 torch-bf16]")
    parser.add_argument("--repeat", type=int, default=3, help="timed runs of a part, after one that is not; their median counts [3]")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parser.add_argument("--threads", type=int, default=cores, help="of every runtime [one for each core]")
    parser.add_argument("--program", default="target/release/framewright")
    options = parser.parse_args()
    lines = [line for work in options.work for line in compare(work, options)]
    print("| model | part | peer | its time | this program | ratio |", "|---|---|---|---|---|---|", *lines, sep="\n")
    print("\nThis program ran in its own choice of precision: bf16 where the processor multiplies that faster, else f32.")


main()
