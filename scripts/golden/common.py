"""What the golden scripts share: where goldens lie, and how they are written with the versions that made them."""

import json
import platform
from pathlib import Path

import torch
from safetensors.torch import save_file

GOLDEN = Path(__file__).resolve().parents[2] / "crates" / "diffusion-core" / "tests" / "golden"


def versions() -> dict[str, str]:
    """The versions of everything that decides a golden's values."""
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
