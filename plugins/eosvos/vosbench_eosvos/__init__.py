"""e-OSVOS (Meinhardt and Leal-Taixé, NeurIPS 2020) for vosbench. This module imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vosbench.hookspecs import hookimpl
from vosbench_eosvos.variants import specs

if TYPE_CHECKING:
    from vosbench.specs import TrackerSpec


@hookimpl
def vosbench_register_trackers(register: Callable[[TrackerSpec], None]) -> None:
    for spec in specs():
        register(spec)
