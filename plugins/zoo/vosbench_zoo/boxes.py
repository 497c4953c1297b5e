"""OpenCV's box trackers, with a mask cut out of the box by GrabCut: what was there before."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from vosbench.errors import UsageError
from vosbench.types import Context, Frame, Mask, Prediction, Targets

#: Pixels below which the trackers find nothing to correlate.
_SMALLEST = 4


class Boxes:
    """A box follows one object, and GrabCut tells object from background inside of it.

    Options:
        kind: CSRT or KCF, as OpenCV's classes are called.
        rounds: of GrabCut.
    """

    def __init__(self, ctx: Context) -> None:
        kind = f"Tracker{ctx.options['kind']}"
        if not hasattr(cv2, kind):
            raise UsageError(
                f"OpenCV {cv2.__version__} has no {kind}: it is in opencv-contrib-python-headless",
                f"`vosbench trackers install {str(ctx.options['kind']).lower()}` puts that into an "
                "environment of its own, for two OpenCVs do not go together.",
            )
        self.make = getattr(cv2, kind).create
        self.rounds = int(ctx.options["rounds"])

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:  # noqa: ARG002
        """Put a box around the one object."""
        ((self.obj, mask),) = targets.items()
        box = cv2.boundingRect(mask.astype(np.uint8))
        self.tracker: Any = None
        if min(box[2:]) >= _SMALLEST:
            self.tracker = self.make()
            self.tracker.init(_bgr(frame), box)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:  # noqa: ARG002
        """Move the box, then cut."""
        found, box = self.tracker.update(_bgr(frame)) if self.tracker else (False, (0, 0, 0, 0))
        mask = self.cut(frame, box, ctx.seed) if found else np.zeros(frame.size, bool)
        return Prediction.from_probabilities((self.obj,), mask[None].astype(np.float32))

    def cut(self, frame: Frame, box: tuple[float, float, float, float], seed: int) -> Mask:
        """The object (H, W) inside of the box; the whole box where GrabCut finds no two colours."""
        left, top = (max(0, round(corner)) for corner in box[:2])
        right, bottom = (round(box[0] + box[2]), round(box[1] + box[3]))
        parts: Any = np.full(frame.size, cv2.GC_BGD, np.uint8)
        parts[top : max(bottom, 0), left : max(right, 0)] = cv2.GC_PR_FGD
        inside: Mask = parts == cv2.GC_PR_FGD
        if not inside.any() or inside.all():
            return inside
        models: Any = np.zeros((1, 65)), np.zeros((1, 65))
        grab: Any = cv2.grabCut  # its stubs know no call without a rectangle
        cv2.setRNGSeed(seed)
        try:
            grab(_bgr(frame), parts, None, *models, self.rounds, cv2.GC_INIT_WITH_MASK)
        except cv2.error:
            return inside
        cut: Mask = (parts == cv2.GC_FGD) | (parts == cv2.GC_PR_FGD)
        return cut


def _bgr(frame: Frame) -> Any:
    """The image as OpenCV's functions expect it."""
    return np.ascontiguousarray(frame.image[..., ::-1])
