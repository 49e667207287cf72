"""Goldens for weight loading: torch files of every kind, and CompVis checkpoints with diffusers' conversions.

The checkpoints themselves are not stored: `fill` below generates their tensors, and the test repeats it. Stored are names, shapes and, for
each tensor of diffusers' own conversion, two sums over its elements.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import sys
import types
import warnings

import numpy as np
import torch
from common import GOLDEN, versions
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils as single_file
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

OUT = GOLDEN / "weights"


# ---- torch files ----------------------------------------------------------------------------------------------------------------


class Evil:
    """Runs a command when unpickled by torch.load(weights_only=False)."""

    def __reduce__(self):
        return os.system, ("touch evil-marker",)


def torch_files():
    generator = torch.Generator().manual_seed(0)

    def randn(*shape):
        return torch.randn(shape, generator=generator)

    base = randn(6, 5)
    tensors = {
        "contiguous": randn(3, 4),
        "channels_last": randn(4, 6, 3, 3).to(memory_format=torch.channels_last),
        "transposed": randn(5, 7).t(),
        "permuted": randn(2, 3, 4).permute(1, 2, 0),
        "sliced_with_offset": base[1:5, 2:4],
        "shared_storage": base,
        "expanded": randn(1, 4).expand(3, 4),
        "every_other": randn(8)[::2],
        "scalar": randn(1)[0].clone(),
        "empty": torch.zeros(0, 3),
        "half": randn(3, 5).half(),
        "bfloat16": randn(3, 5).bfloat16().t(),
        "double": randn(2, 2).double(),
        "int64": torch.arange(-3, 5).view(2, 4),
        "parameter": torch.nn.Parameter(randn(2, 3)),
        "int32": torch.arange(4, dtype=torch.int32),
    }
    torch.save(tensors, OUT / "tensors.bin")
    kept = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items() if name != "int32"}
    save_file(kept, OUT / "tensors.safetensors", metadata={"versions": json.dumps(versions())})

    # A module's state dict is an OrderedDict with attributes; training scripts wrap it.
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.GroupNorm(1, 3))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.arange(parameter.numel()).view(parameter.shape))
    wrapped = {"epoch": 3, "loss": 0.5, "done": True, "none": None, "steps": [1, 2**40], "state_dict": module.state_dict()}
    torch.save(wrapped, OUT / "wrapped.bin")
    torch.save(wrapped, OUT / "protocol4.bin", pickle_protocol=4)

    torch.save({"weight": torch.zeros(2), "evil": Evil()}, OUT / "evil.bin")
    torch.save(torch.nn.Linear(1, 1), OUT / "module.bin")
    torch.save({"weight": torch.zeros(2)}, OUT / "before_1_6.bin", _use_new_zipfile_serialization=False)


# ---- leftovers of training scripts beside the weights -------------------------------------------------------------------------


def foreign(module: str, name: str, base=object):
    """A class that our readers do not know, pickled by its module and name."""
    parts = module.split(".")
    for count in range(len(parts)):
        sys.modules.setdefault(".".join(parts[: count + 1]), types.ModuleType(module))
    found = type(name, (base,), {"__module__": module})
    setattr(sys.modules[module], name, found)
    return found


def torch_extras():
    """The same weights in an archive and in the format before torch 1.6, among objects that are not tensors."""
    state = foreign("mine.training", "StateDict", collections.OrderedDict)()
    state["0.weight"] = torch.arange(6.0).view(3, 2)
    state["0.bias"] = torch.nn.Parameter(torch.arange(3.0).half())
    state["half_of_it"] = state["0.weight"][1:, :1]
    state["tied"] = state["0.weight"]
    state["named"] = torch.nn.Parameter(torch.arange(2.0))
    state["named"].note = "an attribute"
    state["e4m3"] = torch.tensor([1.5, -448.0, 2**-9]).to(torch.float8_e4m3fn)
    state["num_batches_tracked"] = torch.tensor(7)
    callback = foreign("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    settings = foreign("pytorch_lightning.utilities.parsing", "AttributeDict", dict)(lr=1e-4, betas=(0.9, 0.999))
    object_of = foreign("mine.training", "Run")()
    object_of.started, object_of.path = datetime.datetime(2022, 11, 24), pathlib.PurePosixPath("logs/run")
    extras = {
        "global_step": 875000,
        "epoch": np.int64(3),
        "shape": torch.Size([2, 3]),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "scalar": np.float32(0.5),
        "array": np.arange(4).reshape(2, 2),
        "counts": collections.defaultdict(list, {"a": [1, 2]}),
        "arguments": argparse.Namespace(batch=4, words=["x"]),
        "set": {1, 2},
        "frozen": frozenset({3}),
        "bytes": b"bytes",
        "long": 2**80,
        "complex": 1j,
        "callbacks": {callback: {"best": torch.tensor(0.25)}},
        "hyper_parameters": settings,
        "run": object_of,
        "optimizer_states": [{"state": {0: {"step": torch.tensor(5.0), "exp_avg": torch.zeros(3, 2, dtype=torch.double)}}}],
        "state_dict": state,
    }
    torch.save(extras, OUT / "extras.bin")
    torch.save(extras, OUT / "extras_legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(extras, OUT / "extras_protocol4.bin", pickle_protocol=4)


# ---- eight-bit floats ----------------------------------------------------------------------------------------------------------


def float8():
    """Every code of both kinds with its value, and weights with a scale in each of the ways that ComfyUI's files use."""
    codes = torch.arange(256, dtype=torch.uint8)
    kinds = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
    tensors = {name: codes.view(dtype) for name, dtype in kinds.items()}
    torch.save(tensors, OUT / "float8.bin")
    weight = ((torch.arange(32) % 13 - 6) / 4).view(4, 8)
    scale = torch.tensor([0.5, 2.0, 0.125, 3.0])
    layers = {
        "whole": ({"scale_weight": torch.tensor(0.375), "scale_input": torch.tensor(1.0)}, torch.tensor(0.375)),
        "one": ({"weight_scale": torch.tensor([1.75]), "comfy_quant": torch.tensor(list(b'{"format": "float8_e4m3fn"}'), dtype=torch.uint8)}, 1.75),
        "rows": ({"weight_scale": scale}, scale[:, None]),
        "column": ({"weight_scale": scale[:, None].half()}, scale[:, None]),
    }
    for name, dtype in kinds.items():
        tensors[f"{name}.expected"] = tensors[name].float()
        for layer, (beside, factor) in layers.items():
            stored = weight.to(dtype)
            tensors |= {f"{name}.{layer}.weight": stored, f"{name}.{layer}.expected": stored.float() * factor}
            tensors |= {f"{name}.{layer}.{key}": value for key, value in beside.items()}
    tensors["scaled_fp8"] = torch.zeros(2).to(torch.float8_e4m3fn)
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, OUT / "float8.safetensors", metadata={"versions": json.dumps(versions())})


