"""e-OSVOS (Meinhardt and Leal-Taixé, NeurIPS 2020) for vosbench. This module imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vosbench.hookspecs import hookimpl
from vosbench_eosvos.variants import handcrafted_specs, specs

if TYPE_CHECKING:
    import click

    from vosbench.specs import TrackerSpec


@hookimpl
def vosbench_register_trackers(register: Callable[[TrackerSpec], None]) -> None:
    """The variants of e-OSVOS and their handcrafted baseline."""
    for spec in (*specs(), *handcrafted_specs()):
        register(spec)


@hookimpl
def vosbench_register_commands(cli: click.Group) -> None:
    """`vosbench eosvos ...`: training."""
    from vosbench_eosvos.cli import eosvos

    cli.add_command(eosvos)
