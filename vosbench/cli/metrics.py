"""`vosbench metrics`: what can be measured, under which protocols."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from vosbench.cli.options import json_option, load_plugins, plugin_options


@click.command()
@plugin_options
@json_option
def metrics(as_json: bool) -> None:
    """List the protocols, and the measures that `vosbench evaluate --metrics` takes."""
    from vosbench.metrics.protocols import PROTOCOLS

    plugins = load_plugins()
    protocols = {name: protocol.summary for name, protocol in PROTOCOLS.items()}
    protocols |= {name: spec.summary for name, spec in plugins.protocols.items()}
    if as_json:
        import json

        document: dict[str, Any] = {
            "protocols": protocols,
            "frame": {name: spec.summary for name, spec in plugins.metrics.items()},
            "sequence": {
                name: {
                    "summary": spec.summary,
                    "slow": spec.slow,
                    "columns": [asdict(column) for column in spec.columns],
                }
                for name, spec in plugins.sequence_metrics.items()
            },
        }
        click.echo(json.dumps(document, indent=1))
        return
    _heading("Protocols (--protocol), which measure J and F")
    for name, summary in protocols.items():
        click.echo(f"  {name:20}{summary}")
    if plugins.metrics:
        _heading("\nMeasures of one frame (--metrics)")
    for name, frame_spec in plugins.metrics.items():
        click.echo(f"  {name:20}{frame_spec.summary}")
    _heading("\nMeasures of whole sequences (--metrics), and their columns")
    for name, spec in plugins.sequence_metrics.items():
        slow = "; slow: not part of `all`" if spec.slow else ""
        click.echo(f"  {name:20}{spec.summary}{slow}")
        for column in spec.columns:
            arrow = "lower is better" if column.better == "lower" else ""
            about = ", ".join(filter(None, (column.summary, arrow)))
            click.echo(f"    {column.name:18}  {about}")


def _heading(text: str) -> None:
    click.secho(text, bold=True)
