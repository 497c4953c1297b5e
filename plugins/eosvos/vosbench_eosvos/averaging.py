"""The mean of several trainings: theta0 and lambda of weights that went apart from one start.

Each training loses objects that the others hold, by the chance of its draws. Trainings that start
from the same weights stay where means of them are as good as they are, and what chance did to each
evens out (Wortsman et al., "Model soups", ICML 2022), at the cost of tracking with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vosbench.errors import UsageError
from vosbench_eosvos.learned import LearnedOptimiser


def average(files: Sequence[Path]) -> LearnedOptimiser:
    """The mean of the weights in `files`, one as much as another.

    Raises:
        UsageError: a file holds no weights, or those of another model, or its learning rates
            govern something else than the first's.
    """
    first, *others = several = [LearnedOptimiser.load(path) for path in files]
    for path, other in zip(files[1:], others, strict=True):
        if (other.config, other.learning) != (first.config, first.learning):
            raise UsageError(f"{path}: these weights are of another model than {files[0]}")
        if other.level != first.level:
            raise UsageError(
                f"{path}: its learning rates are of level {other.level}, those of {files[0]} of "
                f"level {first.level}"
            )
    return replace(
        first,
        state=_mean([learned.state for learned in several]),
        rates=_mean([learned.rates for learned in several]),
        provenance={"mean of": [learned.provenance for learned in several]},
    )


def _mean(several: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Name by name; counters are the first's."""
    return {
        name: torch.stack([tensors[name] for tensors in several]).mean(0)
        if value.is_floating_point()
        else value
        for name, value in several[0].items()
    }
