"""How learning rates change over a run."""

from __future__ import annotations

import math


def warmup_cosine(step: int, steps: int, warmup: int, *, floor: float = 0.0) -> float:
    """Factor in 0..1 at `step`: a linear rise over `warmup` steps, then a cosine to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))
