"""Seeds of random draws."""

from __future__ import annotations

import numpy as np


def derive_seed(*parts: int) -> int:
    """One seed from several numbers, each of which matters."""
    entropy = [len(parts), *(part % 2**32 for part in parts)]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
