"""`vosbench pack`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vosbench.cli.options import json_option, masks_options, output_option, plugin_options


@click.command(short_help="Submission archive for an evaluation server.")
@masks_options
@click.option(
    "--layout", type=click.Choice(["davis", "ytvos", "mose", "lvos", "sav", "coco"]),
    help="What the server wants; default: by the dataset. coco: a JSON file of run-length codes.",
)  # fmt: skip
@output_option("the archive", "<dataset>.zip or .json in the run's folder")
@plugin_options
@json_option
def pack(layout: str | None, output: Path | None, as_json: bool, **where: Any) -> None:
    """Check masks and write them as the archive that an evaluation server takes.

    Give a RUN folder, or --dataset and --tracker, or --dataset and --masks. All problems are
    listed at once, and nothing is written if there are any.
    """
    from vosbench.cli.locate import locate
    from vosbench.pack import LAYOUTS, layout_of
    from vosbench.pack import pack as write

    source = locate(**where)
    chosen = LAYOUTS[layout] if layout else layout_of(source.dataset)
    target = output or source.folder / f"{source.dataset.name}.{'json' if chosen.codes else 'zip'}"
    count = write(source.dataset, source.masks, target, chosen)
    if as_json:
        import json

        facts = {"file": str(target), "masks": count, "layout": chosen.name}
        click.echo(json.dumps(facts, indent=1))
        return
    size = target.stat().st_size / 1e6
    click.echo(f"{target}  ({count} masks, {size:.1f} MB, layout {chosen.name})")
