"""What the tracker knows of each object."""

from __future__ import annotations

from dataclasses import dataclass, field

from vosbench.types import Mask, Scores
from vosbench_eosvos.boxprop import Box, scale_box
from vosbench_eosvos.colours import Colours
from vosbench_eosvos.finetune import Example, Params
from vosbench_eosvos.motion import Motion
from vosbench_eosvos.online import Memory
from vosbench_eosvos.outline.sight import Table
from vosbench_eosvos.surroundings import Overview
from vosbench_eosvos.windows import Window


@dataclass
class ObjectState:
    """What is known of one object after one number of fine-tuning steps.

    Attributes:
        base: theta_T. params: what predicts now; `base` until online adaptation changes it.
        box: where to look for it, in pixels of the working image: where it was seen last, or where
            that has moved to; None: anywhere.
        memory: past frames for online adaptation.
        window: its boxes in the last frames. colours: of it and of what is around it, if asked for.
        table: its colours in the given frame, for its outline, if a network draws that.
        mask: (H, W) bool where it was in the last frame; None if it was not seen.
        carried: (H, W) where motion carries that mask; None if it is not known.
        began: its box when the present range of frames began, see `Conventions.forget_lost`.
        score: of the detection in the last frame, 0 if there was none.
        probabilities: (H, W) in the last frame; None if it was not seen.
        overview: of the last frame that was looked at as a whole; None before the first, after
            `params` have changed, and where every frame is.
    """

    base: Params
    params: Params
    box: Box | None
    memory: Memory
    began: Box | None
    window: Window
    mask: Mask | None
    colours: Colours | None
    table: Table | None
    score: float = 0.0
    probabilities: Scores | None = None
    carried: Scores | None = None
    overview: Overview | None = None

    def expect(self, motion: Motion | None, native: tuple[int, int], size: tuple[int, int]) -> None:
        """Take note of where motion carries the object in the present frame.

        Args:
            native: (height, width) of the frame. size: of the working image.
        """
        self.carried = None
        if motion is not None and self.mask is not None:
            moved = motion.carry(self.mask)
            if moved is not None:
                self.box, self.carried = scale_box(moved[0], native, size), moved[1]


@dataclass
class TrackedObject:
    """One object: its given frame, which online adaptation needs, and its state for each number of
    steps that is asked for."""

    identity: int
    first: int
    given: Example | None = None
    states: dict[int, ObjectState] = field(default_factory=dict)
