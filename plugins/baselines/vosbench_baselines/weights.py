"""Where weights come from: those that ship with this package or with e-OSVOS by name, or a path."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from vosbench_eosvos import weights as eosvos_weights


def find_weights(name: str) -> Path:
    """The file that `-o weights=NAME` means. Raises UsageError if there is none."""
    own = Path(str(resources.files("vosbench_baselines"))) / "weights" / f"{name}.safetensors"
    return own if own.is_file() else eosvos_weights.find_weights(name)
