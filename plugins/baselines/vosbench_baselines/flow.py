"""`flow`: the masks, carried from frame to frame by dense optical flow."""

# ruff: noqa: ARG002  (trackers are called with all that the harness has)

from __future__ import annotations

import cv2
import numpy as np

from vosbench.types import Context, Frame, Image, Prediction, Scores, Targets

_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}

_BORDER = cv2.BORDER_REPLICATE


class Flow:
    """Each pixel takes over the object probabilities of the place that it came from.

    Backward flow (from this frame to the one before) is computed with dense inverse search
    (Kroeger et al., ECCV 2016; OpenCV's `DISOpticalFlow`) and probabilities are read there
    bilinearly. They stay soft from frame to frame; what flows in over the image border continues
    what was there. Nothing is learned and nothing is ever found again: errors add up.

    Options: `preset`, the care that OpenCV takes: "ultrafast", "fast" or "medium".
    """

    def __init__(self, ctx: Context) -> None:
        self.flow = cv2.DISOpticalFlow.create(_PRESETS[str(ctx.options["preset"])])

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Start from the given masks as probabilities 0 and 1."""
        height, width = frame.size
        self.rows, self.columns = np.mgrid[:height, :width].astype(np.float32)
        self.ids: list[int] = []
        self.probabilities: Scores = np.zeros((0, height, width), np.float32)
        self.grey = _grey(frame.image)
        self._add(targets)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Warp all probabilities into this frame, then add the objects that appear in it."""
        grey = _grey(frame.image)
        flow: Scores = np.zeros((*frame.size, 2), np.float32)  # x, y: from here to one frame back
        self.flow.calc(grey, self.grey, flow)
        x, y = self.columns + flow[..., 0], self.rows + flow[..., 1]
        for channel in self.probabilities:
            channel[:] = cv2.remap(channel, x, y, cv2.INTER_LINEAR, borderMode=_BORDER)
        self.grey = grey
        self._add(targets)
        return Prediction.from_probabilities(self.ids, self.probabilities.copy())

    def _add(self, targets: Targets) -> None:
        for obj, mask in targets.items():
            self.probabilities[:, mask] = 0
            self.probabilities = np.concatenate((self.probabilities, mask[None]), dtype=np.float32)
            self.ids.append(obj)


def _grey(image: Image) -> Image:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
