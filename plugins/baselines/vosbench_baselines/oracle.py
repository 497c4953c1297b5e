"""`oracle-box`: what perfect boxes alone would reach. An upper bound, not a tracker.

The harness gives no tracker more than the protocol does, and makes no exception here: the user
names the folder of annotations with `-o annotations=DIR`. So the run's record, its name and every
table made from it say that annotations were read.
"""

# ruff: noqa: ARG002  (trackers are called with all that the harness has)

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vosbench.datasets.reading import read_labels
from vosbench.errors import UsageError
from vosbench.types import Context, Frame, LabelMap, Mask, Prediction, Targets


class OracleBox:
    """Fills the true box of each object in each frame.

    The bound that it gives holds for trackers whose answer is made from one box an object:
    with `fill=box` all of the box is the object, with `fill=first-mask` the mask first given,
    stretched to the box. Where boxes overlap, the object with the smaller box is in front.
    Void pixels belong to no object. DAVIS-2016's 0/255 annotations are understood.

    Options:
        annotations: folder that holds `<sequence>/<frame>.png`; required.
        fill: "box" or "first-mask".

    Raises:
        UsageError: the folder is not named, or is not the one that the given masks are from.
        DatasetError: an annotation is missing or broken.
    """

    def __init__(self, ctx: Context) -> None:
        if not ctx.options["annotations"]:
            raise UsageError(
                "oracle-box reads the annotations but option annotations names no folder",
                "Add e.g. -o annotations=DAVIS/Annotations/480p",
            )
        self.annotations = Path(str(ctx.options["annotations"])).expanduser()
        if not self.annotations.is_dir():
            raise UsageError(f"oracle-box: annotations={self.annotations} is no folder")
        self.stretch = ctx.options["fill"] == "first-mask"

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Note which objects to look for, and how this folder writes them."""
        self.folder = self.annotations / ctx.sequence
        self.first: dict[int, Mask] = {}  # object id -> its mask, cut out at its box
        # DAVIS-2016 writes its only object as 255, which is void elsewhere.
        written = read_labels(self._path(frame))
        self.binary = list(targets) == [1] and not (written == 1).any()
        self._add(frame, targets)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """The boxes of this frame's annotation, filled."""
        self._add(frame, targets)
        annotation = self._labels(frame)
        boxes = [(obj, *_box(annotation == obj)) for obj in self.first]
        labels: LabelMap = np.zeros(frame.size, np.uint8)
        for obj, x, y, width, height in sorted(boxes, key=lambda box: -box[3] * box[4]):
            if width == 0:
                continue
            inside = labels[y : y + height, x : x + width]
            if self.stretch:
                shape = self.first[obj].astype(np.uint8)
                inside[cv2.resize(shape, (width, height), interpolation=_NEAREST) != 0] = obj
            else:
                inside[:] = obj
        return Prediction.from_labels(labels)

    def _add(self, frame: Frame, targets: Targets) -> None:
        for obj, mask in targets.items():
            if not np.array_equal(self._labels(frame) == obj, mask):
                raise UsageError(
                    f"oracle-box: {self._path(frame)} does not show the mask given for object "
                    f"{obj}",
                    "Option annotations must name the folder of the dataset being run.",
                )
            x, y, width, height = _box(mask)
            self.first[obj] = mask[y : y + height, x : x + width]

    def _labels(self, frame: Frame) -> LabelMap:
        return read_labels(self._path(frame), binary=self.binary)

    def _path(self, frame: Frame) -> Path:
        return self.folder / f"{frame.name}.png"


_NEAREST = cv2.INTER_NEAREST_EXACT


def _box(mask: Mask) -> tuple[int, int, int, int]:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, width, height
