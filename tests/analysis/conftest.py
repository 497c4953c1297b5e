"""Runs made by the harness itself over three small moving squares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.datasets.base import Dataset
from vosbench.datasets.folder import load
from vosbench.datasets.reading import write_labels
from vosbench.store import Run, RunRecord, SequenceRecord

SIZE = (48, 64)
FRAMES = 8
SEQUENCES = ("ant", "bee", "cat")


def truth(sequence: int, frame: int) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[8:28, 4 + 3 * frame : 24 + 3 * frame] = 1
    labels[32:44, 20 : 30 + 4 * sequence] = 2
    return labels


@pytest.fixture
def toys(tmp_path: Path) -> Dataset:
    """Three sequences of eight frames, two objects each."""
    root = tmp_path / "toys"
    for number, name in enumerate(SEQUENCES):
        for frame in range(FRAMES):
            image = root / "JPEGImages" / name / f"{frame:05d}.jpg"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE[::-1], (frame, 80, 80)).save(image)
            write_labels(root / "Annotations" / name / f"{frame:05d}.png", truth(number, frame))
    return load(root)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(toys: Dataset, results: Path) -> MakeRun:
    """Write a finished run: the true masks, moved down by `shift` pixels."""

    def make(tracker: str, shift: int = 0, **changes: object) -> Run:
        from vosbench.datasets.registry import select

        names = changes.pop("sequences", list(SEQUENCES))
        failed = changes.pop("failed", ())
        part = select(toys, tuple(names))  # type: ignore[arg-type]
        values = {
            "tracker": tracker,
            "dataset": "toys",
            "source": str(toys.root),
            "options": {},
            "changed": {},
            "seed": 0,
            "device": "cpu",
            "fingerprint": part.fingerprint(),
            "protocol": part.protocol,
            "sequences": names,
            "status": "partial" if failed else "complete",
        }
        record = RunRecord(**(values | changes))  # type: ignore[arg-type]
        run = Run(results / "toys" / record.name, record)
        run.save()
        for sequence in part.sequences:
            folder = run.clear_sequence(sequence.name)
            if sequence.name in failed:  # type: ignore[operator]
                run.save_sequence(SequenceRecord.failure(sequence.name, "out of memory"))
                continue
            for frame in range(FRAMES):
                labels = truth(SEQUENCES.index(sequence.name), frame)
                moved = np.roll(labels, shift, axis=0) if frame else labels
                write_labels(folder / f"{frame:05d}.png", moved)
            measured = {
                "frames": FRAMES,
                "objects": 2,
                "init_seconds": 0.1,
                "track_seconds": [0.1] * (FRAMES - 1),
                "update_seconds": [],
            }
            run.save_sequence(SequenceRecord.success(sequence.name, measured))
        return run

    return make
