"""Where a cross-validation keeps what its folds train and track."""

from __future__ import annotations

from pathlib import Path

_NAME = "fold-"

#: The weights that a fold's training ends with, in the fold's folder.
WEIGHTS = "weights.safetensors"


def fold_home(out: Path, fold: int) -> Path:
    """The folder of one fold in `out`: a cross-validation, or what it tracked."""
    return out / f"{_NAME}{fold}"


def fold_of(home: Path) -> int:
    """The inverse of `fold_home`."""
    return int(home.name.removeprefix(_NAME))
