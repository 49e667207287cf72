"""Goldens of adapters: the merged weights of every kind, and whole images, on the tiny model of pipelines.py.

The reference of a plain LoRA is diffusers with peft (`load_lora_weights`, `set_adapters`, `fuse_lora`); of LyCORIS' kinds it is what the
package's own modules compute when they run (`forward`), which the script checks. Goldens store the adapters' names and shapes; their numbers
are drawn by name. lycoris-lora is needed beside the other scripts' packages.

    python scripts/golden/lora.py
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import draw, draw_weights, save
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from lycoris.modules.dylora import DyLoraModule
from lycoris.modules.full import FullModule
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from lycoris.modules.norms import NormModule
from pipelines import MODEL, SCHEDULER, TEXT, UNET, VAE, case, psnr
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
FEED_FORWARD = "down_blocks.0.attentions.0.transformer_blocks.0.ff.net.2"
PROJECTION = "down_blocks.0.attentions.0.proj_in"
CONVOLUTION = "down_blocks.0.resnets.0.conv1"
SMALL_CONVOLUTION = "conv_out"
NORM = "down_blocks.0.attentions.0.norm"
TEXT_LAYER = "text_model.encoder.layers.1"


class Adapter:
    """The tensors of one file: shapes by key, and the values of those that are not drawn."""

    def __init__(self, **notes):
        self.shapes, self.values, self.notes = {}, {}, notes

    def add(self, key: str, *shape: int, value: float | None = None) -> None:
        self.shapes[key] = list(shape)
        if value is not None:
            self.values[key] = value

    def tensors(self) -> dict[str, torch.Tensor]:
        return {
            key: torch.full(shape, self.values[key]) if key in self.values else draw(key, tuple(shape)) for key, shape in self.shapes.items()
        }

    def described(self) -> dict:
        return {"shapes": self.shapes, "values": self.values, "notes": {key: json.dumps(value) for key, value in self.notes.items()}}


def parts() -> dict[str, torch.nn.Module]:
    """The tiny model's noise predictor and text encoder."""
    unet = draw_weights(UNet2DConditionModel(**UNET)).eval()
    text = draw_weights(CLIPTextModel(CLIPTextConfig(**TEXT))).eval()
    return {"unet": unet, "text_encoder": text}


def module_of(models: dict, component: str, layer: str) -> torch.nn.Module:
    if component == "text_encoder" and not hasattr(models[component], "text_model"):
        layer = layer.removeprefix("text_model.")
    return models[component].get_submodule(layer)


def kohya(component: str, layer: str) -> str:
    return f"lora_{'unet' if component == 'unet' else 'te'}_{layer.replace('.', '_')}"


# CompVis' names of the same layers.
LDM = {
    f"{ATTENTION}.to_q": "input_blocks.1.1.transformer_blocks.0.attn2.to_q",
    CONVOLUTION: "input_blocks.1.0.in_layers.2",
    "down_blocks.0.downsamplers.0.conv": "input_blocks.2.0.op",
    "down_blocks.1.resnets.0.time_emb_proj": "input_blocks.3.0.emb_layers.1",
    "mid_block.attentions.0.proj_in": "middle_block.1.proj_in",
    "mid_block.resnets.1.conv1": "middle_block.2.in_layers.2",
    "up_blocks.0.resnets.1.time_emb_proj": "output_blocks.1.0.emb_layers.1",
    "up_blocks.0.upsamplers.0.conv": "output_blocks.1.1.conv",
    "up_blocks.1.attentions.1.transformer_blocks.0.attn1.to_out.0": "output_blocks.3.1.transformer_blocks.0.attn1.to_out.0",
    "up_blocks.1.resnets.0.time_emb_proj": "output_blocks.2.0.emb_layers.1",
    "time_embedding.linear_1": "time_embed.0",
    "conv_out": "out.2",
}  # fmt: skip


class Case:
    """Adapters with their weights, and the tensors that they make."""

    def __init__(self, name: str, *adapters: tuple[Adapter, float, float]):
        self.name, self.adapters, self.expected = name, adapters, {}

    def described(self) -> dict:
        return {"adapters": [{**adapter.described(), "unet_weight": unet, "text_weight": text} for adapter, unet, text in self.adapters]}


