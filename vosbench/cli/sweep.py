"""`vosbench sweep`: accuracy and speed over the values of one option."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.names import DATASET, SETTING, TRACKER
from vosbench.cli.options import (
    data_root_option,
    json_option,
    load_plugins,
    plugin_options,
    results_option,
    table_options,
)
from vosbench.cli.run import options_of
from vosbench.cli.running import add_running_options, failures, interruptible, note, tell
from vosbench.cli.tables import check_plot, find_exporter, write_tables
from vosbench.errors import UsageError

if TYPE_CHECKING:
    from vosbench.analysis.sweep import Point


@click.command()
@click.option(
    "--tracker", required=True, metavar="NAME", type=TRACKER,
    help="Tracker to run, see `vosbench trackers`.",
)  # fmt: skip
@click.option(
    "--dataset", required=True, metavar="NAME", type=DATASET,
    help="Dataset, or a folder in DAVIS layout.",
)  # fmt: skip
@click.option(
    "--set", "assignment", required=True, metavar="OPTION=VALUE,VALUE,...", type=SETTING,
    help="The option of the tracker that varies, and its values.",
)  # fmt: skip
@click.option(
    "--alone", is_flag=True,
    help="One run per value, for measured times, even where one run could answer all.",
)  # fmt: skip
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Draw scores and FPS over the option (.svg, .pdf or .png).",
)  # fmt: skip
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the values at full precision.",
)  # fmt: skip
@table_options
@results_option
@data_root_option
@plugin_options
@json_option
def sweep(
    tracker: str,
    dataset: str,
    assignment: str,
    options: tuple[str, ...],
    sequences: tuple[str, ...],
    limit: int | None,
    plot: Path | None,
    csv_file: Path | None,
    format_name: str,
    output: Path | None,
    results: Path,
    data_root: tuple[Path, ...],
    alone: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Run a tracker with several values of one option: scores and FPS over that option.

    Each value is an ordinary run: what has been measured is not run again, and the same command
    resumes one that was interrupted. A tracker that can answer several values in one run does so;
    their times are then derived, shown in parentheses and not ranked.

    \b
    Examples:
      vosbench sweep --tracker flow --dataset demo --set preset=ultrafast,fast,medium
      vosbench sweep --tracker eosvos-100 --dataset davis17-val \\
        --set iterations=1,2,5,10,20,50,100 --plot figure3.pdf
    """
    from vosbench.config import data_roots
    from vosbench.datasets.registry import open_dataset, select
    from vosbench.running.runner import RunSettings, find_tracker

    check_plot(plot)
    plugins = load_plugins()
    exporter = find_exporter(format_name)
    option, values = _parse(assignment)
    spec = find_tracker(plugins, tracker, settings["python"])
    given = options_of([spec], options)[spec.name]
    data = open_dataset(dataset, plugins, data_roots(data_root))
    part = select(data, sequences, limit)

    from vosbench.analysis.sweep import full_table, plot_points, sweep_table
    from vosbench.analysis.sweep import sweep as run_sweep
    from vosbench.running.display import Display

    with interruptible(), Display().live() as display:
        points = run_sweep(
            plugins,
            data,
            spec,
            option,
            values,
            sequences=[sequence.name for sequence in part.sequences],
            results=results,
            settings=RunSettings(options=given, **settings),
            alone=alone,
            progress=display,
        )
    title = f"{data.name}: {spec.name} over {option}"
    table = sweep_table(points, option, title)
    if as_json:
        import json

        click.echo(json.dumps([_as_json(point, option) for point in points], indent=1))
    elif table is not None:
        write_tables([table], exporter, output)
    if table is not None and csv_file is not None:
        csv_file.parent.mkdir(parents=True, exist_ok=True)
        full_table(points, table).to_csv(csv_file)
        note("csv", csv_file)
    if table is not None and plot is not None:
        from vosbench.export import plots

        plots.save(plots.sweep_plot(plot_points(table), option, table.title), plot)
        note("plot", plot)
    tell((f"{spec.name}, {option}={point.value}", point.scored, point.error) for point in points)


def _parse(assignment: str) -> tuple[str, list[str]]:
    option, _, listed = assignment.partition("=")
    values = [value.strip() for value in listed.split(",")]
    if not option or not all(values):
        raise UsageError(
            f"--set {assignment}: expected OPTION=VALUE,VALUE,...",
            "For example --set iterations=1,10,50.",
        )
    return option, values


def _as_json(point: Point, option: str) -> dict[str, Any]:
    from dataclasses import asdict

    run = point.scored.run if point.scored else None
    timing = run.timing() if run else None
    return {
        "option": option,
        "value": point.value,
        "folder": str(run.folder) if run else None,
        "complete": run.complete if run else False,
        "scores": point.scored.scores() if point.scored else {},
        "timing": asdict(timing) if timing else None,
        "derived_timing": run.record.derived_timing if run else None,
        "failed": failures(point.scored),
        "error": str(point.error) if point.error else None,
    }


add_running_options(sweep)
