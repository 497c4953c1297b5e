"""How predictions are measured: region similarity J, contour accuracy F, their statistics, and
the official protocols built from them. `docs/metrics.md` defines everything.

Names that need numpy load on first use.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from vosbench.metrics.contour import boundary_radius, contour_accuracy
    from vosbench.metrics.region import region_similarity
    from vosbench.metrics.series import statistics

__all__ = [
    "Column",
    "MetricSpec",
    "ProtocolSpec",
    "SequenceMetricSpec",
    "boundary_radius",
    "contour_accuracy",
    "region_similarity",
    "statistics",
]

_LAZY = {
    "boundary_radius": "vosbench.metrics.contour",
    "contour_accuracy": "vosbench.metrics.contour",
    "region_similarity": "vosbench.metrics.region",
    "statistics": "vosbench.metrics.series",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSpec:
    """A measure of one object in one frame, besides J and F.

    Attributes:
        name: its column in the tables, e.g. "Area-Error"; letters, digits, dots and dashes.
        function: called with the annotated and the predicted mask, bool (H, W) each; returns a
            float. As text, "package.module:attribute", it is imported when it is first needed.
        summary: one line for `vosbench evaluate --help` and `vosbench plugins`.

    Example:
        >>> MetricSpec(name="Dice", function="my_package:dice", summary="Dice coefficient").name
        'Dice'
    """

    name: str
    function: str | Callable[..., float]
    summary: str

    def resolve(self) -> Callable[..., float]:
        """The function itself. Raises PluginError if it cannot be imported."""
        from vosbench.specs import resolve_factory

        return resolve_factory(self.function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column that a sequence metric adds to the tables.

    Attributes:
        name: e.g. "VOTS-Q"; letters, digits, dots, dashes and underscores.
        summary: what it is, in a few words.
        better: "higher" or "lower".
        unit: "share" (0..1, printed in percent), "frames", or "" for a plain number.
    """

    name: str
    summary: str
    better: Literal["higher", "lower"] = "higher"
    unit: Literal["share", "frames", ""] = "share"


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceMetricSpec:
    """A measure that sees objects through a whole sequence: `vosbench evaluate --metrics NAME`.

    Attributes:
        name: e.g. "reacquisition".
        metric: a class like `vosbench.metrics.sequence.SequenceMetric`, called without arguments;
            as text, "package.module:Class", it is imported when it is first needed.
        summary: one line for `vosbench metrics` and `vosbench plugins`.
        columns: what it adds to the tables.
        slow: left out of `--metrics all`, which is for measures that cost little beside J and F.
    """

    name: str
    metric: str | Callable[[], Any]
    summary: str
    columns: tuple[Column, ...]
    slow: bool = False

    def resolve(self) -> Any:
        """The metric itself. Raises PluginError if it cannot be imported."""
        from vosbench.specs import resolve_factory

        return resolve_factory(self.metric)()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolSpec:
    """A protocol besides the built-in ones.

    Attributes:
        name: as in `Dataset.protocol` and `vosbench evaluate --protocol`.
        protocol: a subclass of `vosbench.metrics.protocols.Protocol` of the same `name`, called
            without arguments; as text, "package.module:Class", it is imported when needed.
        summary: one line.
    """

    name: str
    protocol: str | Callable[[], Any]
    summary: str

    def resolve(self) -> Any:
        """The protocol itself. Raises PluginError if it cannot be imported."""
        from vosbench.specs import resolve_factory

        return resolve_factory(self.protocol)()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'vosbench.metrics' has no attribute {name!r}")
