"""Goldens of the video UNet and of its blocks: diffusers' own modules with drawn weights, in f32.

As in models.py: inputs and expected outputs, the configuration, the parameters' shapes; every case also runs in f64. Mix factors are drawn
like any other weight, so the goldens have both signs of them.

    python scripts/golden/video_models.py [--only NAME]
"""

import argparse

import torch
from common import draw, save, shapes
from diffusers import UNetSpatioTemporalConditionModel
from diffusers.models.resnet import SpatioTemporalResBlock
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from models import BF16_DB, CROSS, PLAIN, both_precisions, config_of, randn


def draw_scaled(module: torch.nn.Module, scale: float) -> None:
    """Golden weights, with all but the norms' multiplied by `scale`: small ones make the norms' epsilons visible."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            value = draw(name, parameter.shape)
            parameter.copy_(value * scale if value.ndim >= 2 or name.endswith(".bias") else value)


def mix_factors(module: torch.nn.Module) -> list[float]:
    return [round(parameter.item(), 2) for name, parameter in module.named_parameters() if name.endswith("mix_factor")]


def resnet(name: str, inputs: int, outputs: int, clips: int, frames: int, time_channels: int | None = None, scale: float = 1.0, **config) -> None:
    module = SpatioTemporalResBlock(in_channels=inputs, out_channels=outputs, temb_channels=time_channels, **config).eval()
    draw_scaled(module, scale)
    print("    mix factors", mix_factors(module))
    x = randn(1, clips * frames, inputs, 5, 6) * scale
    time = randn(2, clips, time_channels) if time_channels else None

    def run(module, cast):
        temb = cast(time).repeat_interleave(frames, 0) if time is not None else None
        return {"output": module(cast(x), temb, torch.zeros(clips, frames))}

    tensors = both_precisions(module, run)
    inputs = {"x": x} if time is None else {"x": x, "time": time}
    save("models", name, {**inputs, **tensors}, shapes=shapes(module), bf16_db=BF16_DB, frames=frames, scale=scale)


def transformer(name: str, clips: int, frames: int, heads: int, head_dim: int, layers: int, cross: int, scale: float = 1.0) -> None:
    channels = heads * head_dim
    module = TransformerSpatioTemporalModel(heads, head_dim, in_channels=channels, num_layers=layers, cross_attention_dim=cross).eval()
    draw_scaled(module, scale)
    print("    mix factors", mix_factors(module))
    x = randn(1, clips * frames, channels, 3, 5) * scale
    states = randn(2, clips, 1, cross)

    def run(module, cast):
        context = cast(states).repeat_interleave(frames, 0)
        return {"output": module(cast(x), context, torch.zeros(clips, frames)).sample}

    tensors = both_precisions(module, run)
    save("models", name, {"x": x, "encoder_hidden_states": states, **tensors}, shapes=shapes(module), bf16_db=BF16_DB, frames=frames, scale=scale)


def unet(name: str, height: int, width: int, frames: int, batch: int = 2, timestep: float = 1.6378, scale: float = 1.0, **config) -> None:
    config = {"addition_time_embed_dim": 16, "projection_class_embeddings_input_dim": 48, "cross_attention_dim": 24, "num_frames": frames, **config}
    module = UNetSpatioTemporalConditionModel(**config).eval()
    draw_scaled(module, scale)
    print("    mix factors", mix_factors(module))
    sample = randn(1, batch, frames, module.config.in_channels, height, width)
    states = randn(2, batch, 1, module.config.cross_attention_dim)
    # Frames per second minus one, motion bucket, noise augmentation; clips differ.
    ids = torch.tensor([[6.0, 127.0, 0.02], [11.0, 30.0, 0.7]])[:batch]

    def run(module, cast):
        # diffusers computes sinusoids in f32 whatever the precision of their inputs; the inputs are f32 here too.
        return {"output": module(cast(sample), torch.tensor(timestep), cast(states), ids).sample}

    tensors = both_precisions(module, run)
    inputs = {"sample": sample, "encoder_hidden_states": states, "added_time_ids": ids}
    save("models", name, {**inputs, **tensors}, config=config_of(module), shapes=shapes(module), bf16_db=BF16_DB, timestep=timestep, scale=scale)


def block_types(down: list[str], up: list[str]) -> dict:
    return {"down_block_types": [f"{kind}DownBlockSpatioTemporal" for kind in down], "up_block_types": [f"{kind}UpBlockSpatioTemporal" for kind in up]}


CASES = {
    # The UNet's residual blocks: with a shortcut and a time embedding, and with unchanged shapes.
    "video_resnet": lambda name: resnet(name, 32, 64, clips=2, frames=3, time_channels=16, scale=0.05, eps=1e-6),
    "video_resnet_plain": lambda name: resnet(name, 32, 32, clips=1, frames=5, time_channels=16, eps=1e-5),
    # The autoencoder's: no time embedding, two epsilons, and a blend with swapped shares.
    "video_resnet_switched": lambda name: resnet(
        name, 64, 32, clips=1, frames=2, scale=0.05, eps=1e-6, temporal_eps=1e-5, merge_factor=0.0, merge_strategy="learned",
        switch_spatial_to_temporal_mix=True),
    "video_transformer": lambda name: transformer(name, clips=2, frames=3, heads=2, head_dim=16, layers=1, cross=20),
    "video_transformer_deep": lambda name: transformer(name, clips=1, frames=7, heads=3, head_dim=32, layers=2, cross=8, scale=0.2),
    # All of Stable Video Diffusion's own blocks.
    "video_unet_svd": lambda name: unet(
        name, 16, 24, frames=3, **block_types([CROSS] * 3 + [PLAIN], [PLAIN] + [CROSS] * 3), block_out_channels=[32, 64, 96, 96],
        layers_per_block=2, num_attention_heads=[1, 2, 3, 3]),
    # Small weights, which make epsilons visible.
    "video_unet_quiet": lambda name: unet(
        name, 8, 6, frames=2, timestep=-1.55, scale=0.1, **block_types([CROSS, PLAIN], [PLAIN, CROSS]), block_out_channels=[32, 64], layers_per_block=1,
        num_attention_heads=2),
    # Sides that are not multiples of 4; levels that differ.
    "video_unet_varied": lambda name: unet(
        name, 13, 11, frames=5, batch=1, **block_types([CROSS, PLAIN, CROSS], [CROSS, PLAIN, CROSS]), block_out_channels=[32, 64, 32],
        layers_per_block=[1, 2, 1], num_attention_heads=[2, 4, 1], transformer_layers_per_block=[1, 1, 2], in_channels=5, out_channels=3),
    "video_unet_picture": lambda name: unet(
        name, 5, 8, frames=1, timestep=0.3, **block_types([PLAIN, CROSS], [CROSS, PLAIN]), block_out_channels=[32, 32], layers_per_block=1,
        num_attention_heads=[4, 8]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CASES, help="generate one golden")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name, make in CASES.items():
        if arguments.only in (None, name):
            print(name)
            make(name)


if __name__ == "__main__":
    main()
