"""Writes the goldens of whole videos: diffusers' own StableVideoDiffusionPipeline on a tiny model whose weights are drawn by name.

The model's configuration files are written as a diffusers folder without weights; frames and the input image as one safetensors file. The
script refuses to write videos without contrast or variation: frames with a standard deviation below 30 of 255, or a video that hardly
depends on seed, image, motion, chunks or a call's other arguments, would let a broken pipeline pass.
"""

import argparse
import json
import shutil

import numpy as np
import torch
from common import GOLDEN, draw_weights, save, shapes
from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, StableVideoDiffusionPipeline, UNetSpatioTemporalConditionModel
from pipelines import psnr
from PIL import Image
from schedulers import SVD
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection
from video import paint

MODEL = GOLDEN / "video" / "model"

UNET = {
    "sample_size": 12,
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": [32, 64],
    "layers_per_block": 1,
    "down_block_types": ["CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"],
    "up_block_types": ["UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"],
    "num_attention_heads": [2, 4],
    "cross_attention_dim": 24,
    "addition_time_embed_dim": 32,
    "projection_class_embeddings_input_dim": 96,
    "num_frames": 6,
}
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "block_out_channels": [32, 32, 32, 32],
    "layers_per_block": 1,
    "latent_channels": 4,
    "sample_size": 96,
    "scaling_factor": 0.5,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 224,
    "patch_size": 32,
    "projection_dim": 24,
    "hidden_act": "gelu",
}


def case(**changes):
    """One call, with the most common arguments."""
    return {
        "width": 96, "height": 64, "num_frames": None, "steps": 5, "min_guidance_scale": 1.0, "max_guidance_scale": 3.0, "fps": 7,
        "motion_bucket_id": 127, "noise_aug_strength": 0.02, "decode_chunk_size": None, "seed": 11, **changes,
    }  # fmt: skip


CASES = {
    "own": case(),
    "chunks_of_2": case(decode_chunk_size=2),
    "chunks_of_3": case(decode_chunk_size=3),
    # The last chunk has 2 frames.
    "chunks_of_4": case(decode_chunk_size=4),
    "chunks_of_more": case(decode_chunk_size=9, num_frames=5),
    "strong_augmentation": case(noise_aug_strength=0.3, decode_chunk_size=4),
    "unguided": case(max_guidance_scale=1.0, decode_chunk_size=5),
    "falling_guidance": case(min_guidance_scale=4.0, max_guidance_scale=1.5),
    "other_motion": case(fps=25, motion_bucket_id=20, steps=8),
    "odd_size": case(width=72, height=104, num_frames=3),
    # diffusers checks the largest scale in use, and fails if that is the first one with a value of 1.
    "one_frame": case(num_frames=1, min_guidance_scale=2.0, seed=12),
}
# Cases that are also generated in bf16, to measure diffusers' own rounding.
IN_BF16 = ("own", "chunks_of_4", "odd_size")
# A test that requires 55 dB must detect each of these changes to "own".
TELLING = [
    {"fps": 8}, {"motion_bucket_id": 100}, {"noise_aug_strength": 0.03}, {"min_guidance_scale": 1.2}, {"max_guidance_scale": 2.5},
    {"decode_chunk_size": 4}, {"steps": 6},
]  # fmt: skip


def write_json(path: str, content: dict) -> None:
    (MODEL / path).parent.mkdir(parents=True, exist_ok=True)
    # Unlike diffusers' own files: its list of default fields would cancel edits of those fields.
    content = {key: value for key, value in content.items() if key != "_use_default_values"}
    (MODEL / path).write_text(json.dumps(content, indent=1) + "\n")


