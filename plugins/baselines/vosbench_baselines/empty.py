"""`empty`: nothing, anywhere."""

# ruff: noqa: ARG002  (trackers are called with all that the harness has)

from __future__ import annotations

import numpy as np

from vosbench.types import Context, Frame, Prediction, Targets


class Empty:
    """Predicts no object in any frame. A measure that it does well under rewards silence."""

    def __init__(self, ctx: Context) -> None: ...

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None: ...

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Background."""
        return Prediction.from_labels(np.zeros(frame.size, np.uint8))
