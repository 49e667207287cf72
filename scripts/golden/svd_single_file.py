"""Writes the names of a Stable Video Diffusion checkpoint: which tensors of a tiny diffusers model each of its tensors holds.

    python scripts/golden/svd_single_file.py --convert FILE

FILE is scripts/convert_svd_to_diffusers.py of a checkout of diffusers, whose conversion of the UNet and of the autoencoder is run on a
checkpoint with names of Stability AI's classes; a tensor's origin shows in its numbers. The names of the image encoder are OpenCLIP's.
"""

import argparse
import importlib.util
import json

import torch
from common import GOLDEN
from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

UNET = {
    "sample_size": 96, "in_channels": 8, "out_channels": 4, "block_out_channels": [64, 128], "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"],
    "up_block_types": ["UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"], "num_attention_heads": [1, 2], "cross_attention_dim": 24,
    "addition_time_embed_dim": 32, "projection_class_embeddings_input_dim": 96, "num_frames": 14,
}  # fmt: skip
VAE = {
    "block_out_channels": [32, 32, 64, 64], "down_block_types": ["DownEncoderBlock2D"] * 4, "layers_per_block": 2, "sample_size": 768,
    "scaling_factor": 0.18215,
}  # fmt: skip
VISION = {
    "hidden_size": 80, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 224, "patch_size": 32,
    "projection_dim": 24, "hidden_act": "gelu",
}  # fmt: skip


def resnet_names(block: str, skips: bool) -> list[str]:
    layers = ["in_layers.0", "in_layers.2", "out_layers.0", "out_layers.3", "emb_layers.1"]
    spatial = layers + (["skip_connection"] if skips else [])
    names = [f"{block}.{name}.{kind}" for name in [*spatial, *(f"time_stack.{name}" for name in layers)] for kind in ("weight", "bias")]
    return [*names, f"{block}.time_mixer.mix_factor"]


def transformer_names(block: str, model: torch.nn.Module) -> list[str]:
    """A transformer's names are those of diffusers but for the temporal parts."""
    change = [("temporal_transformer_blocks.", "time_stack."), ("time_pos_embed.linear_1", "time_pos_embed.0"), ("time_pos_embed.linear_2", "time_pos_embed.2")]
    names = []
    for name in model.state_dict():
        for new, old in change:
            name = name.replace(new, old)
        names.append(f"{block}.{name}")
    return names


def unet_names(unet: UNetSpatioTemporalConditionModel) -> list[str]:
    def pair(*layers: str) -> list[str]:
        return [f"{name}.{kind}" for name in layers for kind in ("weight", "bias")]

    names = pair("time_embed.0", "time_embed.2", "label_emb.0.0", "label_emb.0.2", "input_blocks.0.0", "out.0", "out.2")
    index = 1
    for block in unet.down_blocks:
        for layer, resnet in enumerate(block.resnets):
            names += resnet_names(f"input_blocks.{index}.0", resnet.spatial_res_block.conv_shortcut is not None)
            if hasattr(block, "attentions"):
                names += transformer_names(f"input_blocks.{index}.1", block.attentions[layer])
            index += 1
        if block.downsamplers:
            names += pair(f"input_blocks.{index}.0.op")
            index += 1
    names += resnet_names("middle_block.0", False) + transformer_names("middle_block.1", unet.mid_block.attentions[0])
    names += resnet_names("middle_block.2", False)
    index = 0
    for block in unet.up_blocks:
        for layer, resnet in enumerate(block.resnets):
            place = 1
            names += resnet_names(f"output_blocks.{index}.0", resnet.spatial_res_block.conv_shortcut is not None)
            if hasattr(block, "attentions"):
                names += transformer_names(f"output_blocks.{index}.1", block.attentions[layer])
                place = 2
            if block.upsamplers and layer == len(block.resnets) - 1:
                names += pair(f"output_blocks.{index}.{place}.conv")
            index += 1
    return names