def build() -> StableVideoDiffusionPipeline:
    """Builds the pipeline and writes its configurations."""
    vision = CLIPVisionConfig(**VISION)
    pipeline = StableVideoDiffusionPipeline(
        vae=draw_weights(AutoencoderKLTemporalDecoder(**VAE)).eval(),
        image_encoder=draw_weights(CLIPVisionModelWithProjection(vision)).eval(),
        unet=draw_weights(UNetSpatioTemporalConditionModel(**UNET)).eval(),
        scheduler=EulerDiscreteScheduler.from_config(SVD),
        feature_extractor=CLIPImageProcessor(),
    )
    pipeline.set_progress_bar_config(disable=True)
    shutil.rmtree(MODEL, ignore_errors=True)
    parts = {
        "unet": ["diffusers", "UNetSpatioTemporalConditionModel"], "vae": ["diffusers", "AutoencoderKLTemporalDecoder"],
        "image_encoder": ["transformers", "CLIPVisionModelWithProjection"], "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "scheduler": ["diffusers", "EulerDiscreteScheduler"],
    }  # fmt: skip
    write_json("model_index.json", {"_class_name": "StableVideoDiffusionPipeline", **parts})
    write_json("unet/config.json", dict(pipeline.unet.config))
    write_json("vae/config.json", dict(pipeline.vae.config))
    write_json("image_encoder/config.json", {"architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model", **VISION})
    write_json("feature_extractor/preprocessor_config.json", {key: list(value) if isinstance(value, tuple) else value for key, value in pipeline.feature_extractor.to_dict().items()})
    write_json("scheduler/scheduler_config.json", SVD)
    return pipeline


@torch.no_grad()
def make(pipeline: StableVideoDiffusionPipeline, call: dict, picture: Image.Image, **changes) -> np.ndarray:
    """The frames of one call, [frames, height, width, 3] bytes."""
    call = {**call, **changes}
    names = ["width", "height", "num_frames", "min_guidance_scale", "max_guidance_scale", "fps", "motion_bucket_id", "noise_aug_strength", "decode_chunk_size"]
    arguments = {name: call[name] for name in names}
    generator = torch.Generator("cpu").manual_seed(call["seed"])
    if pipeline.unet.dtype == torch.bfloat16:
        # The same f32 latents, rounded: diffusers would draw different numbers in bf16.
        drawn = torch.Generator("cpu").manual_seed(call["seed"])
        height, width = call["height"], call["width"]
        torch.randn((1, 3, height, width), generator=drawn)
        shape = (1, call["num_frames"] or UNET["num_frames"], 4, height // 8, width // 8)
        arguments["latents"] = torch.randn(shape, generator=drawn).to(torch.bfloat16)
    frames = pipeline(picture, num_inference_steps=call["steps"], generator=generator, output_type="pil", **arguments).frames[0]
    return np.stack([np.array(frame) for frame in frames])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--look", metavar="FOLDER", help="also write each video there as a PNG strip")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pipeline, rounded = build(), build().to(torch.bfloat16)
    picture, other = paint(120, 80), paint(80, 120)
    tensors, faults = {"image": torch.from_numpy(np.array(picture))}, []
    for name, call in CASES.items():
        frames = make(pipeline, call, picture)
        if name in IN_BF16:
            call["bf16_psnr"] = psnr(frames, make(rounded, call, picture))
            print(f"{name} in bf16: {call['bf16_psnr']:.1f} dB")
        seed = psnr(frames, make(pipeline, call, picture, seed=call["seed"] + 1))
        image = psnr(frames, make(pipeline, call, other))
        print(f"{name}: {len(frames)} frames, deviation {frames.std():.1f}, another seed {seed:.1f} dB, another picture {image:.1f} dB")
        if min(frame.std() for frame in frames) < 30 or seed > 25 or image > 40:
            faults.append(name)
        tensors[name] = torch.from_numpy(frames)
        if options.look:
            strip = Image.fromarray(np.concatenate(list(frames), axis=1))
            strip.resize((strip.width * 2, strip.height * 2), 0).save(f"{options.look}/{name}.png")
    for changes in TELLING:
        found = psnr(make(pipeline, CASES["own"], picture, **changes), tensors["own"].numpy())
        print(f"{changes}: {found:.1f} dB")
        if found > 50:
            faults.append(str(changes))
    if faults:
        raise SystemExit(f"too little variation: {', '.join(faults)}")
    models = {"unet": pipeline.unet, "vae": pipeline.vae, "image_encoder": pipeline.image_encoder}
    save("video", "videos", tensors, calls=CASES, shapes={part: shapes(model) for part, model in models.items()})


if __name__ == "__main__":
    main()
