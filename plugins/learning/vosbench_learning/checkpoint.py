"""Checkpoints that hold everything a run needs to resume as if it had never stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vosbench.durable import whole_file
from vosbench.errors import RunError


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write `content` (tensors and plain values): whole or not at all, after a power cut too."""
    with whole_file(path) as part:
        torch.save(content, part)


def load_checkpoint(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """What `save_checkpoint` wrote, or None if there is nothing yet.

    Raises:
        RunError: the run in this folder had other settings than `settings` (its "settings" entry).
    """
    if not path.is_file():
        return None
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    stored = content["settings"]
    different = sorted(k for k in settings if stored.get(k) != settings[k])
    if different:
        what = ", ".join(f"{k}: {stored.get(k)!r} -> {settings[k]!r}" for k in different)
        raise RunError(
            f"{path.parent} holds a run with other settings ({what})",
            "Choose another folder, or give the settings it was started with.",
        )
    return content


def plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them, so that settings compare equal after a round trip."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value
