"""Small datasets on disk for the evaluation: two sequences, two objects, drawn from formulas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.datasets.reading import write_labels

HEIGHT, WIDTH, FRAMES = 40, 70, 6
NAMES = ("alpha", "beta")


def labels(t: int, shift: int = 0) -> np.ndarray:
    """Two objects that move apart; `shift` moves both down."""
    out = np.zeros((HEIGHT, WIDTH), np.uint8)
    out[5 + shift : 20 + shift, 3 + t : 20 + t] = 1
    out[8 + shift : 30 + shift, 40 + t : 55 + t] = 2
    return out


@pytest.fixture
def dataset_folder(tmp_path: Path) -> Path:
    """A folder in DAVIS layout."""
    root = tmp_path / "tiny"
    for name in NAMES:
        images = root / "JPEGImages" / "480p" / name
        images.mkdir(parents=True)
        for t in range(FRAMES):
            Image.new("RGB", (WIDTH, HEIGHT)).save(images / f"{t:05d}.jpg")
            write_labels(root / "Annotations" / "480p" / name / f"{t:05d}.png", labels(t))
    return root


@pytest.fixture
def write_masks(tmp_path: Path) -> Callable[..., Path]:
    """Writes predictions moved down by `shift` pixels into a folder, and gives it."""

    def write(folder: str, shift: int = 2, names: tuple[str, ...] = NAMES) -> Path:
        for name in names:
            for t in range(FRAMES):
                write_labels(tmp_path / folder / name / f"{t:05d}.png", labels(t, shift))
        return tmp_path / folder

    return write
