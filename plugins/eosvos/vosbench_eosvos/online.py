"""Online adaptation: every few frames, learn again from the first frame and own predictions.

The parameters always start from theta_T, the result of fine-tuning on the first frame, never from
the last adaptation, so that errors do not add up (e-OSVOS, NeurIPS 2020, sec. 3.3). Which past
frames the paper learned from is not known; the rules of the reference implementation's history are
offered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vosbench.types import Scores
from vosbench_eosvos.finetune import Example

#: Frames that each rule remembers.
KEPT = {"confident": 2, "recent": 4, "ignore": 1, "lagged": 4}

#: Rule "lagged": places among the remembered frames of those that are learned from.
LAGGED = (-3, -4)

#: Rule "confident": least detection score of a frame to learn from.
SURE_FRAME = 0.5

#: Rule "confident": least share of its largest mask of late that the object must show. What is
#: hidden, or was not found, would be learned as background, and not be found where it shows again.
WHOLE = 0.7

#: Rule "ignore": pixels whose probability lies in [low, high) are not learned from.
UNSURE_PIXELS = (0.5, 0.95)


@dataclass
class Memory:
    """Past frames of one object that online adaptation may learn from.

    Attributes:
        rule: "confident": the last two frames whose detection scored at least `SURE_FRAME` and that
            show at least `WHOLE` of the object; "recent": the last four; "ignore": the last one
            without its `UNSURE_PIXELS`; "lagged": the third and the fourth last, found or not.
            Frames in which nothing was found are no example in any of them.
    """

    rule: str
    _kept: deque[Example | None] = field(init=False)

    def __post_init__(self) -> None:
        self._kept = deque(maxlen=KEPT[self.rule])

    @property
    def examples(self) -> list[Example]:
        """The chosen frames, oldest first; those of "lagged" latest first."""
        kept = list(self._kept)
        if self.rule == "lagged":
            kept = [kept[place] for place in LAGGED if len(kept) >= -place]
        return [example for example in kept if example is not None]

    def observe(
        self,
        probabilities: Scores | None,
        score: float,
        largest: int,
        example: Callable[[Scores], Example],
    ) -> None:
        """Take note of a prediction.

        Args:
            probabilities: (H, W) of the object; None where nothing was found.
            score: of the detection; 0 where there was none.
            largest: pixels of the object's largest mask of late.
            example: makes an example of a target (H, W), NaN where no loss may look.
        """
        mask = probabilities >= 0.5 if probabilities is not None else np.zeros((1, 1), bool)
        sure = score >= SURE_FRAME and mask.sum() >= WHOLE * largest
        if not mask.any() or (self.rule == "confident" and not sure):
            if self.rule == "lagged":
                self._kept.append(None)
            return
        assert probabilities is not None
        target = mask.astype(np.float32)
        if self.rule == "ignore":
            low, high = UNSURE_PIXELS
            target[(probabilities >= low) & (probabilities < high)] = np.nan
        self._kept.append(example(target))
