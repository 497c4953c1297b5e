"""Colour histograms: where each colour is the object's rather than the background's, near its last
mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.types import Context, Frame, Mask, Prediction, Targets

_BINS, _RANGES = (30, 32), (0, 180, 0, 256)


@dataclass(slots=True)
class _Object:
    """Of each colour (hue, saturation) the share that lies in the object, the value that parts it
    from the background in its given frame, its last mask (H, W)."""

    colours: NDArray[np.float32]
    threshold: float
    mask: Mask


class Histogram:
    """Back-projects each object's histogram of hue and saturation.

    Options:
        reach: pixels around the last mask in which the object is looked for.
    """

    def __init__(self, ctx: Context) -> None:
        reach = int(ctx.options["reach"])
        self.around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:  # noqa: ARG002
        """Learn the objects' colours."""
        self.objects: dict[int, _Object] = {}
        self.learn(frame, targets)

    def learn(self, frame: Frame, targets: Targets) -> None:
        """Learn the colours of objects that are given in this frame."""
        hsv: Any = cv2.cvtColor(frame.image, cv2.COLOR_RGB2HSV)
        for obj, mask in targets.items():
            inside, outside = (
                cv2.calcHist([hsv], [0, 1], part.astype(np.uint8), _BINS, _RANGES)
                / max(1, int(part.sum()))
                for part in (mask, ~mask)
            )
            colours = np.asarray(inside / (inside + outside + 1e-9), np.float32)
            found = _likely(hsv, colours)
            means = [float(found[part].mean()) for part in (mask, ~mask) if part.any()]
            self.objects[obj] = _Object(colours, max(1e-6, sum(means) / 2), mask)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:  # noqa: ARG002
        """The objects where their colours are, near where they were."""
        hsv: Any = cv2.cvtColor(frame.image, cv2.COLOR_RGB2HSV)
        maps = []
        for known in self.objects.values():
            near = cv2.dilate(known.mask.astype(np.uint8), self.around)
            maps.append(np.minimum(_likely(hsv, known.colours) * near / known.threshold / 2, 1))
        answer = Prediction.from_probabilities(tuple(self.objects), np.stack(maps))
        labels = answer.label_map()
        for obj, known in self.objects.items():
            if (found := labels == obj).any():
                known.mask = found
        self.learn(frame, targets)
        return answer


def _likely(hsv: Any, colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of the object's colours is around each pixel (H, W), 0..1."""
    share = cv2.calcBackProject([hsv], [0, 1], colours * 255, _RANGES, 1)
    smooth: Any = cv2.GaussianBlur(share.astype(np.float32), (0, 0), 2)
    return np.asarray(smooth / 255, np.float32)
