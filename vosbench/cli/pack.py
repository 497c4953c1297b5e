"""`vosbench pack`."""

from __future__ import annotations

from pathlib import Path

import click

from vosbench.cli.options import data_root_option, plugin_options, results_option


@click.command(short_help="Submission archive for an evaluation server.")
@click.argument(
    "run", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@click.option("--dataset", metavar="NAME", help="Dataset of the run or of --masks.")
@click.option("--tracker", metavar="NAME", help="Tracker or run name.")
@click.option(
    "--masks", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DIR",
    help="Pack a folder of masks, <sequence>/<frame>.png, instead of a run.",
)  # fmt: skip
@click.option(
    "--layout", type=click.Choice(["davis", "ytvos", "mose", "lvos", "sav"]),
    help="What the server wants; default: by the dataset.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="The archive; default: <dataset>.zip in the run's folder.",
)  # fmt: skip
@results_option
@data_root_option
@plugin_options
def pack(
    run: Path | None,
    dataset: str | None,
    tracker: str | None,
    masks: Path | None,
    layout: str | None,
    output: Path | None,
    results: Path,
    data_root: tuple[Path, ...],
) -> None:
    """Check masks and write them as the archive that an evaluation server takes.

    Give a RUN folder, or --dataset and --tracker, or --dataset and --masks. All problems are
    listed at once, and nothing is written if there are any.
    """
    from vosbench.cli.locate import locate
    from vosbench.pack import LAYOUTS, layout_of
    from vosbench.pack import pack as write

    source = locate(run, dataset, tracker, masks, results, data_root)
    chosen = LAYOUTS[layout] if layout else layout_of(source.dataset)
    target = output or source.folder / f"{source.dataset.name}.zip"
    count = write(source.dataset, source.masks, target, chosen)
    size = target.stat().st_size / 1e6
    click.echo(f"{target}  ({count} masks, {size:.1f} MB, layout {chosen.name})")
