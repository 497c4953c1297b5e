"""What commands that end in tables share: formats, plots, files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.cli.options import load_plugins
from vosbench.errors import PluginError, UsageError

if TYPE_CHECKING:
    from vosbench.export import ExporterSpec, Table

PLOTS = (".svg", ".pdf", ".png")


def find_exporter(name: str) -> ExporterSpec:
    """The format called `name`. Raises PluginError if there is none."""
    exporters = load_plugins().exporters
    if name not in exporters:
        raise PluginError(f"there is no format {name!r}", f"Formats: {', '.join(exporters)}.")
    return exporters[name]


def check_plot(plot: Path | None, option: str = "--plot") -> None:
    """Raises UsageError if `option` names a kind of picture that is not known."""
    if plot is not None and plot.suffix.lower() not in PLOTS:
        raise UsageError(f"{option} {plot}: unknown kind of picture", f"Kinds: {', '.join(PLOTS)}.")


def write_tables(tables: Sequence[Table], exporter: ExporterSpec, output: Path | None) -> None:
    """Print `tables`, or write them to `output`."""
    text = exporter.export(tables)
    if output is None:
        click.echo(text, nl=False)
        return
    from vosbench.durable import written_whole

    # What a link leads to is written, /dev/stdout among them; the link stays.
    target = output.resolve() if output.is_file() else output
    with written_whole(target, sync=False) as stream:
        stream.write(click.unstyle(text).encode())
    click.echo(f"table: {output}", err=True)
