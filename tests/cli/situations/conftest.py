"""What people bring, built anew for each test: squares that move by two pixels, so that J of a
shifted prediction is 7/9, and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from vosbench.cli import main
from vosbench.datasets.reading import write_labels

Labels = NDArray[np.uint8]
SIZE = (48, 96)
FRAMES = 6
SHIFTED = 7 / 9


def squares(*ids: int, shift: int = 0) -> Labels:
    """A label map (48, 96) with a square of 16x16 for each id, moved right by `shift`."""
    labels = np.zeros(SIZE, np.uint8)
    for place, obj in enumerate(ids):
        left = 4 + 24 * place + shift
        labels[16:32, left : left + 16] = obj
    return labels


def numbered(t: int) -> str:
    return f"{t:05d}"


def write_masks(
    folder: Path, masks: Mapping[int, Labels] | Sequence[Labels], name: Any = numbered
) -> Path:
    """Label maps as `folder/<frame>.png`; by frame number, or from 0 on."""
    pairs = masks.items() if isinstance(masks, Mapping) else enumerate(masks)
    for t, labels in pairs:
        write_labels(folder / f"{name(t)}.png", labels)
    return folder


def write_frames(
    folder: Path, count: int = FRAMES, name: Any = numbered, suffix: str = ".jpg"
) -> Path:
    """Images of noise as `folder/<frame>.jpg`."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
    for t in range(count):
        Image.fromarray(np.roll(noise, t, 1)).save(folder / f"{name(t)}{suffix}")
    return folder


def write_sequence(
    root: Path, sequence: str, masks: Mapping[int, Labels] | Sequence[Labels], name: Any = numbered
) -> None:
    """Frames and annotations of a sequence in DAVIS layout."""
    write_frames(root / "JPEGImages/480p" / sequence, name=name)
    write_masks(root / "Annotations/480p" / sequence, masks, name)


@dataclass(frozen=True)
class Shown:
    """What a command ended with and all that it printed, warnings included."""

    exit_code: int
    stdout: str
    output: str


@pytest.fixture
def vosbench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Callable[..., Shown]:
    """Runs a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOSBENCH_DATA", raising=False)

    def invoke(*arguments: str | Path) -> Shown:
        caplog.clear()
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return Shown(result.exit_code, result.stdout, result.output + caplog.text)

    return invoke


@pytest.fixture
def scores(vosbench: Callable[..., Shown]) -> Callable[..., dict[str, Any]]:
    """`evaluate --json` of a folder of masks: its document of scores."""

    def evaluate(masks: str | Path, dataset: str | Path, *more: str) -> dict[str, Any]:
        result = vosbench("evaluate", "--masks", masks, "--dataset", dataset, "--json", *more)
        assert result.exit_code == 0, result.output
        document: dict[str, Any] = json.loads(result.stdout)[0]["scores"]
        return document

    return evaluate
