"""The video part of real_shapes: a full-size Stable Video Diffusion with random weights, and diffusers' frames of it."""

import gc
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from schedulers import SVD
from video import paint

SETTINGS = dict(width=128, height=128, num_frames=2, num_inference_steps=2)
SEED = 0

UNET = dict(
    sample_size=96,
    num_frames=14,
    block_out_channels=(320, 640, 1280, 1280),
    num_attention_heads=(5, 10, 20, 20),
    layers_per_block=2,
    cross_attention_dim=1024,
)
VAE = dict(
    sample_size=768,
    block_out_channels=(128, 256, 512, 512),
    down_block_types=("DownEncoderBlock2D",) * 4,
    layers_per_block=2,
    latent_channels=4,
)
VISION = dict(
    hidden_size=1280,
    intermediate_size=5120,
    num_hidden_layers=32,
    num_attention_heads=16,
    image_size=224,
    patch_size=14,
    projection_dim=1024,
    hidden_act="gelu",
)


def write_folder(folder: Path, enliven, gain: float):
    """A diffusers folder in stable-video-diffusion-img2vid's published form, in its fp16 variant; one part in memory at a time."""
    from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, UNetSpatioTemporalConditionModel
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    generator = torch.Generator().manual_seed(SEED)
    parts = {
        "unet": lambda: UNetSpatioTemporalConditionModel(**UNET),
        "vae": lambda: AutoencoderKLTemporalDecoder(**VAE),
        "image_encoder": lambda: CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION)),
    }
    for name, build in parts.items():
        model = build()
        enliven(model, generator, gain)
        with torch.no_grad():
            for key, value in model.named_parameters():
                if key.endswith("mix_factor"):
                    value.normal_(generator=generator)
        print(f"{name}: {sum(value.numel() for value in model.parameters()):,} parameters")
        model.half().save_pretrained(folder / name, variant="fp16")
        del model
        gc.collect()
    EulerDiscreteScheduler.from_config(SVD).save_pretrained(folder / "scheduler")
    CLIPImageProcessor().save_pretrained(folder / "feature_extractor")
    index = {
        "_class_name": "StableVideoDiffusionPipeline",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
        "unet": ["diffusers", "UNetSpatioTemporalConditionModel"],
        "vae": ["diffusers", "AutoencoderKLTemporalDecoder"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")


@torch.no_grad()
def make_frames(folder: Path, picture: Image.Image) -> list[Image.Image]:
    """diffusers' frames, in f32."""
    from diffusers import StableVideoDiffusionPipeline

    pipe = StableVideoDiffusionPipeline.from_pretrained(folder, variant="fp16", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe(picture, generator=torch.Generator("cpu").manual_seed(SEED), **SETTINGS).frames[0]


def write(out: Path, enliven, gain: float):
    """Writes everything below OUT."""
    write_folder(out / "fp16", enliven, gain)
    picture = paint(160, 120)
    picture.save(out / "picture.png")
    (out / "frames").mkdir()
    for index, frame in enumerate(make_frames(out / "fp16", picture)):
        frame.save(out / "frames" / f"{index:05}.png")
        print(f"frame {index}: standard deviation {np.asarray(frame).std():.1f} of 255")
