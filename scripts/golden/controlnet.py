"""Goldens of ControlNets: the model alone, and whole images of diffusers' pipelines with one net and with two.

The models are checked as in models.py. The images are those of the tiny models of pipelines.py and sdxl.py, whose configurations this
script writes again, with nets whose weights are drawn by their names behind the net's own.

    python scripts/golden/controlnet.py [--look FOLDER] [--only NAME]
"""

import argparse

import diffusers
import numpy as np
import pipelines
import sdxl
import torch
from common import draw, draw_weights, save, shapes
from diffusers import ControlNetModel
from models import BF16_DB, CROSS, PLAIN, both_precisions, config_of, randn
from PIL import Image, ImageDraw
from pipelines import paint, psnr

SMALL = {"norm_num_groups": 4, "cross_attention_dim": 24, "conditioning_embedding_out_channels": [4, 8, 12]}


def down(*kinds: str) -> dict:
    return {"down_block_types": [f"{kind}DownBlock2D" for kind in kinds]}


def model(name: str, height: int, width: int, batch: int = 2, timestep: float = 481.0, scale: float = 1.0, guess_mode: bool = False,
          pooled: int = 0, **config) -> None:
    if pooled:
        config |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": pooled + 6 * 8}
    module = ControlNetModel(**SMALL, **config).eval()
    draw_weights(module)
    side = 2 ** (len(module.config.conditioning_embedding_out_channels) - 1)
    inputs = {
        "sample": randn(1, batch, module.config.in_channels, height, width), "encoder_hidden_states": randn(2, batch, 7, 24),
        "controlnet_cond": randn(5, 1, module.config.conditioning_channels, height * side, width * side).abs().clamp(0, 1),
    }  # fmt: skip
    if pooled:
        inputs["text_embeds"] = randn(4, batch, pooled)
        inputs["time_ids"] = torch.tensor([[1024, 768, 0, 16, 1016, 760], [512, 512, 3, 0, 512, 512]]).float()

    def run(module, cast):
        added = {"text_embeds": cast(inputs["text_embeds"]), "time_ids": inputs["time_ids"]} if pooled else None
        condition = cast(inputs["controlnet_cond"]).repeat(batch, 1, 1, 1)
        down, middle = module(cast(inputs["sample"]), torch.tensor(timestep), cast(inputs["encoder_hidden_states"]), condition,
                              conditioning_scale=scale, guess_mode=guess_mode, added_cond_kwargs=added, return_dict=False)
        return {**{f"down.{index}": residual for index, residual in enumerate(down)}, "middle": middle}

    tensors = both_precisions(module, run)
    save("controlnet", name, {**inputs, **tensors}, config=config_of(module), shapes=shapes(module), bf16_db=BF16_DB, timestep=timestep,
         conditioning_scale=scale, guess_mode=guess_mode)


PARTS = {
    "net_sd15": lambda name: model(
        name, 12, 16, **down(CROSS, CROSS, PLAIN), block_out_channels=[16, 24, 32], layers_per_block=2, attention_head_dim=4, scale=0.8),
    "net_odd": lambda name: model(
        name, 9, 7, **down(PLAIN, CROSS), block_out_channels=[16, 32], layers_per_block=1, attention_head_dim=4,
        controlnet_conditioning_channel_order="bgr", guess_mode=True, scale=1.5),
    "net_sdxl": lambda name: model(
        name, 16, 24, pooled=20, **down(PLAIN, CROSS, CROSS), block_out_channels=[16, 32, 64], layers_per_block=2,
        attention_head_dim=[2, 4, 8], transformer_layers_per_block=[1, 2, 3], use_linear_projection=True),
    # diffusers' small nets of Stable Diffusion XL have no transformers; a net that was trained on shuffled images pools its results.
    "net_pooled": lambda name: model(
        name, 8, 8, batch=4, **down(PLAIN, PLAIN), mid_block_type="UNetMidBlock2D", block_out_channels=[48, 64], layers_per_block=1,
        attention_head_dim=4, global_pool_conditions=True, guess_mode=True, scale=0.7, conditioning_channels=1),
}  # fmt: skip

