"""`vosbench compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.analysis.published import DATASETS
from vosbench.cli.locate import score_runs_over, stored_datasets
from vosbench.cli.names import DATASET, MEASURE, RUN
from vosbench.cli.options import (
    data_root_option,
    load_plugins,
    plugin_options,
    published_options,
    results_option,
    table_json_option,
    table_options,
    tags_option,
)
from vosbench.cli.tables import check_plot, find_exporter, write_tables

#: As `vosbench.analysis.attributes.ATTRIBUTES`, which needs numpy.
ATTRIBUTES = ("attribute", "size", "speed", "occlusion", "objects", "length")

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vosbench.analysis.scored import ScoredRun
    from vosbench.export import Table


@click.command(short_help="Table of runs beside published numbers.")
@click.option(
    "--dataset", metavar="NAME", type=DATASET, help="Runs over this dataset; default: over each."
)
@click.option(
    "--tracker", multiple=True, metavar="NAME", type=RUN,
    help="Only the run of this name, or all runs of this tracker. May be repeated.",
)  # fmt: skip
@click.option(
    "--exclude", multiple=True, metavar="NAME", type=RUN,
    help="Leave this run or tracker out. May be repeated.",
)  # fmt: skip
@click.option("--common", is_flag=True, help="Compare on the sequences that all runs have done.")
@results_option
@data_root_option
@plugin_options
@click.option("--per-sequence", is_flag=True, help="Add a table by sequence.")
@click.option(
    "--measure", default="J&F", show_default=True, metavar="NAME", type=MEASURE,
    help="Measure of --per-sequence and --against: J&F, J, J-Recall, J-Decay, F, ...",
)  # fmt: skip
@click.option(
    "--against", metavar="TRACKER", type=RUN,
    help="Add each tracker's difference to this one, with confidence interval and p.",
)  # fmt: skip
@click.option(
    "--unit", type=click.Choice(["sequence", "object"]), default="sequence", show_default=True,
    help="What --against pairs.",
)  # fmt: skip
@click.option(
    "--by", type=click.Choice(ATTRIBUTES), multiple=True,
    help="Add a table of --measure by tag, or by what is measured. May be repeated.",
)  # fmt: skip
@tags_option
@click.option(
    "--cost", is_flag=True, help="Add what each run cost: time, warm-up apart, and memory."
)
@click.option(
    "--realtime", "rate", type=click.FloatRange(0, min_open=True), metavar="FPS",
    help="Add scores as seen live at this rate, where masks stay while a tracker is busy.",
)  # fmt: skip
@click.option(
    "--intervals", is_flag=True, help="Show 95 % intervals of all scores, not of the first only."
)
@click.option(
    "--each-seed", is_flag=True, help="Show one row for each run instead of averaging over seeds."
)
@published_options
@click.option(
    "--published-for", "elsewhere", type=click.Choice(list(DATASETS)), metavar="DATASET",
    help="Add the published numbers for another dataset, apart.",
)  # fmt: skip
@click.option(
    "--sort", default="", metavar="COLUMN",
    help="Sort rows by this column, or by `name`; default: the leading score.",
)  # fmt: skip
@click.option("--mix", is_flag=True, help="Compare what is not comparable; footnotes say why.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Draw accuracy against speed (.svg, .pdf or .png).",
)  # fmt: skip
@click.option(
    "--plot-ranks", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Draw mean ranks by --measure and their critical difference (.svg, .pdf or .png).",
)  # fmt: skip
@click.option(
    "--plot-success", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Draw the share of frames with J above t, over t (.svg, .pdf or .png).",
)  # fmt: skip
@table_options
@table_json_option
def compare(
    dataset: str | None,
    tracker: tuple[str, ...],
    exclude: tuple[str, ...],
    common: bool,
    results: Path,
    data_root: tuple[Path, ...],
    format_name: str,
    per_sequence: bool,
    measure: str,
    against: str | None,
    unit: str,
    by: tuple[str, ...],
    tags: Path | None,
    cost: bool,
    rate: float | None,
    intervals: bool,
    each_seed: bool,
    published: str,
    secondary: bool,
    elsewhere: str | None,
    sort: str,
    mix: bool,
    plot: Path | None,
    plot_ranks: Path | None,
    plot_success: Path | None,
    output: Path | None,
) -> None:
    """Show the runs in --results beside each other and beside published numbers.

    Scores are in percent, the best in bold, the second best underlined. Runs whose protocol, data
    or sequences differ, and incomplete ones, are refused unless --mix or --common is given.
    """
    from vosbench.analysis.published import published as published_numbers
    from vosbench.errors import RunError, UsageError
    from vosbench.store import broken_runs, find_runs

    check_plot(plot)
    check_plot(plot_ranks, "--plot-ranks")
    check_plot(plot_success, "--plot-success")
    exporter = find_exporter(format_name)
    from vosbench.analysis import compare as comparing
    from vosbench.analysis.attributes import davis_tags, read_tags
    from vosbench.analysis.by_attribute import attribute_table
    from vosbench.analysis.cost import cost_table
    from vosbench.analysis.paired import paired_table
    from vosbench.analysis.realtime import realtime, realtime_table

    names = [dataset] if dataset else stored_datasets(results)
    if (plot or plot_ranks or plot_success) and len(names) > 1:
        raise UsageError("a plot shows one dataset", f"Choose --dataset: {', '.join(names)}.")
    tables: list[Table] = []
    shown: list[str] = []
    for name in names:
        lonely = published_numbers(name, published, secondary=secondary)
        if lonely is not None and not (tracker or find_runs(results, name)):
            main = comparing.main_table([], name, lonely)
            tables.append(main.sorted_by(sort or main.leading))
            click.echo(f"there is no run over {name} in {results}", err=True)
            continue
        runs, open_data = score_runs_over(name, tracker, results, data_root, exclude, common=common)
        if not mix:
            comparing.require_comparable(runs)
        short = runs[0].run.record.dataset
        shown.append(short)
        beside, remark = comparing.published_beside(short, runs, published, secondary=secondary)
        main = comparing.main_table(
            runs, short, beside, remark, intervals=intervals, each_seed=each_seed
        )
        main = main.sorted_by(sort or main.leading)
        tables.append(main)
        tables += comparing.measure_tables(runs, short, intervals=intervals, each_seed=each_seed)
        if plot is not None:
            from vosbench.export import plots

            figure = plots.plane_plot(comparing.plot_points(main), title=main.title)
            plots.save(figure, plot)
            click.echo(f"plot: {plot}", err=True)
        if plot_ranks is not None:
            _draw_ranks(plot_ranks, runs, measure, main.title)
        if plot_success is not None:
            _draw_success(plot_success, runs, main.title)
        if per_sequence:
            tables.append(comparing.sequence_table(runs, short, measure))
        for attribute in by:
            known = read_tags(tags) if tags else davis_tags()
            tables.append(attribute_table(runs, short, attribute, measure, open_data, known))
        if cost:
            tables.append(cost_table(runs, comparing.label(runs, short)))
        if rate is not None:
            spec = load_plugins().sequence_metrics["vots"]
            data = open_data()
            live = [realtime(scored, data, [spec], fps=rate) for scored in runs]
            tables.append(realtime_table(live, comparing.label(runs, short), rate))
        if against:
            tables.append(paired_table(runs, against, short, measure, unit))
    if elsewhere:
        numbers = published_numbers(elsewhere, published, secondary=secondary)
        if numbers is not None:
            tables.append(comparing.published_table(numbers))
    write_tables(tables, exporter, output)
    if any(broken_runs(results, name) for name in shown):  # a table without them is no success
        click.get_current_context().exit(RunError.exit_code)


def _draw_ranks(file: Path, runs: Sequence[ScoredRun], measure: str, title: str) -> None:
    from vosbench.analysis.compare import known_columns
    from vosbench.analysis.ranks import mean_ranks
    from vosbench.export import plots
    from vosbench.export.ranks import rank_plot

    column = known_columns(runs).get(measure)
    lower = column.better == "lower" if column else measure.endswith("Decay")
    ranks = mean_ranks(runs, measure, lower=lower)
    title = f"{title}: {measure}, Friedman p = {ranks.p_value:.2g}"
    plots.save(rank_plot(ranks.mean, ranks.critical, ranks.alike(), title), file)
    click.echo(f"plot: {file}", err=True)


def _draw_success(file: Path, runs: Sequence[ScoredRun], title: str) -> None:
    from vosbench.analysis.success import success_curves
    from vosbench.export import plots
    from vosbench.export.success import success_plot
    from vosbench.metrics.sequence.vots import THRESHOLDS

    plots.save(success_plot(success_curves(runs), THRESHOLDS, title), file)
    click.echo(f"plot: {file}", err=True)
