"""Goldens of the models: diffusers' and transformers' own modules with drawn weights, in f32.

Each file holds inputs and expected outputs, the configuration as in the model's config.json, and the parameters' shapes. Every case also
runs in f64: the f32 result must agree to 100 dB; otherwise the case would test rounding rather than the model.

    python scripts/golden/models.py [--only NAME]
"""

import argparse

import torch
from common import check_precisions, draw_weights, save, shapes
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

# The agreement of the last case's bf16 outputs with f32: the requirement for ours.
BF16_DB = {}


def randn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed), dtype=torch.float32)


def config_of(module) -> dict:
    """The config as diffusers writes it, without its private fields."""
    return {key: value for key, value in module.config.items() if not key.startswith("_")} | {"_class_name": type(module).__name__}


def both_precisions(module, run) -> dict[str, torch.Tensor]:
    """`run(module, cast)` in f32, checked against f64."""
    with torch.no_grad():
        single = run(module.float(), lambda x: x.float() if x.is_floating_point() else x)
        double = run(module.double(), lambda x: x.double() if x.is_floating_point() else x)
        half = run(module.bfloat16(), lambda x: x.bfloat16() if x.is_floating_point() else x)
    module.float()
    BF16_DB.clear()
    BF16_DB.update(check_precisions(single, double, half))
    return single


def text_encoder(name: str, **config) -> None:
    config = CLIPTextConfig(vocab_size=100, hidden_size=32, intermediate_size=64, num_attention_heads=4, max_position_embeddings=20,
                            bos_token_id=98, eos_token_id=99, pad_token_id=99, **config)
    module = CLIPTextModel(config).eval()
    draw_weights(module)
    ids = torch.randint(0, 98, (2, 20), generator=torch.Generator("cpu").manual_seed(5))
    ids[:, 0], ids[0, 7:], ids[1, 15:] = 98, 99, 99
    short = ids[:, :9]

    def run(module, cast):
        tensors = {}
        norm = getattr(module, "text_model", module).final_layer_norm
        states = module(ids, output_hidden_states=True).hidden_states
        tensors["clip_skip_0"] = module(ids)[0]
        for skip in (1, 2):
            tensors[f"clip_skip_{skip}"] = norm(states[-(skip + 1)])
        tensors["short"] = module(short)[0]
        return tensors

    tensors = both_precisions(module, run)
    save("models", name, {"ids": ids.to(torch.int64), **tensors}, config={key: value for key, value in config.to_dict().items() if not key.startswith("_")}, shapes=shapes(module), bf16_db=BF16_DB)


def unet(name: str, height: int, width: int, batch: int = 1, blocks: bool = False, timestep: float = 481.0, tokens: int = 7, **config) -> None:
    module = UNet2DConditionModel(**config).eval()
    draw_weights(module)
    cross = module.config.cross_attention_dim
    sample = randn(1, batch, module.config.in_channels, height, width)
    text = randn(2, batch, tokens, cross if isinstance(cross, int) else cross[0])
    inputs = {"sample": sample, "encoder_hidden_states": text}
    if module.config.time_cond_proj_dim:
        inputs["timestep_cond"] = randn(3, batch, module.config.time_cond_proj_dim)
    kept = {}

    def keep(label):
        def hook(_module, _inputs, output):
            kept[label] = output[0] if isinstance(output, tuple) else output
        return hook

    if blocks:
        for label in ("conv_in", "time_embedding", "conv_norm_out", "mid_block"):
            if getattr(module, label, None) is not None:
                getattr(module, label).register_forward_hook(keep(label))
        for kind in ("down_blocks", "up_blocks"):
            for i, block in enumerate(getattr(module, kind)):
                block.register_forward_hook(keep(f"{kind}.{i}"))

    def run(module, cast):
        kept.clear()
        cond = cast(inputs["timestep_cond"]) if "timestep_cond" in inputs else None
        output = module(cast(sample), torch.tensor(timestep), cast(text), timestep_cond=cond).sample
        return {"output": output, **{f"block.{label}": value.clone() for label, value in kept.items()}}

    tensors = both_precisions(module, run)
    save("models", name, {**inputs, **tensors}, config=config_of(module), shapes=shapes(module), bf16_db=BF16_DB, timestep=timestep)