# ---- CompVis checkpoints --------------------------------------------------------------------------------------------------------


def fill(name: str, shape) -> np.ndarray:
    """Numbers in [-0.5, 0.5) from a tensor's name: its FNV-1a hash, then a Weyl sequence."""
    state = 0x811C9DC5
    for byte in name.encode():
        state = (state ^ byte) * 0x01000193 % 2**32
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    mixed = (np.uint64(state) + index * np.uint64(2654435761)) % np.uint64(2**32)
    return ((mixed >> np.uint64(8)).astype(np.float64) / 2**24 - 0.5).astype(np.float32).reshape(shape)


def sums(tensor: torch.Tensor):
    flat = tensor.detach().double().reshape(-1)
    return list(tensor.shape), float(flat.sum()), float((flat * (torch.arange(flat.numel()) % 97 + 1)).sum())


def replace_start(name: str, pairs) -> str:
    for old, new in pairs:
        if name.startswith(old):
            return new + name[len(old) :]
    return name


RESNET = [
    ("norm1.", "in_layers.0."),
    ("conv1.", "in_layers.2."),
    ("norm2.", "out_layers.0."),
    ("conv2.", "out_layers.3."),
    ("time_emb_proj.", "emb_layers.1."),
    ("conv_shortcut.", "skip_connection."),
]