def vae_names(vae: AutoencoderKLTemporalDecoder) -> list[str]:
    """Names of a CompVis autoencoder, and the decoder's temporal parts."""
    names, levels = [], len(vae.encoder.down_blocks)
    for name in vae.state_dict():
        if ".temporal_res_block." in name or "time_mixer" in name or "time_conv_out" in name:
            continue
        name = name.replace(".spatial_res_block", "").replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        name = name.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
        name = name.replace("mid_block.attentions.0", "mid.attn_1")
        if ".attn_1." in name:
            for new, old in (("group_norm", "norm"), ("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "proj_out")):
                name = name.replace(f"attn_1.{new}", f"attn_1.{old}")
        parts = name.split(".")
        if parts[1] in ("down_blocks", "up_blocks"):
            parts[2] = str(levels - 1 - int(parts[2])) if parts[1] == "up_blocks" else parts[2]
            parts[1] = {"down_blocks": "down", "up_blocks": "up"}[parts[1]]
            parts[3] = {"resnets": "block", "downsamplers": "downsample", "upsamplers": "upsample"}[parts[3]]
            parts = parts if parts[3] == "block" else parts[:4] + parts[5:]
        names.append(".".join(parts))
    blocks = sorted({name.rsplit(".", 2)[0] for name in names if name.startswith("decoder.") and name.endswith("norm1.weight")})
    for block in blocks:
        layers = ["in_layers.0", "in_layers.2", "out_layers.0", "out_layers.3"]
        names += [f"{block}.time_stack.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")] + [f"{block}.mix_factor"]
    # The script's name for it; the published file's is decoder.conv_out.time_mix_conv.
    return [*names, "decoder.time_mix_conv.weight", "decoder.time_mix_conv.bias"]


def published(name: str) -> str:
    """The script was written for an earlier class, with other names of the parts of a residual block, and in the encoder, too."""
    name = name.replace("temporal_res_block.spatial_res_block.", "temporal_res_block.").replace("spatial_res_block.time_mixer", "time_mixer")
    return name.replace("spatial_res_block.", "") if name.startswith("encoder.") else name


def marked(names: list[str]) -> dict[str, torch.Tensor]:
    """A checkpoint in which every tensor holds its own number."""
    return {name: torch.full((1, 1, 1), float(index)) for index, name in enumerate(names)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convert", required=True, metavar="FILE")
    spec = importlib.util.spec_from_file_location("convert_svd", parser.parse_args().convert)
    convert = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(convert)
    unet = UNetSpatioTemporalConditionModel(**UNET)
    vae, vision = AutoencoderKLTemporalDecoder(**VAE), CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION))
    shapes = {part: {name: list(tensor.shape) for name, tensor in model.state_dict().items() if "position_ids" not in name}
              for part, model in {"unet": unet, "vae": vae, "image_encoder": vision}.items()}  # fmt: skip
    checkpoint = {}

    def add(part: str, prefix_of, names: list[str], converted: dict[str, torch.Tensor]) -> None:
        origin = {int(tensor.flatten()[0]): name for name, tensor in converted.items()}
        for index, name in enumerate(names):
            checkpoint[prefix_of(name) + name] = [part, [origin[index]], shapes[part][origin[index]]]

    names = unet_names(unet)
    config = {"layers_per_block": UNET["layers_per_block"], "class_embed_type": None}
    prefixed = {f"model.diffusion_model.{name}": tensor for name, tensor in marked(names).items()}
    converted = convert.convert_ldm_unet_checkpoint(prefixed, config)
    # The script gives the mixers of the last up block without attention one name; they are numbered here as the others.
    for index in range(UNET["layers_per_block"] + 1):
        name = f"output_blocks.{index}.0.time_mixer.mix_factor"
        converted[f"up_blocks.0.resnets.{index}.time_mixer.mix_factor"] = torch.tensor([float(names.index(name))])
    add("unet", lambda _: "model.diffusion_model.", names, converted)

    names = vae_names(vae)
    known = [name for name in names if not name.startswith("quant_conv")]
    converted = convert.convert_ldm_vae_checkpoint(marked(known), {"layers_per_block": VAE["layers_per_block"]})
    converted = {published(name): tensor for name, tensor in converted.items()}
    of_file = lambda name: "conditioner.embedders.3.encoder." if name.startswith(("encoder.", "quant_conv.")) else "first_stage_model."
    add("vae", of_file, known, converted)
    for kind in ("weight", "bias"):
        name = f"quant_conv.{kind}"
        checkpoint[of_file(name) + name] = ["vae", [name], shapes["vae"][name]]
    for name, (part, origin, shape) in list(checkpoint.items()):
        if ".attn_1." in name and name.endswith(".weight") and len(shape) == 2:
            checkpoint[name] = [part, origin, [*shape, 1, 1]]
        if name.startswith("first_stage_model.decoder.time_mix_conv."):
            checkpoint[name.replace("decoder.", "decoder.conv_out.")] = checkpoint.pop(name)

    visual = "conditioner.embedders.0.open_clip.model.visual."
    embeddings = "vision_model.embeddings."
    simple = {"class_embedding": f"{embeddings}class_embedding", "positional_embedding": f"{embeddings}position_embedding.weight",
              "conv1.weight": f"{embeddings}patch_embedding.weight"}  # fmt: skip
    for kind in ("weight", "bias"):
        simple |= {f"ln_pre.{kind}": f"vision_model.pre_layrnorm.{kind}", f"ln_post.{kind}": f"vision_model.post_layernorm.{kind}"}
        for layer in range(VISION["num_hidden_layers"]):
            old, new = f"transformer.resblocks.{layer}", f"vision_model.encoder.layers.{layer}"
            simple |= {f"{old}.ln_1.{kind}": f"{new}.layer_norm1.{kind}", f"{old}.ln_2.{kind}": f"{new}.layer_norm2.{kind}",
                       f"{old}.attn.out_proj.{kind}": f"{new}.self_attn.out_proj.{kind}", f"{old}.mlp.c_fc.{kind}": f"{new}.mlp.fc1.{kind}",
                       f"{old}.mlp.c_proj.{kind}": f"{new}.mlp.fc2.{kind}"}  # fmt: skip
            origins = [f"{new}.self_attn.{projection}_proj.{kind}" for projection in "qkv"]
            shape = shapes["image_encoder"][origins[0]]
            checkpoint[f"{visual}{old}.attn.in_proj_{kind}"] = ["image_encoder", origins, [3 * shape[0], *shape[1:]]]
    for name, origin in simple.items():
        checkpoint[visual + name] = ["image_encoder", [origin], shapes["image_encoder"][origin]]
    # Transposed.
    shape = shapes["image_encoder"]["visual_projection.weight"]
    checkpoint[f"{visual}proj"] = ["image_encoder", ["visual_projection.weight"], shape[::-1]]

    used = {(part, origin) for part, origins, _ in checkpoint.values() for origin in origins}
    missing = {(part, name) for part, names in shapes.items() for name in names} - used
    if missing:
        raise SystemExit(f"no tensor of the checkpoint becomes {sorted(missing)[:5]}")
    path = GOLDEN / "single_file" / "svd.json"
    configs = {"unet": UNET, "vae": VAE, "image_encoder": VISION}
    path.write_text(json.dumps({"configs": configs, "components": shapes, "checkpoint": checkpoint}, indent=0) + "\n")
    print(f"{path.name}: {len(checkpoint)} tensors, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
