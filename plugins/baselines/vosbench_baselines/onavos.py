"""`onavos-T`: OSVOS that keeps learning from its own confident answers.

Online adaptation by Voigtlaender and Leibe (BMVC 2017, sec. 4): before a frame is segmented, the
network learns from it. Pixels that it is very sure of are object; pixels far from the last mask
are background; the others are left out. Most steps go to the first frame, against drift.
"""

# ruff: noqa: ARG002  (trackers are called with all that the harness has)

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vosbench.types import Context, Frame, LabelMap, Mask, Prediction, Scores, Targets
from vosbench_baselines.osvos.fine_tune import Example, probabilities
from vosbench_baselines.osvos.tracker import OsvosTracker, Tuned
from vosbench_learning.backbone import StageOutputs
from vosbench_learning.working_size import mask_to_size

#: Every so many steps of an adaptation look at the current frame, the others at the first.
CURRENT_EVERY = 5
#: Weight of the current frame's loss.
CURRENT_WEIGHT = 0.05
#: The last mask is eroded by a square of this side before distances are measured.
EROSION = 15


class OnavosTracker(OsvosTracker):
    """OSVOS with online adaptation.

    Options, besides those of `OsvosTracker`:
        online_every: frames between two adaptations (1 in the paper).
        online_iterations: steps of an adaptation (15 in the paper).
        online_rate: its learning rate.
        positive: probability above which a pixel is taken for the object.
        negative: distance from the last mask, in pixels at working size, beyond which a pixel is
            taken for background.
    """

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        options = ctx.options
        self.every = int(options["online_every"])
        self.online_iterations = int(options["online_iterations"])
        self.online_rate = float(options["online_rate"])
        self.positive = float(options["positive"])
        self.negative = float(options["negative"])
        self.far: dict[int, Mask] = {}  # object -> pixels that its last mask was too far from
        self.last: dict[int, Mask] = {}  # object -> its last mask, both at working size

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Fine-tune as OSVOS does."""
        self.far, self.last = {}, {}
        super().init(frame, targets, ctx)

    def learn(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Fine-tune as OSVOS does, and remember where the objects are."""
        super().learn(frame, targets, ctx)
        for obj in targets:
            tuned = self.objects[obj]
            if tuned.network is not None:
                tuned.network.use_rate(self.online_rate)
                self.last[obj] = tuned.examples[0].target[0].cpu().numpy()

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Adapt to this frame if it is time to, then segment it."""
        if frame.index % self.every == 0:
            prefix = self.look(frame)
            for obj, tuned in self.objects.items():
                self._adapt(obj, tuned, prefix)
        return super().track(frame, targets, ctx)

    def update(self, frame: Frame, prediction: LabelMap, ctx: Context) -> None:
        """Remember where the objects are; what lay too far from the mask before is not them."""
        for obj, before in self.last.items():
            mask: Mask = prediction == obj
            mask = mask_to_size(mask, before.shape) if mask.any() else np.zeros_like(before)
            self.last[obj] = mask & ~self.far[obj] if obj in self.far else mask

    def _adapt(self, obj: int, tuned: Tuned, prefix: StageOutputs) -> None:
        network = tuned.network
        if network is None:
            return
        current = self._current(obj, tuned, prefix)
        for step in range(self.online_iterations):
            if step % CURRENT_EVERY:
                network.step(tuned.examples[step % len(tuned.examples)])
            elif current is not None:
                network.step(current)
        tuned.models[self.iterations] = network.snapshot()

    def _current(self, obj: int, tuned: Tuned, prefix: StageOutputs) -> Example | None:
        """What there is to learn from a frame; None if the object seems to be lost."""
        self.far.pop(obj, None)
        sure = probabilities(self.net, tuned.models[self.iterations], prefix).cpu().numpy()
        chosen = select(sure, self.last[obj], self.positive, self.negative)
        if chosen is None:
            return None
        positives, negatives = chosen
        self.far[obj] = negatives
        target = torch.from_numpy(positives & ~negatives)[None].to(self.device)
        valid = torch.from_numpy(positives | negatives)[None].to(self.device)
        return Example(prefix, target, valid, CURRENT_WEIGHT)


def select(
    probabilities: Scores, last: Mask, positive: float, negative: float
) -> tuple[Mask, Mask] | None:
    """Pixels to learn from (BMVC 2017, sec. 4.1).

    Args:
        probabilities: (H, W) of the object. last: (H, W) its mask in the frame before.
        positive: probability above which a pixel is the object.
        negative: distance in pixels from the eroded last mask beyond which it is background.

    Returns:
        Positives and negatives (H, W); a pixel may be in both, and is background then. None if
        nothing of the last mask is left after erosion: the object may be lost, and what the
        network is sure of now may be anything.
    """
    square: NDArray[np.uint8] = np.ones((EROSION, EROSION), np.uint8)
    core = cv2.erode(last.astype(np.uint8), square)
    if not core.any():
        return None
    distance = cv2.distanceTransform(1 - core, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return probabilities > positive, distance > negative
