"""Trackers that misbehave on demand, as a plugin file, and a dataset small enough to watch them.

    vosbench run --plugin vosbench/testing/fakes.py --tracker fake -o fault=segfault ...

Needs numpy only, so that it runs in any environment.
"""

from __future__ import annotations

import ctypes
import os
import random
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vosbench import Capabilities, Option, TrackerSpec, hookimpl
from vosbench.types import Context, Frame, LabelMap, Prediction, Targets

if TYPE_CHECKING:
    from vosbench.testing.synthetic import Synthetic

#: What a fake can be told to do in one frame of one sequence.
FAULTS = (
    "none",
    "raise",
    "quit",
    "hang",
    "exit",
    "segfault",
    "nothing",
    "shape",
    "dtype",
    "nan",
    "range",
    "ids",
)


class Fake:
    """Repeats the given masks with some random pixels, and has one fault.

    The random pixels come from `random` and numpy, so that masks differ wherever the seed is not
    applied to each sequence anew.
    """

    def __init__(self, ctx: Context) -> None:
        self._options = ctx.options
        print("a tracker that prints")
        if ctx.options["load"] == "raise":
            raise RuntimeError("weights are missing")
        if ctx.options["load"] == "exit":
            os._exit(3)
        weights = str(ctx.options["weights"])
        if weights:
            ctx.used_file(Path(weights))

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        self._labels = np.zeros(frame.size, np.uint8)
        self._learn(targets, ctx)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        time.sleep(float(self._options["sleep"]))
        self._learn(targets, ctx)
        fault = str(self._options["fault"])
        here = ctx.sequence == self._options["sequence"] and frame.index == self._options["frame"]
        if here and fault != "none":
            return self._fail(fault, frame)
        labels = self._labels.copy()
        labels[random.randrange(labels.shape[0]), np.random.randint(labels.shape[1])] = 0  # noqa: NPY002
        variants = {
            f"{name}={value}": self._prediction(labels, int(value))
            for name, values in ctx.snapshots.items()
            for value in values
        }
        main = self._prediction(labels, int(self._options["iterations"]))
        return Prediction(main.labels, main.ids, main.scores, variants)

    def update(self, frame: Frame, prediction: LabelMap, ctx: Context) -> None:
        """Sees the final label map; learns nothing."""
        ctx.logger.debug("frame %s has %d object pixels", frame.name, np.count_nonzero(prediction))

    def _learn(self, targets: Targets, ctx: Context) -> None:
        for obj, mask in targets.items():
            self._labels[mask] = obj
        for value in (1, 10, 50) if targets else ():
            ctx.snapshot_ready(f"iterations={value}")

    def _prediction(self, labels: LabelMap, iterations: int) -> Prediction:
        """More iterations: more rows of the answer."""
        labels = labels.copy()
        labels[iterations:] = 0
        return Prediction.from_labels(labels)

    def _fail(self, fault: str, frame: Frame) -> Prediction:
        height, width = frame.size
        ids = np.unique(self._labels[self._labels > 0]).tolist()
        scores = np.zeros((len(ids), height, width), np.float32)
        if fault == "raise":
            raise RuntimeError("no more ideas")
        if fault == "quit":
            sys.exit(0)
        if fault == "hang":
            time.sleep(3600)
        if fault == "exit":
            os._exit(7)
        if fault == "segfault":
            ctypes.string_at(0)
        if fault == "shape":
            return Prediction(labels=np.zeros((height - 1, width), np.uint8))
        if fault == "dtype":
            return Prediction(labels=np.zeros((height, width), np.int64))
        if fault == "nan":
            return Prediction.from_probabilities(ids, scores * np.nan)
        if fault == "range":
            return Prediction.from_probabilities(ids, scores + 3)
        if fault == "ids":
            return Prediction(labels=np.full((height, width), 99, np.uint8))
        return None  # type: ignore[return-value]


OPTIONS = (
    Option("fault", "none", "what goes wrong", FAULTS),
    Option("sequence", "", "in which sequence"),
    Option("frame", 2, "in which frame"),
    Option("sleep", 0.0, "seconds that each frame takes"),
    Option("load", "none", "what goes wrong while loading", ("none", "raise", "exit")),
    Option("weights", "", "a file that the result depends on"),
    Option("iterations", 1000, "rows of the masks that are kept"),
)


@hookimpl
def vosbench_register_trackers(register: Callable[[TrackerSpec], None]) -> None:
    """Register `fake`, and the same with a capability missing."""
    variants = {
        "fake": Capabilities(snapshots=("iterations",)),
        "fake-single": Capabilities(multi_object=False),
        "fake-early": Capabilities(late_objects=False),
    }
    for name, capabilities in variants.items():
        register(
            TrackerSpec(
                name=name,
                factory=Fake,
                summary="Repeats the given masks and fails where it is told to.",
                options=OPTIONS,
                capabilities=capabilities,
            )
        )


def write_dataset(root: Path, clips: Iterable[Synthetic]) -> Path:
    """Write sequences as a dataset in DAVIS layout; gives `root`."""
    import cv2

    for clip in clips:
        images = root / "JPEGImages" / "480p" / clip.name
        images.mkdir(parents=True)
        for index in range(len(clip)):
            frame = clip[index]
            cv2.imwrite(str(images / f"{frame.name}.jpg"), frame.image[..., ::-1])
        clip.write_annotations(root / "Annotations" / "480p")
    return root