def pairs(adapter: Adapter, models: dict, rank: int, alpha: float | None, layers: list[tuple[str, str]], style: str) -> None:
    """A plain LoRA of these layers."""
    for component, layer in layers:
        shape = module_of(models, component, layer).weight.shape
        ends = {"kohya": ("lora_up.weight", "lora_down.weight"), "peft": ("lora_B.weight", "lora_A.weight"), "diffusers": ("lora.up.weight", "lora.down.weight")}
        name = kohya(component, layer) if style == "kohya" else f"{component}.{layer}"
        if style == "diffusers" and component == "text_encoder":
            ends = {"diffusers": ("lora_linear_layer.up.weight", "lora_linear_layer.down.weight")}
        up, down = ends[style]
        adapter.add(f"{name}.{up}", shape[0], rank, *[1] * (len(shape) - 2))
        adapter.add(f"{name}.{down}", rank, *shape[1:])
        if alpha is not None:
            adapter.add(f"{name}.alpha", value=alpha)


ALL_TEXT = [("text_encoder", f"{TEXT_LAYER}.{part}") for part in ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1"]]
SOME = [("unet", f"{ATTENTION}.to_q"), ("unet", f"{ATTENTION}.to_out.0"), ("unet", PROJECTION)]


def pipeline(models: dict) -> StableDiffusionPipeline:
    made = StableDiffusionPipeline(
        vae=draw_weights(AutoencoderKL(**VAE)).eval(), text_encoder=models["text_encoder"], tokenizer=CLIPTokenizer.from_pretrained(MODEL / "tokenizer"),
        unet=models["unet"], scheduler=DDIMScheduler.from_config(SCHEDULER), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    return made


def load(pipe: StableDiffusionPipeline, adapters) -> None:
    """Loads adapters with their weights into diffusers' pipeline."""
    weights = []
    with tempfile.TemporaryDirectory() as folder:
        for index, (adapter, unet, text) in enumerate(adapters):
            path = Path(folder) / f"{index}.safetensors"
            notes = {key: json.dumps(value) for key, value in adapter.notes.items()}
            save_file({key: value.contiguous() for key, value in adapter.tensors().items()}, path, metadata={"format": "pt", **notes})
            earlier = {key: value.clone() for key, value in pipe.text_encoder.state_dict().items() if ".lora_" in key}
            pipe.load_lora_weights(folder, weight_name=path.name, adapter_name=f"a{index}")
            # transformers reports the text layers of earlier adapters as newly drawn.
            for key, value in earlier.items():
                if not torch.equal(value, pipe.text_encoder.state_dict()[key]):
                    raise SystemExit(f"{key} of an earlier adapter changed")
            weights.append({"unet": unet, "text_encoder": text})
    pipe.set_adapters([f"a{index}" for index in range(len(weights))], weights)


def by_diffusers(name: str, *adapters: tuple[Adapter, float, float], layers: list[tuple[str, str]]) -> Case:
    """A case whose weights diffusers fuses."""
    result, models = Case(name, *adapters), parts()
    before = {(component, layer): module_of(models, component, layer).weight.detach().clone() for component, layer in layers}
    pipe = pipeline(models)
    load(pipe, adapters)
    pipe.fuse_lora(components=["unet", "text_encoder"])
    for component, layer in layers:
        module = module_of(models, component, layer)
        merged = getattr(module, "base_layer", module).weight.detach().clone()
        check_changed(name, layer, before[component, layer], merged, all(one[1 if component == "unet" else 2] == 0 for one in adapters))
        result.expected[f"{component}/{layer}.weight"] = merged
    return result


def check_changed(name: str, layer: str, before: torch.Tensor, after: torch.Tensor, same: bool = False) -> None:
    moved = ((after - before).norm() / before.norm()).item()
    print(f"    {name} {layer}: {tuple(after.shape)} moved by {moved:.3f}")
    if (moved == 0) != same or not (same or 0.02 < moved < 50):
        raise SystemExit(f"{name}: {layer} moved by {moved}")


def by_lycoris(name: str, modules: list[tuple[str, str, type, dict]], unet: float, text: float, alpha: float | None = 2.0) -> Case:
    """A case whose weights LyCORIS' modules make."""
    adapter, models, expected = Adapter(), parts(), {}
    for component, layer, kind, arguments in modules:
        original = module_of(models, component, layer)
        module = kind(kohya(component, layer), original, 1.0, lora_dim=4, alpha=alpha, **arguments)
        for key, tensor in module.custom_state_dict().items() if kind not in [FullModule, NormModule] else whole(module).items():
            is_alpha = key == "alpha"
            adapter.add(f"{kohya(component, layer)}.{key}", *tensor.shape, value=tensor.item() if is_alpha else None)
        strength = unet if component == "unet" else text
        for parameter, merged in merge(kohya(component, layer), module, original, strength).items():
            check_changed(name, f"{layer}.{parameter}", getattr(original, parameter), merged)
            expected[f"{component}/{layer}.{parameter}"] = merged
    result = Case(name, (adapter, unet, text))
    result.expected = expected
    return result


def whole(module) -> dict:
    """The tensors of a module that stores differences."""
    if isinstance(module, NormModule):
        return {"w_norm": module.w_norm, "b_norm": module.b_norm}
    return {"diff": module.weight, **({"diff_b": module.bias} if module.bias is not None else {})}


def merge(name: str, module, original, strength: float) -> dict[str, torch.Tensor]:
    """The weights that the module runs with when its tensors are the drawn ones."""
    with torch.no_grad():
        own = dict(module.named_parameters())
        own = {key: value for key, value in own.items() if not key.startswith("org_module")}
        renamed = {"weight": "diff", "bias": "diff_b"} if isinstance(module, FullModule) else {}
        for key, value in own.items():
            value.copy_(draw(f"{name}.{renamed.get(key, key)}", value.shape))
        if isinstance(module, (FullModule, NormModule)):
            weight, bias = module.get_merged_weight(strength)
            return {"weight": weight, **({"bias": bias} if bias is not None else {})}
        base = original.weight
        change = module.make_weight() * module.scale if isinstance(module, LoConModule) else module.get_weight(module.shape) * module.scalar
        merged = module.apply_weight_decompose(base + change, strength) if module.wd else base + change * strength
        # It is what the module runs with.
        module.multiplier = strength
        x = torch.randn(2, base.shape[1], *([7, 7] if base.dim() == 4 else []), generator=torch.Generator("cpu").manual_seed(1))
        if base.dim() == 4:
            runs = torch.nn.functional.conv2d(x, merged, original.bias, original.stride, original.padding)
        else:
            runs = torch.nn.functional.linear(x, merged, original.bias)
        error = ((module.forward(x) - runs).norm() / runs.norm()).item()
        if not error < 1e-5:
            raise SystemExit(f"{name}: not what LyCORIS runs with: {error}")
        return {"weight": merged}


def by_dylora(layers: list[tuple[str, str]], strength: float) -> Case:
    """DyLoRA at its full rank, whose up matrices of convolutions have two dimensions."""
    adapter, models, expected = Adapter(), parts(), {}
    for component, layer in layers:
        name, original = kohya(component, layer), module_of(models, component, layer)
        module = DyLoraModule(name, original, 1.0, lora_dim=4, alpha=2.0, block_size=1)
        for key, tensor in module.custom_state_dict().items():
            adapter.add(f"{name}.{key}", *tensor.shape, value=2.0 if key == "alpha" else None)
        tensors = adapter.tensors()
        up, down = tensors[f"{name}.lora_up.weight"], tensors[f"{name}.lora_down.weight"].flatten(1)
        if up.dim() != 2:
            raise SystemExit(f"{name}: its up matrix has {up.dim()} dimensions")
        with torch.no_grad():
            for index in range(4):
                module.up_list[index].copy_(up[:, index : index + 1])
                module.down_list[index].copy_(down[index : index + 1])
            merged = module.get_merged_weight(strength, rank=3)[0].clone()
        check_changed("dylora", layer, original.weight, merged)
        expected[f"{component}/{layer}.weight"] = merged
    result = Case("dylora", (adapter, strength, strength))
    result.expected = expected
    return result


def lycoris_cases() -> list[Case]:
    linear, conv, text = ("unet", f"{ATTENTION}.to_k"), ("unet", SMALL_CONVOLUTION), ("text_encoder", f"{TEXT_LAYER}.mlp.fc1")
    wide = ("unet", FEED_FORWARD)
    each = [linear, wide, conv, ("unet", PROJECTION), text]

    def all_of(kind, layers=each, **arguments):
        return [(*layer, kind, arguments) for layer in layers]

    return [
        by_lycoris("locon", all_of(LoConModule), 0.7, 0.4),
        by_lycoris("locon_tucker", all_of(LoConModule, [conv], use_tucker=True), 1.0, 1.0),
        by_lycoris("locon_rank_stabilised", all_of(LoConModule, [linear], rs_lora=True), 1.0, 1.0),
        by_lycoris("loha", all_of(LohaModule), 1.0, -0.5, 8.0),
        by_lycoris("loha_tucker", all_of(LohaModule, [conv], use_tucker=True), 0.6, 1.0, 8.0),
        by_lycoris("lokr", all_of(LokrModule, factor=4), 0.8, 0.8, 1.0),
        by_lycoris("lokr_both", all_of(LokrModule, decompose_both=True, factor=2), 1.0, 1.0, 1.0),
        by_lycoris("lokr_products", [(*wide, LokrModule, {"decompose_both": True, "factor": 16, "unbalanced_factorization": True})], 1.0, 1.0, 1.0),
        by_lycoris("lokr_whole", all_of(LokrModule, full_matrix=True, factor=8), 1.0, 1.0),
        by_lycoris("lokr_tucker", [("unet", CONVOLUTION, LokrModule, {"use_tucker": True, "factor": 2})], 1.0, 1.0),
        by_dylora([linear, conv], 0.8),
        by_lycoris("full", all_of(FullModule) + [("unet", NORM, NormModule, {})], 0.5, -1.0),
        by_lycoris("dora_rows", all_of(LoConModule, weight_decompose=True), 1.0, 0.5),
        by_lycoris("dora_columns", all_of(LoConModule, weight_decompose=True, wd_on_out=False), 0.7, 1.0),
        by_lycoris("dora_loha", all_of(LohaModule, [linear, conv], weight_decompose=True), 1.0, 1.0),
        by_lycoris("dora_lokr", all_of(LokrModule, [linear, conv], weight_decompose=True, factor=4), 0.9, 1.0),
    ]


def diffusers_cases() -> list[Case]:
    models = parts()

    def made(rank, alpha, layers, style, **notes):
        adapter = Adapter(**notes)
        pairs(adapter, models, rank, alpha, layers, style)
        return adapter

    both = SOME + ALL_TEXT
    small = SOME[:2] + ALL_TEXT[:4]
    peft_alphas = {
        "unet.r": 3, "unet.lora_alpha": 6, "unet.target_modules": ["to_q", "to_out.0", "proj_in"], "unet.alpha_pattern": {"attn2.to_q": 1.5},
    }  # fmt: skip
    ldm = Adapter()
    for layer, name in LDM.items():
        shape = module_of(models, "unet", layer).weight.shape
        ldm.add(f"{kohya('unet', name)}.lora_up.weight", shape[0], 2, *[1] * (len(shape) - 2))
        ldm.add(f"{kohya('unet', name)}.lora_down.weight", 2, *shape[1:])
        ldm.add(f"{kohya('unet', name)}.alpha", value=1.0)
    second = made(2, None, [("unet", f"{ATTENTION}.to_q"), ("text_encoder", f"{TEXT_LAYER}.self_attn.q_proj"), *ALL_TEXT[1:4]], "diffusers")
    return [
        by_diffusers("kohya", (made(4, 2.0, both, "kohya"), 0.8, 0.5), layers=both),
        by_diffusers("kohya_without_alpha", (made(3, None, small, "kohya"), 1.0, 1.0), layers=small),
        by_diffusers("kohya_negative", (made(4, 4.0, small, "kohya"), -0.6, 0.0), layers=small),
        by_diffusers("peft", (made(3, None, both, "peft"), 0.9, 1.0), layers=both),
        by_diffusers("peft_alphas", (made(3, None, SOME, "peft", lora_adapter_metadata=peft_alphas), 1.0, 1.0), layers=SOME),
        by_diffusers("diffusers", (made(4, None, small, "diffusers"), 1.0, 0.7), layers=small),
        by_diffusers("two", (made(4, 2.0, both, "kohya"), 0.8, 0.5), (second, -0.5, 1.5), layers=both),
        compvis(ldm),
    ]


def compvis(adapter: Adapter) -> Case:
    """LoRA under CompVis' names: the products, since diffusers' renaming is for Stable Diffusion XL's blocks."""
    result, models = Case("compvis", (adapter, 1.0, 1.0)), parts()
    tensors = adapter.tensors()
    for layer, name in LDM.items():
        base = module_of(models, "unet", layer).weight.detach()
        up, down = (tensors[f"{kohya('unet', name)}.lora_{part}.weight"] for part in ["up", "down"])
        merged = base + (up.flatten(1) @ down.flatten(1)).reshape(base.shape) / 2
        result.expected[f"unet/{layer}.weight"] = merged
    return result


def image_of(pipe: StableDiffusionPipeline, call: dict) -> np.ndarray:
    with torch.no_grad():
        return np.array(pipe(
            prompt=call["prompt"], negative_prompt=call["negative_prompt"], num_inference_steps=call["steps"], guidance_scale=call["guidance_scale"],
            generator=torch.Generator("cpu").manual_seed(call["seed"]), width=call["width"], height=call["height"],
        ).images[0])  # fmt: skip


def images(cases: list[Case]) -> tuple[dict, dict]:
    """Whole images of diffusers' pipeline: with each case's merged weights, and with adapters beside the weights, not fused."""
    call = case(scheduler="ddim", negative_prompt="noisy")
    models = parts()
    layers = [("unet", name) for name, module in models["unet"].named_modules() if isinstance(module, torch.nn.Linear) and ".attn" in name]
    texts = [(component, layer.replace(TEXT_LAYER, f"text_model.encoder.layers.{index}")) for index in range(3) for component, layer in ALL_TEXT]
    first, second = Adapter(), Adapter()
    pairs(first, models, 4, 12.0, layers + texts, "kohya")
    pairs(second, models, 2, None, layers, "peft")
    plain = image_of(pipeline(models), call)
    tensors, calls = {}, {}

    def add(name: str, image: np.ndarray, adapters: Case, most_db: float) -> None:
        print(f"    image {name}: deviation {image.std():.1f}, without adapters {psnr(image, plain):.1f} dB")
        if image.std() < 30 or psnr(image, plain) > most_db:
            raise SystemExit(f"image {name}: too little variation")
        tensors[f"image.{name}"] = torch.from_numpy(image)
        calls[name] = {**call, **adapters.described()}

    for name, adapters in {"unfused": [(first, 0.8, 0.6)], "two_unfused": [(first, -0.5, 1.0), (second, 0.7, 1.0)]}.items():
        pipe = pipeline(parts())
        load(pipe, adapters)
        add(name, image_of(pipe, call), Case(name, *adapters), 25)
    for one in cases:
        models = parts()
        with torch.no_grad():
            for name, merged in one.expected.items():
                component, parameter = name.split("/")
                layer, kind = parameter.rsplit(".", 1)
                getattr(module_of(models, component, layer), kind).copy_(merged)
        # These change few layers; without them an image would still fail at the 60 dB of the test.
        add(one.name, image_of(pipeline(models), call), one, 55)
    return tensors, calls


def main() -> None:
    torch.set_num_threads(1)
    by_program = {"diffusers": diffusers_cases(), "lycoris": lycoris_cases()}
    for file, cases in by_program.items():
        tensors = {f"{one.name}/{name}": tensor for one in cases for name, tensor in one.expected.items()}
        save("adapters", file, tensors, cases={one.name: one.described() for one in cases})
    tensors, calls = images([one for cases in by_program.values() for one in cases])
    save("adapters", "images", tensors, calls=calls)


if __name__ == "__main__":
    main()
