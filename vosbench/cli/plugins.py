"""`vosbench plugins`: every plugin, what it adds, and why a broken one is broken."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from vosbench.cli.options import json_option, load_plugins, plugin_options

if TYPE_CHECKING:
    from vosbench.plugins import PluginInfo


@click.command()
@plugin_options
@click.option("-v", "--verbose", is_flag=True, help="Show broken plugins' whole tracebacks.")
@json_option
def plugins(verbose: bool, as_json: bool) -> None:
    """List plugins: where each comes from, what it registers, why one is broken.

    A broken plugin is left out, all others work. `--disable NAME`, or `disable = ["NAME"]` in
    the configuration file, leaves one out on purpose.
    """
    infos = load_plugins(tolerant=True).infos
    if as_json:
        click.echo(json.dumps([asdict(info) for info in infos], indent=2))
        return
    for info in infos:
        _show(info, verbose)


def _show(info: PluginInfo, verbose: bool) -> None:
    click.secho(info.name, bold=True, nl=False)
    source = f"{info.source} {info.version}".strip()
    click.echo(f"  {source}" if source != info.name else "")
    if info.problem == "disabled":
        click.secho("  disabled", fg="yellow")
    elif info.problem:
        click.secho(f"  broken: {info.reason}", fg="red")
        if verbose:
            click.echo(textwrap.indent(info.problem.rstrip(), "    "))
    elif not info.provides:
        click.echo("  registers nothing")
    for kind, names in info.provides.items():
        click.echo(
            textwrap.fill(
                f"{kind}: {', '.join(names)}",
                width=96,
                initial_indent="  ",
                subsequent_indent="    ",
                break_on_hyphens=False,
            )
        )
