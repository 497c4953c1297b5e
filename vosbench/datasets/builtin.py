"""The datasets that ship with vosbench, registered like those of any plugin."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from vosbench.datasets import benchmarks, burst, davis, demo, lvos, mose, youtube_vos
from vosbench.datasets.base import DatasetSpec
from vosbench.hookspecs import hookimpl


@hookimpl
def vosbench_register_datasets(register: Callable[[DatasetSpec], None]) -> None:
    """Add every dataset of this package by name."""
    register(demo.spec())
    for module in (davis, youtube_vos, mose, lvos, benchmarks, burst):
        for spec in module.specs():
            register(spec)
    for spec in benchmarks.holdouts(chain(mose.specs(), youtube_vos.specs())):
        register(spec)
