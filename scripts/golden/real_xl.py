"""The Stable Diffusion XL part of real_shapes: a full-size model with random weights, and diffusers' image of it."""

import gc
import json
from pathlib import Path

import torch
from common import GOLDEN
from PIL import Image
from sdxl import SCHEDULER

SETTINGS = dict(width=256, height=256, num_inference_steps=2, guidance_scale=5.0)
SEED = 0
# Its ids are read from tokenizer/prompts.json, so that no vocabulary is needed: a folder without one uses OpenAI's.
PROMPT = "a cat, oil painting"

UNET = dict(
    sample_size=128,
    block_out_channels=(320, 640, 1280),
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    layers_per_block=2,
    attention_head_dim=(5, 10, 20),
    transformer_layers_per_block=(1, 2, 10),
    use_linear_projection=True,
    cross_attention_dim=2048,
    addition_embed_type="text_time",
    addition_time_embed_dim=256,
    projection_class_embeddings_input_dim=2816,
)
VAE = dict(
    sample_size=1024,
    block_out_channels=(128, 256, 512, 512),
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    layers_per_block=2,
    latent_channels=4,
    scaling_factor=0.13025,
)
TEXT = dict(
    hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, projection_dim=768, bos_token_id=0, eos_token_id=2,
    pad_token_id=1,
)  # fmt: skip
TEXT_2 = dict(
    hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, projection_dim=1280, hidden_act="gelu",
    bos_token_id=0, eos_token_id=2, pad_token_id=1,
)  # fmt: skip


def write_folder(folder: Path, enliven, gain: float):
    """A diffusers folder in stable-diffusion-xl-base-1.0's published form, in its fp16 variant; one part in memory at a time."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    generator = torch.Generator().manual_seed(SEED)
    parts = {
        "unet": lambda: UNet2DConditionModel(**UNET),
        "vae": lambda: AutoencoderKL(**VAE),
        "text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**TEXT)),
        "text_encoder_2": lambda: CLIPTextModelWithProjection(CLIPTextConfig(**TEXT_2)),
    }
    for name, build in parts.items():
        model = build()
        enliven(model, generator, gain)
        print(f"{name}: {sum(value.numel() for value in model.parameters()):,} parameters")
        model.half().save_pretrained(folder / name, variant="fp16")
        del model
        gc.collect()
    # The tokenizers differ in their padding only.
    files = {
        "scheduler/scheduler_config.json": SCHEDULER, "tokenizer/special_tokens_map.json": {"pad_token": "<|endoftext|>"},
        "tokenizer_2/special_tokens_map.json": {"pad_token": "!"},
        "model_index.json": {
            "_class_name": "StableDiffusionXLPipeline", "force_zeros_for_empty_prompt": True,
            "scheduler": ["diffusers", "EulerDiscreteScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
            "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "tokenizer": ["transformers", "CLIPTokenizer"],
            "tokenizer_2": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
    }  # fmt: skip
    for path, content in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content, indent=2) + "\n")


def prompt_ids(padding: int) -> torch.Tensor:
    prompts = json.loads((GOLDEN / "tokenizer" / "prompts.json").read_text())
    ids = prompts["configs"]["sd1"]["expected"][prompts["prompts"].index(PROMPT)][0]
    return torch.tensor([ids + [padding] * (77 - len(ids))])


@torch.no_grad()
def make_image(folder: Path) -> Image.Image:
    """diffusers' image, in f32, without a negative prompt."""
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    def load(kind, part: str):
        return kind.from_pretrained(folder / part, variant="fp16", torch_dtype=torch.float32).eval()

    states = []
    for kind, part, padding in [(CLIPTextModel, "text_encoder", 49407), (CLIPTextModelWithProjection, "text_encoder_2", 0)]:
        output = load(kind, part)(prompt_ids(padding), output_hidden_states=True)
        states.append(output.hidden_states[-2])
        pooled = output[0]
        gc.collect()
    embeds = torch.cat(states, -1)
    pipe = StableDiffusionXLPipeline(
        unet=load(UNet2DConditionModel, "unet"), vae=load(AutoencoderKL, "vae"), text_encoder=None, text_encoder_2=None, tokenizer=None,
        tokenizer_2=None, scheduler=EulerDiscreteScheduler.from_config(SCHEDULER), add_watermarker=False,
    )  # fmt: skip
    pipe.set_progress_bar_config(disable=True)
    return pipe(
        prompt_embeds=embeds, pooled_prompt_embeds=pooled, negative_prompt_embeds=torch.zeros_like(embeds),
        negative_pooled_prompt_embeds=torch.zeros_like(pooled), generator=torch.Generator("cpu").manual_seed(SEED), **SETTINGS,
    ).images[0]  # fmt: skip


def write(out: Path, enliven, gain: float):
    """Writes everything below OUT."""
    write_folder(out / "fp16", enliven, gain)
    image = make_image(out / "fp16")
    image.save(out / "picture.png")
    print(f"{out / 'picture.png'}: range {image.getextrema()}; prompt: {PROMPT}")