def unet_to_ldm(name: str, config) -> str:
    """CompVis' name of a diffusers UNet tensor; written by hand, in the opposite direction of the tested code."""
    layers = config["layers_per_block"]
    flat = [
        ("time_embedding.linear_1.", "time_embed.0."),
        ("time_embedding.linear_2.", "time_embed.2."),
        ("conv_in.", "input_blocks.0.0."),
        ("conv_norm_out.", "out.0."),
        ("conv_out.", "out.2."),
        ("add_embedding.linear_1.", "label_emb.0.0."),
        ("add_embedding.linear_2.", "label_emb.0.2."),
    ]
    part = name.split(".")
    if part[0] == "mid_block":
        place = {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}[f"{part[1]}.{part[2]}"]
        rest = ".".join(part[3:])
        return f"middle_block.{place}." + (replace_start(rest, RESNET) if part[1] == "resnets" else rest)
    if part[0] not in ("down_blocks", "up_blocks"):
        return replace_start(name, flat)
    down, block, kind, layer = part[0] == "down_blocks", int(part[1]), part[2], int(part[3])
    rest = ".".join(part[4:])
    row, first, side = (block * (layers + 1), 1, "input_blocks") if down else (block * (layers + 1), 0, "output_blocks")
    if kind == "resnets":
        return f"{side}.{first + row + layer}.0.{replace_start(rest, RESNET)}"
    if kind == "attentions":
        return f"{side}.{first + row + layer}.1.{rest}"
    if kind == "downsamplers":
        return f"{side}.{first + row + layers}.0.op.{rest.removeprefix('conv.')}"
    place = 2 if config["up_block_types"][block].startswith("CrossAttn") else 1
    return f"{side}.{row + layers}.{place}.{rest}"


def vae_to_ldm(name: str, levels: int) -> str:
    part = name.split(".")
    if part[0].endswith("quant_conv"):
        return name
    side, rest = part[0], ".".join(part[1:])
    rest = rest.replace("conv_norm_out.", "norm_out.").replace("conv_shortcut.", "nin_shortcut.")
    rest = rest.replace("mid_block.resnets.0.", "mid.block_1.").replace("mid_block.resnets.1.", "mid.block_2.")
    rest = rest.replace("mid_block.attentions.0.", "mid.attn_1.")
    for new, old in [("group_norm.", "norm."), ("to_q.", "q."), ("to_k.", "k."), ("to_v.", "v."), ("to_out.0.", "proj_out.")]:
        rest = rest.replace("attn_1." + new, "attn_1." + old)
    part = rest.split(".")
    if part[0] in ("down_blocks", "up_blocks"):
        level = int(part[1]) if part[0] == "down_blocks" else levels - 1 - int(part[1])
        kind = {"resnets": f"block.{part[3]}", "downsamplers": "downsample", "upsamplers": "upsample"}[part[2]]
        rest = ".".join([part[0].removesuffix("_blocks"), str(level), kind, *part[4:]])
    return f"{side}.{rest}"


OPENCLIP = [
    ("layer_norm1.", "ln_1."),
    ("layer_norm2.", "ln_2."),
    ("self_attn.out_proj.", "attn.out_proj."),
    ("mlp.fc1.", "mlp.c_fc."),
    ("mlp.fc2.", "mlp.c_proj."),
]


def clip_shapes(model) -> dict:
    return {name.removeprefix("text_model."): list(value.shape) for name, value in model.state_dict().items() if "position_ids" not in name}


def openclip_shapes(model, layers: int) -> dict:
    """The tensors of an OpenCLIP text tower with this many layers and this transformers model's widths."""
    found, width = {}, model.config.hidden_size
    for name, shape in clip_shapes(model).items():
        if name.startswith("encoder.layers.0."):
            rest = name.removeprefix("encoder.layers.0.")
            for layer in range(layers):
                start = f"transformer.resblocks.{layer}."
                if rest.startswith("self_attn.q_proj."):
                    found[f"{start}attn.in_proj_{rest.rsplit('.', 1)[1]}"] = [3 * shape[0], *shape[1:]]
                elif ".k_proj." not in rest and ".v_proj." not in rest:
                    found[start + replace_start(rest, OPENCLIP)] = shape
    found |= {
        "token_embedding.weight": [model.config.vocab_size, width],
        "positional_embedding": [model.config.max_position_embeddings, width],
        "ln_final.weight": [width],
        "ln_final.bias": [width],
        "text_projection": [width, width],
        "logit_scale": [],
    }
    return found


