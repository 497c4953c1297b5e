"""Small datasets on disk, drawn from formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vosbench.datasets.reading import write_labels
from vosbench.plugins import Plugins

Labels = NDArray[np.uint8]
SIZE = (24, 32)


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return Plugins(entry_points=False)


def blob(*ids: int, size: tuple[int, int] = SIZE) -> Labels:
    """A label map that shows each of `ids` as a bar of its own."""
    labels = np.zeros(size, np.uint8)
    for place, obj in enumerate(ids):
        labels[4:12, 2 + 5 * place : 5 + 5 * place] = obj
    return labels


def write_frame(path: Path, shade: int = 128, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, shade, size[1], dtype=np.uint8)
    Image.fromarray(np.broadcast_to(ramp[None, :, None], (*size, 3)).copy()).save(path)


@pytest.fixture
def write_sequence() -> Callable[..., None]:
    """Write a sequence: `write_sequence(root, name, masks, frames=N)`; masks by frame number."""

    def write(
        root: Path,
        name: str,
        masks: Mapping[int, Labels],
        *,
        frames: int = 4,
        resolution: str = "480p",
        step: int = 1,
        digits: int = 5,
    ) -> None:
        for i in range(frames):
            number = f"{i * step:0{digits}d}"
            write_frame(root / "JPEGImages" / resolution / name / f"{number}.jpg", 40 + i)
            if i in masks:
                write_labels(root / "Annotations" / resolution / name / f"{number}.png", masks[i])

    return write