EMBEDDING = {"conditioning_embedding_out_channels": [8, 12, 16, 24]}
# The factor of the embedding's weights; tests/it/controlnet.rs multiplies them too.
EMBEDDING_SCALE = 2.5
NET = {
    "block_out_channels": [32, 64], "layers_per_block": 1, "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "attention_head_dim": 4, "cross_attention_dim": 32, "norm_num_groups": 8, **EMBEDDING,
}  # fmt: skip
XL_NET = {
    "block_out_channels": [32, 64], "layers_per_block": 1, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"],
    "attention_head_dim": [2, 4], "transformer_layers_per_block": [1, 1], "use_linear_projection": True, "cross_attention_dim": 72,
    "norm_num_groups": 8, "addition_embed_type": "text_time", "addition_time_embed_dim": 16,
    "projection_class_embeddings_input_dim": 48 + 6 * 16, **EMBEDDING,
}  # fmt: skip
NETS = {
    "edges": NET,
    "depth": {**NET, "controlnet_conditioning_channel_order": "bgr"},
    "shuffle": {**NET, "global_pool_conditions": True},
    "xl_edges": XL_NET,
    "xl_plain": {**XL_NET, "down_block_types": ["DownBlock2D", "DownBlock2D"], "mid_block_type": "UNetMidBlock2D"},
}


def control(net: str, weight: float = 1.0, start: float = 0.0, end: float = 1.0, image: str = "lines") -> dict:
    return {"net": net, "weight": weight, "start": start, "end": end, "image": image}


def case(*controls: dict, guess_mode: bool = False, **changes) -> dict:
    return pipelines.case(controls=list(controls), guess_mode=guess_mode, **{"steps": 6, **changes})


def xl_case(*controls: dict, guess_mode: bool = False, **changes) -> dict:
    return sdxl.case(controls=list(controls), guess_mode=guess_mode, **changes)


CASES = {
    "noise": ("StableDiffusionControlNetPipeline", {
        "one": case(control("edges"), negative_prompt=pipelines.NEGATIVE),
        "weight": case(control("depth", weight=0.4), scheduler="euler", width=72, height=104),
        "window": case(control("edges", start=0.2, end=0.7), scheduler="dpmpp-2m"),
        "window_of_heun": case(control("edges", start=0.25, end=0.6), scheduler="heun", steps=5),
        "two": case(control("edges", weight=0.7), control("depth", weight=0.5, end=0.6, image="ground"), scheduler="ddim"),
        "guess": case(control("edges"), guess_mode=True, prompt="", scheduler="unipc"),
        "guess_unguided": case(control("edges", weight=1.2), guess_mode=True, guidance_scale=1.0, scheduler="euler"),
        "guess_two": case(control("depth", start=0.4), control("edges", weight=0.5, image="ground"), guess_mode=True, scheduler="euler"),
        "unguided": case(control("depth"), guidance_scale=1.0, scheduler="euler-ancestral"),
        "pooled": case(control("shuffle"), scheduler="euler"),
        "pooled_second": case(control("edges"), control("shuffle", image="ground"), scheduler="euler"),
        "consistency": case(control("edges"), scheduler="lcm", steps=4, guidance_scale=8.5, unet={"time_cond_proj_dim": 32}),
    }),
    "image": ("StableDiffusionControlNetImg2ImgPipeline", {
        "one": case(control("edges", weight=0.8), strength=0.6, steps=10, scheduler="ddim"),
        "window": case(control("edges", start=0.2, end=0.6), strength=0.7, steps=8, scheduler="euler"),
        "two_guess": case(control("edges"), control("depth", image="ground"), guess_mode=True, strength=0.75),
    }),
    "inpaint": ("StableDiffusionControlNetInpaintPipeline", {
        "one": case(control("edges"), strength=0.75, steps=8),
        "full_strength": case(control("depth", weight=0.6), strength=1.0, scheduler="euler-ancestral"),
        "trained_for_it": case(control("edges", end=0.5), strength=1.0, scheduler="euler-ancestral", unet={"in_channels": 9}),
    }),
    "xl_noise": ("StableDiffusionXLControlNetPipeline", {
        "one": xl_case(control("xl_edges"), negative_prompt=sdxl.NEGATIVE),
        "sizes": xl_case(control("xl_edges", weight=0.5), xl={**sdxl.SIZES, **sdxl.NEGATIVE_SIZES}, width=72, height=104),
        "two": xl_case(control("xl_edges", start=0.3), control("xl_plain", weight=0.6, image="ground"), scheduler="dpmpp-2m-karras"),
        "guess": xl_case(control("xl_edges"), guess_mode=True, negative_prompt=sdxl.NEGATIVE),
        "turbo": xl_case(control("xl_edges"), steps=2, guidance_scale=0.0, scheduler_config=sdxl.TURBO),
    }),
    "xl_image": ("StableDiffusionXLControlNetImg2ImgPipeline", {
        "one": xl_case(control("xl_edges", weight=0.8, end=0.5), strength=0.6, negative_prompt=sdxl.NEGATIVE),
    }),
    "xl_inpaint": ("StableDiffusionXLControlNetInpaintPipeline", {
        "one": xl_case(control("xl_edges"), strength=0.75, negative_prompt=sdxl.NEGATIVE),
    }),
}  # fmt: skip


