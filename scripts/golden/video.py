"""Goldens of Stable Video Diffusion's parts: image encoder, its preprocessing, temporal autoencoder, with drawn weights, in f32.

Each model's file holds inputs and expected outputs, the configuration as in the model's config.json, and the parameters' shapes; every case
also runs in f64, as in models.py. Preprocessing is diffusers' own function on painted images.

    python scripts/golden/video.py [--only NAME]
"""

import argparse
import types

import numpy as np
import torch
from common import draw_weights, save, shapes
from diffusers import AutoencoderKL, AutoencoderKLTemporalDecoder
from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import _resize_with_antialiasing
from diffusers.video_processor import VideoProcessor
from models import BF16_DB, both_precisions, config_of, randn
from PIL import Image
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

# Numbers of frames for a decoder, which do and do not fill its window of three.
FRAMES = (1, 2, 3, 5)
# Image sizes, width first: shrunk, enlarged, both at once, no larger than the blur's window, and unchanged.
SIZES = ((100, 75), (37, 23), (300, 20), (2, 3), (32, 32))
SIDE = 32


def image_encoder(name: str, **config) -> None:
    config = CLIPVisionConfig(hidden_size=32, intermediate_size=64, num_attention_heads=4, projection_dim=24, **config)
    module = draw_weights(CLIPVisionModelWithProjection(config).eval())
    pixels = randn(3, 2, 3, config.image_size, config.image_size)
    tensors = both_precisions(module, lambda module, cast: {"image_embeds": module(cast(pixels)).image_embeds})
    config = {key: value for key, value in config.to_dict().items() if not key.startswith("_")}
    save("video", name, {"pixels": pixels, **tensors}, config=config, shapes=shapes(module), bf16_db=BF16_DB)


class Tiled:
    """AutoencoderKL's own tiling for a decoder of clips, which has none."""

    def __init__(self, module: AutoencoderKLTemporalDecoder, tile: int, factor: int):
        self.module, self.tile_sample_min_size, self.tile_latent_min_size, self.tile_overlap_factor = module, tile, tile // factor, 0.25
        self.config = types.SimpleNamespace(use_post_quant_conv=False)

    blend_v, blend_h, tiled_decode = AutoencoderKL.blend_v, AutoencoderKL.blend_h, AutoencoderKL.tiled_decode

    def decoder(self, latents: torch.Tensor) -> torch.Tensor:
        return self.module.decode(latents, num_frames=latents.shape[0]).sample


def autoencoder(name: str, height: int, width: int, frames=FRAMES, tile: int | None = None, **config) -> None:
    module = AutoencoderKLTemporalDecoder(**config).eval()
    draw_weights(module)
    mixes = {key: value.item() for key, value in module.named_parameters() if key.endswith("mix_factor")}
    assert min(mixes.values()) < 0 < max(mixes.values()), mixes
    factor = 2 ** (len(module.config.block_out_channels) - 1)
    # Larger than the frames: with few latents the bf16 rounding would be meaningless.
    images = randn(1, 2, 3, 2 * height, 2 * width).clamp(-2, 2) / 2
    latents = randn(2, max(frames), 4, height // factor, width // factor)

    def run(module, cast):
        distribution = module.encode(cast(images)).latent_dist
        tensors = {"mean": distribution.mean, "logvar": distribution.logvar}
        for count in frames:
            tensors[f"decoded.{count}"] = module.decode(cast(latents[:count]), num_frames=count).sample
        if tile is not None:
            tensors["tiled"] = Tiled(module, tile, factor).tiled_decode(cast(latents)).sample
        return tensors

    tensors = both_precisions(module, run)
    extra = {} if tile is None else {"tile": tile}
    save("video", name, {"images": images, "latents": latents, **tensors}, config=config_of(module), shapes=shapes(module), bf16_db=BF16_DB, **extra)


def paint(width: int, height: int) -> Image.Image:
    """An image with edges, gradients and noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 7 + y / 11), np.cos(x / 5), np.sin(y / 3)], axis=-1) * 100 + 128
    noise = np.random.default_rng(width * 1000 + height).normal(0, 25, (height, width, 3))
    waves[height // 4 : height // 2, width // 3 : width // 2] = (250, 10, 120)
    return Image.fromarray((waves + noise).clip(0, 255).astype(np.uint8))


def preprocessing(name: str) -> None:
    processor, tensors = CLIPImageProcessor(), {}

    def clip_pixels(picture: Image.Image, side: int) -> torch.Tensor:
        # As in StableVideoDiffusionPipeline._encode_image.
        image = VideoProcessor.numpy_to_pt(VideoProcessor.pil_to_numpy(picture)) * 2.0 - 1.0
        image = (_resize_with_antialiasing(image, (side, side)) + 1.0) / 2.0
        options = dict(do_normalize=True, do_center_crop=False, do_resize=False, do_rescale=False, return_tensors="pt")
        return processor(images=image, **options).pixel_values

    for width, height in SIZES:
        picture = paint(width, height)
        tensors[f"picture.{width}x{height}"] = torch.from_numpy(np.array(picture))
        tensors[f"pixels.{width}x{height}"] = clip_pixels(picture, SIDE)
    # At the real side, and as VideoProcessor passes it to the autoencoder.
    picture = paint(*SIZES[0])
    tensors["pixels.224"] = clip_pixels(picture, 224)
    tensors["video.64x48"] = VideoProcessor(do_resize=True, vae_scale_factor=8).preprocess(picture, height=48, width=64)
    for key, value in tensors.items():
        print(f"    {key}: {tuple(value.shape)} {value.dtype}")
    config = {key: list(value) if isinstance(value, tuple) else value for key, value in processor.to_dict().items()}
    save("video", name, tensors, config=config, side=SIDE)


DOWN = {"down_block_types": ["DownEncoderBlock2D"] * 3}
CASES = {
    "clip_vision_gelu": lambda name: image_encoder(name, num_hidden_layers=3, hidden_act="gelu", image_size=28, patch_size=7),
    # A side that is not a multiple of the patch: the last pixels are dropped.
    "clip_vision_quick_gelu": lambda name: image_encoder(name, num_hidden_layers=2, hidden_act="quick_gelu", image_size=30, patch_size=8),
    "vae_temporal": lambda name: autoencoder(name, 32, 48, **DOWN, block_out_channels=[32, 32, 64], layers_per_block=2),
    # With one layer per level, diffusers' class creates an attention in the middle of the decoder and never runs it.
    "vae_temporal_shallow": lambda name: autoencoder(
        name, 24, 16, frames=(1, 3), **DOWN, block_out_channels=[32, 32, 32], layers_per_block=1, scaling_factor=0.5, force_upcast=False),
    "vae_temporal_tiled": lambda name: autoencoder(
        name, 56, 44, frames=(3,), tile=32, **DOWN, block_out_channels=[32, 32, 32], layers_per_block=1),
    "preprocessing": preprocessing,
}  # fmt: skip


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
