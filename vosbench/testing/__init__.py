"""For authors of trackers: a conformance suite, and small sequences to try a tracker on."""

from __future__ import annotations

from vosbench.testing.apart import check_apart
from vosbench.testing.bench import make_context
from vosbench.testing.cases import Case, conformance_cases
from vosbench.testing.conformance import Outcome, check_tracker
from vosbench.testing.synthetic import Synthetic, moving_discs, textured

__all__ = [
    "Case",
    "Outcome",
    "Synthetic",
    "check_apart",
    "check_tracker",
    "conformance_cases",
    "make_context",
    "moving_discs",
    "textured",
]
