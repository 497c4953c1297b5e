"""Online adaptation: every few frames, learn again from the first frame and own predictions.

The parameters always start from theta_T, the result of fine-tuning on the first frame, never from
the last adaptation, so that errors do not add up (e-OSVOS, NeurIPS 2020, sec. 3.3). Which past
frames the paper learned from is not known; the three rules of the reference implementation's
history are offered.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from vosbench.types import Scores
from vosbench_eosvos.finetune import Example, make_example
from vosbench_eosvos.model import MaskRCNN
from vosbench_learning.backbone import StageOutputs

#: Frames besides the first that each rule learns from.
KEPT = {"confident": 2, "recent": 4, "ignore": 1}

#: Rule "confident": least detection score of a frame to learn from.
SURE_FRAME = 0.5

#: Rule "ignore": pixels whose probability lies in [low, high) are not learned from.
UNSURE_PIXELS = (0.5, 0.95)


@dataclass
class Memory:
    """Past frames of one object that online adaptation may learn from.

    Attributes:
        rule: "confident": the last two frames whose detection scored at least `SURE_FRAME`;
            "recent": the last four; "ignore": the last one without its `UNSURE_PIXELS`.
            Frames in which nothing was found are no example in any of them.
        depth: number of leading backbone stages that do not learn.
        examples: the chosen frames, oldest first.
    """

    rule: str
    depth: int
    examples: deque[Example] = field(init=False)

    def __post_init__(self) -> None:
        self.examples = deque(maxlen=KEPT[self.rule])

    def observe(
        self, model: MaskRCNN, features: StageOutputs, probabilities: Scores, score: float
    ) -> None:
        """Take note of a prediction.

        Args:
            model: for its device only.
            features: of the leading `depth` stages.
            probabilities: (H, W) of the object at the size of the features' image.
            score: of the detection; 0 where there was none.
        """
        mask = probabilities > 0.5
        if not mask.any() or (self.rule == "confident" and score < SURE_FRAME):
            return
        target = mask.astype(np.float32)
        if self.rule == "ignore":
            low, high = UNSURE_PIXELS
            target[(probabilities >= low) & (probabilities < high)] = np.nan
        self.examples.append(make_example(model, features, target, self.depth))
