"""Where a cross-validation keeps what its folds train."""

from __future__ import annotations

from pathlib import Path


def fold_home(out: Path, fold: int) -> Path:
    """The folder of one fold of the cross-validation in `out`."""
    return out / f"fold-{fold}"
