"""The datasets that ship with vosbench, registered like those of any plugin."""

from __future__ import annotations

from collections.abc import Callable

from vosbench.datasets import davis, demo
from vosbench.datasets.base import DatasetSpec
from vosbench.hookspecs import hookimpl


@hookimpl
def vosbench_register_datasets(register: Callable[[DatasetSpec], None]) -> None:
    """Add every dataset of this package by name."""
    register(demo.spec())
    for spec in davis.specs():
        register(spec)