def checkpoint(name: str, unet: dict, vae: dict, text: dict | None, openclip_layers: int | None, text_2: dict | None = None):
    """Writes the golden of a checkpoint; with `text_2` of Stable Diffusion XL's, and without `text` of its refiner's."""
    unet_model, vae_model = UNet2DConditionModel(**unet), AutoencoderKL(**vae)
    text_model = CLIPTextModel(CLIPTextConfig(**text)) if text else None
    text_model_2 = CLIPTextModelWithProjection(CLIPTextConfig(**text_2)) if text_2 else None
    clip_prefix = "conditioner.embedders.0.transformer." if text_2 else "cond_stage_model.transformer."
    second_prefix = f"conditioner.embedders.{1 if text else 0}.model."
    shapes = {}
    for key, value in unet_model.state_dict().items():
        shapes["model.diffusion_model." + unet_to_ldm(key, unet_model.config)] = list(value.shape)
    for key, value in vae_model.state_dict().items():
        shape = list(value.shape)
        if ".attentions." in key and len(shape) == 2:
            shape += [1, 1]
        shapes["first_stage_model." + vae_to_ldm(key, len(vae["block_out_channels"]))] = shape
    if openclip_layers:
        shapes |= {"cond_stage_model.model." + key: shape for key, shape in openclip_shapes(text_model, openclip_layers).items()}
    elif text:
        shapes |= {f"{clip_prefix}text_model.{key}": shape for key, shape in clip_shapes(text_model).items()}
        shapes[f"{clip_prefix}text_model.embeddings.position_ids"] = [1, text["max_position_embeddings"]]
    if text_2:
        second = openclip_shapes(text_model_2, text_2["num_hidden_layers"])
        second["text_projection"] = [text_2["hidden_size"], text_2["projection_dim"]]
        shapes |= {second_prefix + key: shape for key, shape in second.items()}
    shapes |= {"alphas_cumprod": [4], "model_ema.decay": [], "model_ema.diffusion_modelout2bias": [4], "first_stage_model.loss.logvar": []}

    def filled():
        return {key: torch.from_numpy(fill(key, shape)) for key, shape in shapes.items()}

    config = {**unet_model.config}
    converted = {
        "unet": single_file.convert_ldm_unet_checkpoint(filled(), config),
        "vae": single_file.convert_ldm_vae_checkpoint(filled(), {**vae_model.config}),
    }
    if openclip_layers:
        converted["text_encoder"] = single_file.convert_open_clip_checkpoint(text_model, filled())
    elif text:
        converted["text_encoder"] = single_file.convert_ldm_clip_checkpoint(filled())
    if text_2:
        converted["text_encoder_2"] = single_file.convert_open_clip_checkpoint(text_model_2, filled(), second_prefix)
    for part in set(converted) - {"unet", "vae"}:
        converted[part] = {
            key if key.startswith("text_projection.") else "text_model." + key.removeprefix("text_model."): value
            for key, value in converted[part].items()
            if not key.endswith("position_ids")
        }
    for part, model in [("unet", unet_model), ("vae", vae_model)]:
        converted[part] = {key: value for key, value in converted[part].items() if value is not None}
        assert set(converted[part]) == set(model.state_dict()), f"{part}: {set(converted[part]) ^ set(model.state_dict())}"
        model.load_state_dict(converted[part])
    for part, model in [("text_encoder", text_model), ("text_encoder_2", text_model_2)]:
        if model:
            own = {key if key.startswith("text_projection.") else "text_model." + key for key in clip_shapes(model)}
            assert set(converted[part]) == own, set(converted[part]) ^ own
    golden = {
        "versions": versions(),
        "checkpoint": shapes,
        "configs": {
            "unet": {**unet, "_class_name": "UNet2DConditionModel"},
            "vae": {**vae, "_class_name": "AutoencoderKL"},
            **({"text_encoder": text} if text else {}),
            **({"text_encoder_2": text_2} if text_2 else {}),
        },
        "tensors": {part: {key: sums(value) for key, value in sorted(found.items())} for part, found in converted.items()},
    }
    path = OUT / f"{name}.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path.relative_to(GOLDEN)}: {path.stat().st_size:,} bytes")


