"""`vosbench report`, and what `vosbench view` shares with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.locate import score_runs_over, stored_datasets, stored_name
from vosbench.cli.names import DATASET, RUN, SEQUENCE
from vosbench.cli.options import (
    data_root_option,
    json_option,
    output_option,
    plugin_options,
    published_options,
    results_option,
    tags_option,
)

if TYPE_CHECKING:
    from vosbench.report.content import Material
    from vosbench.report.page import Beside


def page_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what `gather` takes."""
    for option in (
        click.option("--mix", is_flag=True, help="Show what is not comparable; footnotes say why."),
        tags_option,
        published_options,
        click.option(
            "--sequence", "sequences", multiple=True, metavar="NAME", type=SEQUENCE,
            help="Pictures of this sequence only; scores are of all. May be repeated.",
        ),
        plugin_options,
        data_root_option,
        results_option,
        click.option(
            "--tracker", "trackers", multiple=True, metavar="NAME", type=RUN,
            help="Only the run of this name, or all runs of this tracker. May be repeated.",
        ),
        click.option(
            "--dataset", metavar="NAME", type=DATASET,
            help="Runs over this dataset; default: the only one.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(short_help="One HTML page to look at runs in.")
@page_options
@output_option("the page", Path("report.html"))
@click.option(
    "--frames", type=click.IntRange(min=0), metavar="N",
    help="Pictures of a sequence at most, evenly spread; 0 for none; default: as many as fit.",
)  # fmt: skip
@click.option(
    "--size", "megabytes", type=click.FloatRange(min=0.1), default=25.0, show_default=True,
    metavar="MB", help="Size of all pictures together, about.",
)  # fmt: skip
@click.option(
    "--width", type=click.IntRange(min=64, max=1920), default=480, show_default=True,
    metavar="PIXELS", help="Width of the pictures.",
)  # fmt: skip
@json_option
def report(
    output: Path,
    frames: int | None,
    megabytes: float,
    width: int,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Write one HTML file that shows the runs over a dataset: scores beside published numbers,
    every sequence frame by frame, one run against another, what failed, and how each run was made.

    The file needs no server and no network. `vosbench view` shows every frame.
    """
    from vosbench.report.page import write_report

    material, beside = gather(width=width, frames=frames, megabytes=megabytes, **chosen)
    write_report(output, material, beside)
    shown = {name: len(clip.shown) for name, clip in material.clips.items()}
    if as_json:
        import json

        facts = {"file": str(output), "bytes": output.stat().st_size, "pictures": shown}
        click.echo(json.dumps(facts, indent=1))
        return
    size = output.stat().st_size / 1e6
    most = f", up to {max(shown.values())} pictures each" if shown else ""
    all_of = len(material.sequences)
    count = f"{len(shown)} of {all_of}" if len(shown) < all_of else str(all_of)
    click.echo(f"{output}  ({size:.1f} MB, pictures of {count} sequences{most})")


def gather(
    dataset: str | None,
    trackers: tuple[str, ...],
    results: Path,
    data_root: tuple[Path, ...],
    sequences: tuple[str, ...],
    published: str,
    secondary: bool,
    tags: Path | None,
    mix: bool,
    *,
    width: int,
    frames: int | None = None,
    megabytes: float | None = None,
    remote: bool = False,
) -> tuple[Material, Beside]:
    """What the page is made from. Without the dataset it has scores and no pictures."""
    from vosbench.analysis import compare
    from vosbench.analysis.attributes import davis_tags, read_tags
    from vosbench.datasets.registry import select
    from vosbench.errors import DatasetError
    from vosbench.report.content import Material, choose_frames, filter_tags, sequence_names
    from vosbench.report.page import Beside

    name = dataset or _only_dataset(results)
    stored = stored_name(name)
    runs, open_data = score_runs_over(name, trackers, results, data_root)
    if not mix:
        compare.require_comparable(runs)
    runs = sorted(runs, key=lambda scored: -scored.scores().get("J&F", -1.0))
    numbers, notes = compare.published_beside(stored, runs, published, secondary=secondary)
    data = None
    if frames != 0:
        try:
            data = open_data()
        except DatasetError as error:
            click.echo(f"no pictures: {error.message}", err=True)
    clips, found = {}, {}
    if data is not None:
        names = tuple(sequence_names(runs))
        given = davis_tags() if tags is None else read_tags(tags)
        found = filter_tags(select(data, names), given)
        videos = select(data, sequences or names).sequences
        clips = choose_frames(runs, videos, width=width, count=frames, megabytes=megabytes)
    title = compare.label(runs, stored)
    material = Material(name=title, runs=runs, clips=clips, tags=found, remote=remote)
    return material, Beside(numbers=numbers, notes=notes)


def _only_dataset(results: Path) -> str:
    from vosbench.errors import UsageError

    names = stored_datasets(results)
    if len(names) > 1:
        raise UsageError("a report shows one dataset", f"Choose --dataset: {', '.join(names)}.")
    return names[0]
