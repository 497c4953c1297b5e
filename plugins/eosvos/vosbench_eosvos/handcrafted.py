"""`handcrafted-T`: e-OSVOS without anything learned about learning.

The same Mask R-CNN after ordinary training on the same data (the parent), fine-tuned at one
learning rate that a grid search on training sequences found: the baseline of e-OSVOS's ablation
(NeurIPS 2020, table 1). Everything else, detection, pasting and fusion, is the e-OSVOS tracker's.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from vosbench.types import Context
from vosbench_eosvos.tracker import EosvosTracker


class HandcraftedTracker(EosvosTracker):
    """Options: those of `EosvosTracker`, and `rate`, the learning rate of every parameter.

    `weights` may name any e-OSVOS weights; of those only the initialisation is used.
    """

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        rate = torch.tensor(float(ctx.options["rate"]), device=self.device)
        self.learned = replace(self.learned, level="global", rates={"*": rate})
        self.start = {name: self.learned.state[name] for name in self.learned.learning}
        self.depth = self.model.frozen_depth(self.start)