def checkpoints():
    vae = dict(
        block_out_channels=[32, 64],
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=32,
    )
    text = dict(hidden_size=64, intermediate_size=96, num_attention_heads=1, vocab_size=50, max_position_embeddings=7)
    checkpoint(
        "ldm_sd1",
        dict(
            block_out_channels=[32, 64, 64],
            down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
            up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
            layers_per_block=2,
            cross_attention_dim=64,
            attention_head_dim=8,
            in_channels=9,
        ),
        vae,
        dict(**text, num_hidden_layers=3, hidden_act="quick_gelu"),
        None,
    )
    checkpoint(
        "ldm_sd2",
        dict(
            block_out_channels=[64, 128],
            down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
            up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
            layers_per_block=1,
            cross_attention_dim=64,
            attention_head_dim=[1, 2],
            use_linear_projection=True,
        ),
        vae,
        dict(**text, num_hidden_layers=23, hidden_act="gelu"),
        24,
    )
    # Like tiny-sd: one layer per block, attention in all of them, no middle.
    checkpoint(
        "ldm_tiny",
        dict(
            block_out_channels=[32, 64],
            down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
            mid_block_type=None,
            layers_per_block=1,
            cross_attention_dim=64,
            attention_head_dim=8,
        ),
        vae,
        dict(**text, num_hidden_layers=2, hidden_act="quick_gelu"),
        None,
    )
    xl_checkpoints(vae, text)


def xl_checkpoints(vae: dict, text: dict):
    """Stable Diffusion XL, SSD-1B's kind, whose transformers have other depths in each layer, and the refiner."""
    vae = dict(**vae, scaling_factor=0.13025)
    text_2 = dict(**text, num_hidden_layers=3, hidden_act="gelu", projection_dim=40)
    text = dict(**text, num_hidden_layers=2, hidden_act="quick_gelu")
    plain, cross = "DownBlock2D", "CrossAttnDownBlock2D"

    def unet(blocks: list[str], ids: int, **more) -> dict:
        return dict(
            down_block_types=blocks,
            up_block_types=[block.replace("Down", "Up") for block in reversed(blocks)],
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=40 + 8 * ids,
            **more,
        )

    small = dict(block_out_channels=[32, 64, 64], attention_head_dim=[1, 1, 1], cross_attention_dim=128)
    base = unet([plain, cross, cross], 6, layers_per_block=2, transformer_layers_per_block=[1, 2, 3], **small)
    checkpoint("ldm_xl", base, vae, text, None, text_2)
    depths = dict(
        transformer_layers_per_block=[[0, 0], [2, 1], [3, 2]],
        reverse_transformer_layers_per_block=[[2, 1, 3], [1, 2, 1], [0, 0, 0]],
        mid_block_type="UNetMidBlock2D",
        in_channels=9,
    )
    checkpoint("ldm_xl_layered", unet([plain, cross, cross], 6, layers_per_block=2, **depths, **small), vae, text, None, text_2)
    refiner = unet(
        [plain, cross, plain],
        5,
        layers_per_block=1,
        block_out_channels=[32, 64, 64],
        attention_head_dim=[1, 1, 1],
        cross_attention_dim=64,
        transformer_layers_per_block=[1, 2, 2],
    )
    checkpoint("ldm_refiner", refiner, vae, None, None, text_2)


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    OUT.mkdir(parents=True, exist_ok=True)
    torch_files()
    torch_extras()
    float8()
    checkpoints()


if __name__ == "__main__":
    main()
