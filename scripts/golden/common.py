"""The common part of the golden scripts: the goldens' folder, and writing them with the versions that generated them."""

import hashlib
import json
import math
import platform
from pathlib import Path

import torch
from safetensors.torch import save_file

# The minimum agreement of an f32 golden with f64.
WELL_CONDITIONED_DB = 100.0
GOLDEN = Path(__file__).resolve().parents[2] / "crates" / "diffusion-core" / "tests" / "golden"


def versions() -> dict[str, str]:
    """The versions of everything that determines a golden's values."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for name in ("diffusers", "transformers", "numpy", "scipy"):
        try:
            found[name] = __import__(name).__version__
        except ImportError:
            continue
    return found


def save(subject: str, name: str, tensors: dict[str, torch.Tensor], **metadata) -> None:
    """Writes tests/golden/SUBJECT/NAME.safetensors; metadata values that are not strings are stored as JSON."""
    path = GOLDEN / subject / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    save_file(
        {key: value.contiguous() for key, value in tensors.items()}, path, metadata={"versions": json.dumps(versions()), **text}
    )
    print(f"{path.relative_to(GOLDEN)}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")


def draw(name: str, shape: tuple[int, ...] | torch.Size) -> torch.Tensor:
    """The golden weight with this name and shape. Its twin is tests/it/golden_weights.rs; goldens store only names and shapes.

    Every parameter is random, biases with both signs and norm weights with both signs and never constant, so that a dropped, swapped or
    transposed parameter is detected.
    """
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") & 0xFFFF_FFFF
    x = torch.randn(tuple(shape), generator=torch.Generator("cpu").manual_seed(seed))
    if "token_embedding" in name or "position_embedding" in name:
        return x * 0.5
    if len(shape) >= 2:
        return x / math.sqrt(math.prod(shape[1:]))
    if name.endswith(".bias"):
        return x * 0.2
    return x * 0.8 + 0.3


def draw_weights(model: torch.nn.Module) -> torch.nn.Module:
    """Replaces every parameter of a model with its golden weight; returns the model."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(draw(name, parameter.shape))
    return model


def shapes(model: torch.nn.Module) -> dict[str, list[int]]:
    """Name and shape of every parameter, which a golden stores instead of weights."""
    return {name: list(parameter.shape) for name, parameter in model.named_parameters()}


def decibels(reference: torch.Tensor, other: torch.Tensor) -> float:
    """The reference's power over the difference's, in dB: 120 is a relative error of 1e-6."""
    reference, other = reference.double(), other.double()
    return (20 * torch.log10(reference.norm() / (reference - other).norm().clamp_min(1e-300))).item()


def check_precisions(single: dict[str, torch.Tensor], double: dict[str, torch.Tensor], half: dict[str, torch.Tensor]) -> dict[str, float]:
    """The agreement of each bf16 output with f32, in dB; exits if an f32 output agrees with f64 to less than 100 dB."""
    worth = {}
    for name, value in single.items():
        db, worth[name] = decibels(double[name], value), round(decibels(value, half[name]), 2)
        print(f"    {name}: {tuple(value.shape)} std {value.std():.3f} largest {value.abs().max():.2f}, f32 against f64 {db:.0f} dB, bf16 {worth[name]:.1f} dB")
        if not db >= WELL_CONDITIONED_DB:
            raise SystemExit(f"{name} is ill-conditioned: {db:.1f} dB")
    return worth
