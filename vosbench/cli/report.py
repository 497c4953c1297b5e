"""`vosbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from vosbench.analysis.published import DATASETS
from vosbench.cli.locate import score_runs_over, stored_datasets, stored_name
from vosbench.cli.options import data_root_option, plugin_options, results_option


@click.command(short_help="One HTML page to look at runs in.")
@click.option("--dataset", metavar="NAME", help="Runs over this dataset; default: the only one.")
@click.option(
    "--tracker", multiple=True, metavar="NAME",
    help="The run of this name, else all runs of this tracker. Repeatable.",
)  # fmt: skip
@results_option
@data_root_option
@plugin_options
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    default=Path("report.html"), show_default=True, help="Where the page goes.",
)  # fmt: skip
@click.option(
    "--sequence", multiple=True, metavar="NAME",
    help="Pictures of this sequence only; scores are of all. Repeatable.",
)  # fmt: skip
@click.option(
    "--sequence-frames", type=click.IntRange(min=0), default=24, show_default=True, metavar="N",
    help="Pictures of a sequence, evenly spread; 0 for none.",
)  # fmt: skip
@click.option(
    "--pictures", type=click.IntRange(min=1), default=1000, show_default=True, metavar="N",
    help="Pictures of all sequences together, about; more sequences get fewer each.",
)  # fmt: skip
@click.option(
    "--width", type=click.IntRange(min=64, max=1920), default=480, show_default=True,
    metavar="PIXELS", help="Width of the pictures.",
)  # fmt: skip
@click.option("--no-published", is_flag=True, help="Leave published numbers out.")
@click.option("--mix", is_flag=True, help="Show what is not comparable; footnotes say why.")
def report(
    dataset: str | None,
    tracker: tuple[str, ...],
    results: Path,
    data_root: tuple[Path, ...],
    output: Path,
    sequence: tuple[str, ...],
    sequence_frames: int,
    pictures: int,
    width: int,
    no_published: bool,
    mix: bool,
) -> None:
    """Write one HTML file that shows the runs over a dataset: scores beside published numbers,
    every sequence frame by frame, what failed, and how each run was made.

    The file needs no server and no network.
    """
    from vosbench.analysis import compare
    from vosbench.errors import DatasetError
    from vosbench.report.content import Material, Thinning, choose_pictures
    from vosbench.report.page import write_report

    name = dataset or _only_dataset(results)
    stored = stored_name(name)
    runs, open_data = score_runs_over(name, tracker, results, data_root)
    if not mix:
        compare.require_comparable(runs)
    known = stored in DATASETS and not no_published
    numbers, notes = compare.published_beside(stored, runs) if known else (None, ())
    names = list(dict.fromkeys(s for found in runs for s in found.run.record.sequences))
    data, shown = None, dict[str, int]()
    if sequence_frames:
        try:
            data = open_data()
        except DatasetError as error:
            click.echo(f"no pictures: {error.message}", err=True)
        else:
            wanted = [data.sequence(one).name for one in sequence] or names
            thinning = Thinning(frames=sequence_frames, total=pictures)
            shown = choose_pictures(runs, wanted, thinning)
    material = Material(name=compare.label(runs, stored), runs=runs, dataset=data, shown=shown)
    write_report(output, material, numbers=numbers, notes=notes, width=width)
    size = output.stat().st_size / 1e6
    frames = f", up to {max(shown.values())} pictures each" if shown else ""
    left_out = f" of {len(names)}" if shown and len(shown) < len(names) else ""
    click.echo(f"{output}  ({size:.1f} MB, {len(shown)}{left_out} sequences{frames})")


def _only_dataset(results: Path) -> str:
    from vosbench.errors import UsageError

    names = stored_datasets(results)
    if len(names) > 1:
        raise UsageError("a report shows one dataset", f"Choose --dataset: {', '.join(names)}.")
    return names[0]
