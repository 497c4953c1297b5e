"""The sequence metrics that ship with vosbench, registered like those of any plugin."""

from __future__ import annotations

from collections.abc import Callable

from vosbench.hookspecs import hookimpl
from vosbench.metrics import Column, SequenceMetricSpec

_MEASURES = "vosbench.metrics.sequence"

SPECS = (
    SequenceMetricSpec(
        name="volume",
        metric=f"{_MEASURES}.volume:Volume",
        summary="J of an object's masks as one volume of space and time",
        columns=(Column(name="J-Volume", summary="volumetric J"),),
    ),
)


@hookimpl
def vosbench_register_sequence_metrics(register: Callable[[SequenceMetricSpec], None]) -> None:
    """Add every sequence metric of this package by name."""
    for spec in SPECS:
        register(spec)
