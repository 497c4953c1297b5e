"""A row of docs/faults.md, where its rows work, and how they break things."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

FRAME = Path("data/JPEGImages/480p/discs/00002.jpg")
MASK = Path("data/Annotations/480p/discs/00000.png")
RUN = Path("results/data/copy-first")
GREY = np.zeros((48, 64), np.uint8)


@dataclass(frozen=True)
class Fault:
    """One row: what is wrong, the command, the exit code, and text that the user is shown.

    Attributes:
        environment: variables that the command is given, NAME=VALUE.
        ray: it is tested where Ray is installed.
    """

    what: str
    command: str
    code: int
    sees: str
    hint: str = ""
    prepare: Callable[[], object] = lambda: None
    environment: str = ""
    ray: bool = False


def cut(path: Path, size: int) -> Callable[[], int]:
    return lambda: path.write_bytes(path.read_bytes()[:size])


def picture(path: Path, pixels: np.ndarray) -> Callable[[], None]:
    return lambda: Image.fromarray(pixels).save(path)