def paint_controls() -> dict[str, Image.Image]:
    """Two control images, neither of an output's size."""
    lines = Image.new("RGB", (110, 90), 0)
    pen = ImageDraw.Draw(lines)
    pen.ellipse((15, 10, 70, 65), outline=(255, 255, 255), width=3)
    pen.rectangle((60, 30, 100, 80), outline=(255, 200, 90), width=2)
    y, x = np.mgrid[0:60, 0:140]
    ground = np.stack([x * 255 / 140, 255 - y * 255 / 60, 128 + 100 * np.cos(x / 11 - y / 7)], axis=-1)
    return {"lines": lines, "ground": Image.fromarray(ground.clip(0, 255).astype(np.uint8))}


class Nets:
    """The nets, in f32, with weights drawn by the net's name and the tensor's."""

    def __init__(self):
        self.nets = {}
        for name, config in NETS.items():
            net = ControlNetModel(**config).eval()
            with torch.no_grad():
                for tensor, parameter in net.named_parameters():
                    # Otherwise little is left of the control image behind so many layers.
                    scale = EMBEDDING_SCALE if "controlnet_cond_embedding" in tensor and tensor.endswith(".weight") else 1.0
                    parameter.copy_(draw(f"{name}.{tensor}", parameter.shape) * scale)
            self.nets[name] = net


