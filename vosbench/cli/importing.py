"""`vosbench import`."""

from __future__ import annotations

from pathlib import Path

import click

from vosbench.cli.names import DATASET, PROTOCOL
from vosbench.cli.options import (
    data_root_option,
    json_option,
    list_option,
    load_plugins,
    plugin_options,
    results_option,
    sequences_option,
)


@click.command("import", short_help="Masks of any program as a run.")
@click.argument("masks", type=click.Path(path_type=Path, exists=True), metavar="DIR|FILE.json")
@click.option("--name", required=True, metavar="NAME", help="What the run is called in tables.")
@click.option(
    "--dataset", required=True, metavar="NAME", type=DATASET, help="Dataset that the masks are of."
)
@click.option(
    "--fps", type=float, metavar="N",
    help="Frames per second as its authors state them; shown in parentheses, not ranked.",
)  # fmt: skip
@click.option(
    "--threshold", type=float, default=0.0, metavar="T",
    help="Masks are probabilities in grey (0..255): from T * 255 on a pixel is object.",
)  # fmt: skip
@click.option(
    "--by-order", is_flag=True,
    help="Pair masks with frames by their order, whatever they are called.",
)  # fmt: skip
@sequences_option
@list_option
@click.option(
    "--protocol", metavar="NAME", type=PROTOCOL,
    help="Score by this protocol instead of the dataset's own.",
)  # fmt: skip
@click.option("--fresh", is_flag=True, help="Replace a run of that name.")
@results_option
@data_root_option
@plugin_options
@json_option
def import_masks(
    masks: Path,
    name: str,
    dataset: str,
    fps: float | None,
    threshold: float,
    by_order: bool,
    sequences: tuple[str, ...],
    protocol: str | None,
    fresh: bool,
    results: Path,
    data_root: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Import masks made by any program as a run, which compare, report, show and pack then treat
    like any other.

    DIR holds <sequence>/<frame>.png, or <sequence>/<object>/<frame>.png where objects may overlap;
    FILE.json holds run-length codes of COCO. They are checked as a whole before anything is
    written.

    \b
    Examples:
      vosbench import their/masks --name theirs --dataset davis17-val --fps 12.5
      vosbench import probabilities --name osvos --dataset davis16-val --threshold 0.5
    """
    from dataclasses import replace

    from rich.console import Console
    from rich.progress import Progress

    from vosbench.analysis.scored import score_run
    from vosbench.config import data_roots
    from vosbench.datasets.registry import open_dataset, select
    from vosbench.importing import Source
    from vosbench.importing import import_masks as take
    from vosbench.metrics.protocols import find_protocol

    opened = open_dataset(dataset, load_plugins(), data_roots(data_root))
    if protocol is not None:
        opened = replace(opened, protocol=find_protocol(protocol).name)
    part = select(opened, sequences, None)
    source = Source(masks=masks, threshold=threshold, by_order=by_order)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("importing", total=len(part.sequences))
        run = take(
            *(part, source, name),
            results=results,
            fps=fps,
            fresh=fresh,
            advance=lambda: bars.advance(task),
        )
    scored = score_run(run, lambda: opened)
    if as_json:
        import json

        click.echo(json.dumps({"folder": str(run.folder), "scores": scored.scores()}, indent=1))
        return
    if scored.evaluation is not None:
        values = {key: f"{value:.3f}" for key, value in scored.scores().items()}
        shown = "  ".join(f"{key} {values[key]}" for key in ("J&F", "J", "F") if key in values)
        click.echo(f"{part.label}, protocol {part.protocol}: {shown}")
        for warning in scored.evaluation.warnings:
            click.secho(f"warning: {name}: {warning}", fg="yellow", err=True)
    click.echo(run.folder)
