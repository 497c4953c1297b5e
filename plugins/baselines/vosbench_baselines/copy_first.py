"""`copy-first`: the given masks, repeated."""

# ruff: noqa: ARG002  (trackers are called with all that the harness has)

from __future__ import annotations

import numpy as np

from vosbench.types import Context, Frame, LabelMap, Prediction, Targets


class CopyFirst:
    """Every object stays where it was first seen; later objects lie over earlier ones.

    The weakest answer that is not empty: whatever scores below it has learned nothing.
    """

    labels: LabelMap

    def __init__(self, ctx: Context) -> None: ...

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Keep the masks of the first frame."""
        self.labels = np.zeros(frame.size, np.uint8)
        self._add(targets)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """The kept masks again."""
        self._add(targets)
        return Prediction.from_labels(self.labels.copy())

    def _add(self, targets: Targets) -> None:
        for obj, mask in targets.items():
            self.labels[mask] = obj
