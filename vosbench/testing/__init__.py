"""For authors of trackers: a conformance suite, and small sequences to try a tracker on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vosbench.testing.bench import make_context
from vosbench.testing.cases import Case, conformance_cases
from vosbench.testing.conformance import Outcome, check_tracker
from vosbench.testing.synthetic import Synthetic, moving_discs, textured

if TYPE_CHECKING:
    from vosbench.testing.apart import check_apart

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


def __getattr__(name: str) -> Any:
    if name == "check_apart":  # what starts processes is not there in a tracker's own environment
        from vosbench.testing.apart import check_apart

        return check_apart
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