def vae(name: str, height: int, width: int, tile: int | None = None, **config) -> None:
    module = AutoencoderKL(**config).eval()
    draw_weights(module)
    factor = 2 ** (len(module.config.block_out_channels) - 1)
    images = randn(1, 2 if tile is None else 1, module.config.in_channels, height, width).clamp(-2, 2) / 2
    latents = randn(2, images.shape[0], module.config.latent_channels, height // factor, width // factor)
    if tile is not None:
        module.enable_tiling()
        module.tile_sample_min_size, module.tile_latent_min_size = tile, tile // factor

    def run(module, cast):
        distribution = module.encode(cast(images)).latent_dist
        # The generator draws f32 normals in both precisions.
        noise = torch.randn(distribution.mean.shape, generator=torch.Generator("cpu").manual_seed(7), dtype=torch.float32)
        sample = distribution.mean + distribution.std * cast(noise)
        return {"mean": distribution.mean, "logvar": distribution.logvar, "latent_sample": sample, "decoded": module.decode(cast(latents)).sample}

    tensors = both_precisions(module, run)
    save("models", name, {"images": images, "latents": latents, **tensors}, config=config_of(module), shapes=shapes(module), bf16_db=BF16_DB, **({"tile": tile} if tile else {}))


def tiny_vae(name: str, height: int, width: int, **config) -> None:
    module = AutoencoderTiny(**config).eval()
    draw_weights(module)
    factor = 2 ** (len(module.config.num_decoder_blocks) - 1)
    images = randn(1, 2, module.config.in_channels, height, width).clamp(-2, 2) / 2
    # Some beyond the decoder's limit of 3.
    latents = 2 * randn(2, 2, module.config.latent_channels, height // factor, width // factor)

    def run(module, cast):
        return {"encoded": module.encode(cast(images)).latents, "decoded": module.decode(cast(latents)).sample}

    tensors = both_precisions(module, run)
    save("models", name, {"images": images, "latents": latents, **tensors}, config=config_of(module), shapes=shapes(module), bf16_db=BF16_DB)


CROSS, PLAIN = "CrossAttn", ""


def block_types(down: list[str], up: list[str]) -> dict:
    return {"down_block_types": [f"{kind}DownBlock2D" for kind in down], "up_block_types": [f"{kind}UpBlock2D" for kind in up]}


SMALL = {"norm_num_groups": 8, "cross_attention_dim": 24}
CASES = {
    "clip_quick_gelu": lambda name: text_encoder(name, num_hidden_layers=3, hidden_act="quick_gelu"),
    "clip_gelu": lambda name: text_encoder(name, num_hidden_layers=4, hidden_act="gelu"),
    # segmind/tiny-sd and BK-SDM-Tiny: three cross-attention blocks, one layer each, no mid block.
    "unet_tiny_sd": lambda name: unet(
        name, 16, 24, batch=2, blocks=True, **SMALL, **block_types([CROSS] * 3, [CROSS] * 3), mid_block_type=None,
        block_out_channels=[16, 32, 64], layers_per_block=1, attention_head_dim=4),
    "unet_sd15": lambda name: unet(
        name, 24, 16, batch=2, blocks=True, **SMALL, **block_types([CROSS] * 3 + [PLAIN], [PLAIN] + [CROSS] * 3),
        block_out_channels=[16, 32, 48, 64], layers_per_block=2, attention_head_dim=8, timestep=981.0),
    # Stable Diffusion 2.x: linear projections, heads of one width in varying number, upcast attention.
    "unet_sd21": lambda name: unet(
        name, 16, 16, batch=2, blocks=True, **SMALL, **block_types([CROSS] * 3 + [PLAIN], [PLAIN] + [CROSS] * 3),
        block_out_channels=[16, 32, 64, 64], layers_per_block=2, attention_head_dim=[2, 4, 8, 8], use_linear_projection=True,
        upcast_attention=True),
    "unet_lcm_inpainting": lambda name: unet(
        name, 8, 12, batch=2, **SMALL, **block_types([CROSS] * 2, [CROSS] * 2), block_out_channels=[16, 32], layers_per_block=1,
        attention_head_dim=2, time_cond_proj_dim=20, in_channels=9, mid_block_scale_factor=1.5, flip_sin_to_cos=False, freq_shift=1, timestep=259.5),
    # Sides that are not multiples of 8: the decoder half upsamples to the skips' sizes.
    "unet_odd": lambda name: unet(
        name, 13, 11, **SMALL, **block_types([CROSS] * 3 + [PLAIN], [PLAIN] + [CROSS] * 3), block_out_channels=[16, 16, 32, 32],
        layers_per_block=1, attention_head_dim=2),
    "unet_varied": lambda name: unet(
        name, 10, 14, norm_num_groups=8, norm_eps=1e-4, cross_attention_dim=[20, 20, 20], **block_types([CROSS, PLAIN, CROSS], [CROSS, PLAIN, CROSS]),
        block_out_channels=[16, 24, 32], layers_per_block=[1, 2, 1], attention_head_dim=[2, 3, 4], transformer_layers_per_block=[1, 1, 2],
        only_cross_attention=[True, False, False], downsample_padding=0, conv_in_kernel=5, conv_out_kernel=1, time_embedding_dim=40, out_channels=3),
    "vae": lambda name: vae(
        name, 64, 96, down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[16, 16, 32, 32], layers_per_block=2, norm_num_groups=8),
    "vae_plain": lambda name: vae(
        name, 20, 12, down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3, block_out_channels=[8, 16, 24],
        layers_per_block=1, norm_num_groups=4, latent_channels=3, use_quant_conv=False, use_post_quant_conv=False,
        mid_block_add_attention=False, scaling_factor=0.5, force_upcast=False),
    "vae_tiny": lambda name: tiny_vae(
        name, 48, 32, encoder_block_out_channels=(16,) * 4, decoder_block_out_channels=(16,) * 4),
    "vae_tiny_varied": lambda name: tiny_vae(
        name, 20, 12, encoder_block_out_channels=(12,) * 3, decoder_block_out_channels=(20,) * 3, num_encoder_blocks=(2, 1, 1),
        num_decoder_blocks=(1, 2, 1), latent_channels=16, scaling_factor=0.5, in_channels=4),
    "vae_tiled": lambda name: vae(
        name, 88, 72, tile=32, down_block_types=["DownEncoderBlock2D"] * 3, up_block_types=["UpDecoderBlock2D"] * 3,
        block_out_channels=[8, 16, 16], layers_per_block=1, norm_num_groups=4),
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