def make(models, nets: Nets, kind: str, call: dict, given: tuple[Image.Image, Image.Image], drawn: dict[str, Image.Image],
         **changes) -> np.ndarray:
    """The image of one call, [height, width, 3] bytes."""
    call = {**call, **changes}
    size = (call["width"], call["height"])
    chosen = [nets.nets[control["net"]] for control in call["controls"]]

    def each(key):
        values = [control[key] for control in call["controls"]]
        return values if len(values) > 1 else values[0]

    def pipeline_of(kind, **parts):
        return getattr(diffusers, kind)(**parts, controlnet=chosen if len(chosen) > 1 else chosen[0])

    arguments = {
        "prompt": call["prompt"], "negative_prompt": call["negative_prompt"], "num_inference_steps": call["steps"],
        "guidance_scale": call["guidance_scale"], "generator": torch.Generator("cpu").manual_seed(call["seed"]), "output_type": "pil",
        "controlnet_conditioning_scale": each("weight"), "control_guidance_start": each("start"), "control_guidance_end": each("end"),
        "guess_mode": call["guess_mode"], "width": size[0], "height": size[1],
        **{key: tuple(value) if isinstance(value, list) else value for key, value in call.get("xl", {}).items()},
    }  # fmt: skip
    images = [drawn[control["image"]] for control in call["controls"]]
    images = images if len(images) > 1 else images[0]
    if "Img2Img" in kind:
        arguments |= {"image": given[0].resize(size, Image.LANCZOS), "control_image": images, "strength": call["strength"]}
    elif "Inpaint" in kind:
        arguments |= {"image": given[0], "mask_image": given[1], "control_image": images, "strength": call["strength"]}
    else:
        arguments |= {"image": images}
    base = {
        "StableDiffusionControlNetPipeline": "StableDiffusionPipeline",
        "StableDiffusionControlNetImg2ImgPipeline": "StableDiffusionImg2ImgPipeline",
        "StableDiffusionControlNetInpaintPipeline": "StableDiffusionInpaintPipeline",
        "StableDiffusionXLControlNetPipeline": "StableDiffusionXLPipeline",
        "StableDiffusionXLControlNetImg2ImgPipeline": "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLControlNetInpaintPipeline": "StableDiffusionXLInpaintPipeline",
    }[kind]
    plain = models.pipeline(base, call)
    parts = {name: part for name, part in plain.components.items() if name not in ("image_encoder", "feature_extractor", "safety_checker")}
    if "XL" in kind:
        arguments["negative_prompt"] = call["negative_prompt"] or None
        parts |= {"add_watermarker": False, "force_zeros_for_empty_prompt": plain.config.force_zeros_for_empty_prompt}
    else:
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipeline = pipeline_of(kind, **parts)
    pipeline.set_progress_bar_config(disable=True)
    with torch.no_grad():
        return np.array(pipeline(**arguments).images[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look", metavar="FOLDER", help="also write the images there as PNG")
    parser.add_argument("--only", default="", help="run only the cases whose name contains this, and write no images' golden")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name, write in PARTS.items():
        if options.only in name:
            print(name)
            write(name)
    one, xl, nets = pipelines.Models(pipelines.write_model_folder(), torch.float32), sdxl.Models(sdxl.write_model_folder()), Nets()
    given, drawn = paint(), paint_controls()
    tensors = {name: torch.from_numpy(np.array(image)) for name, image in drawn.items()}
    calls, faults = {}, []
    for group, (kind, cases) in CASES.items():
        for name, call in cases.items():
            if options.only not in f"{group}.{name}":
                continue
            models = xl if group.startswith("xl") else one
            image = make(models, nets, kind, call, given, drawn)
            unlike = {"seed": psnr(image, make(models, nets, kind, call, given, drawn, seed=call["seed"] + 1))}
            # Every field of every control must matter, so that one that is dropped is detected.
            for index, chosen in enumerate(call["controls"]):
                usual = {"weight": 0.0, "start": 0.0, "end": 1.0, "image": {"lines": "ground", "ground": "lines"}[chosen["image"]]}
                for field, value in usual.items():
                    if chosen[field] != value:
                        changed = [{**other, **({field: value} if at == index else {})} for at, other in enumerate(call["controls"])]
                        unlike[f"{index}.{field}"] = psnr(image, make(models, nets, kind, call, given, drawn, controls=changed))
            if call["controls"][0]["net"] != "shuffle":
                unlike["guess_mode"] = psnr(image, make(models, nets, kind, call, given, drawn, guess_mode=not call["guess_mode"]))
            print(f"{group}.{name}: deviation {image.std():.1f}, without " + ", ".join(f"{key} {value:.1f} dB" for key, value in unlike.items()))
            if image.std() < 30 or unlike["seed"] > 25 or max(unlike.values()) > 50:
                faults.append(f"{group}.{name}")
            tensors[f"{group}.{name}"] = torch.from_numpy(image)
            calls[f"{group}.{name}"] = call
            if options.look:
                Image.fromarray(image).resize((image.shape[1] * 4, image.shape[0] * 4), 0).save(f"{options.look}/{group}.{name}.png")
    if faults:
        raise SystemExit(f"too little variation: {', '.join(faults)}")
    if not options.only:
        configs = {name: config_of(net) for name, net in nets.nets.items()}
        save("controlnet", "images", tensors, calls=calls, nets=configs, shapes={name: shapes(net) for name, net in nets.nets.items()})


if __name__ == "__main__":
    main()
