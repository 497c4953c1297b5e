"""`vosbench ablate`: what each tracker of an ablation gains over the row above.

A plugin that comes with an ablation of its own adds a command for it:

    group.add_command(ablation_command("ablate", "The ablation of the paper.", rows))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.locate import stored_name
from vosbench.cli.names import DATASET, MEASURE, ROWS
from vosbench.cli.options import (
    data_root_option,
    load_plugins,
    plugin_options,
    results_option,
    table_json_option,
    table_options,
)
from vosbench.cli.run import options_of
from vosbench.cli.running import add_running_options, interruptible, tell
from vosbench.cli.tables import find_exporter, write_tables
from vosbench.errors import RunError, UsageError

if TYPE_CHECKING:
    from vosbench.analysis.ablation import AblationRow, Step
    from vosbench.export import Table


def ablation_command(
    name: str,
    help: str,
    default_rows: Callable[[], Sequence[AblationRow]] | None = None,
    published: tuple[str, Callable[[], Table]] | None = None,
) -> click.Command:
    """A command that runs and tabulates an ablation.

    Args:
        name: of the command.
        help: its help text.
        default_rows: gives the rows if `--rows` is not given; without it `--rows` must be given.
        published: where the numbers are from that the rows say were published, and a table of them
            for rows that say nothing; adds `--published`.
    """

    @click.command(name, help=help)
    @click.option(
        "--dataset", required=True, metavar="NAME", type=DATASET,
        help="Dataset, or a folder in DAVIS layout.",
    )  # fmt: skip
    @click.option(
        "--rows", required=default_rows is None, metavar="TRACKER,TRACKER+KEY=VALUE,...",
        type=ROWS,
        help="The rows from the first to the last"
        + ("." if default_rows is None else ", if others."),
    )  # fmt: skip
    @click.option("--no-run", is_flag=True, help="Only tabulate the runs that are there.")
    @click.option(
        "--measure", default="J&F", show_default=True, metavar="NAME", type=MEASURE,
        help="J&F, J, F, J-Recall, J-Decay, ...",
    )  # fmt: skip
    @click.option("--mix", is_flag=True, help="Tabulate what is not comparable; footnotes say why.")
    @table_options
    @table_json_option
    @results_option
    @data_root_option
    @plugin_options
    def command(
        rows: str | None,
        measure: str,
        mix: bool,
        format_name: str,
        output: Path | None,
        with_published: bool = False,
        **settings: Any,
    ) -> None:
        from vosbench.analysis.ablation import ablation_table, parse_rows

        exporter = find_exporter(format_name)
        chosen = (
            parse_rows(rows) if rows is not None else list(default_rows() if default_rows else ())
        )
        title, steps = _run_or_look_up(chosen, **settings)
        scored = [step.scored for step in steps if step.scored is not None]
        if not mix:
            from vosbench.analysis.compare import require_comparable

            require_comparable([found for found in scored if found.run.complete])
        aligned = any(row.published for row in chosen)
        if scored:
            source, further = published if published and with_published else ("", None)
            tables = [ablation_table(steps, title, measure, published=source if aligned else "")]
            tables += [further()] if further and not aligned else []
            write_tables(tables, exporter, output)
        tell((step.name, step.scored, step.error) for step in steps)
        if any(not found.run.complete for found in scored):
            click.get_current_context().exit(RunError.exit_code)

    if published is not None:
        text = "Add what was published."
        click.option("--published", "with_published", is_flag=True, help=text)(command)
    return add_running_options(command)


def _run_or_look_up(
    rows: Sequence[AblationRow],
    *,
    dataset: str,
    data_root: tuple[Path, ...],
    options: tuple[str, ...],
    sequences: tuple[str, ...],
    limit: int | None,
    no_run: bool,
    results: Path,
    seed: int,
    python: str,
    **settings: Any,
) -> tuple[str, list[Step]]:
    """The dataset's name and the steps."""
    from vosbench.analysis.ablation import look_up, run_ablation
    from vosbench.config import data_roots
    from vosbench.datasets.registry import open_dataset, select
    from vosbench.running.runner import RunSettings, find_tracker

    plugins = load_plugins()
    specs = [find_tracker(plugins, row.tracker, python) for row in rows]
    given = options_of(specs, options)
    if no_run:
        if sequences or limit is not None:
            raise UsageError("--no-run tabulates runs as they are: no --sequence, no --limit")
        stored = stored_name(dataset)
        return stored, look_up(
            plugins,
            stored,
            rows,
            open_data=lambda: open_dataset(dataset, plugins, data_roots(data_root)),
            results=results,
            options=given,
            seed=seed,
            python=python,
        )
    from vosbench.running.display import Display

    data = open_dataset(dataset, plugins, data_roots(data_root))
    part = select(data, sequences, limit)
    with interruptible(), Display().live() as display:
        steps = run_ablation(
            plugins,
            data,
            rows,
            sequences=[sequence.name for sequence in part.sequences],
            results=results,
            options=given,
            settings=RunSettings(seed=seed, python=python, **settings),
            progress=display,
        )
    return data.name, steps


ablate = ablation_command(
    "ablate",
    """Run trackers that each add one thing to the one before, and show what each gains.

    What is measured already is not run again. A row is a tracker, with options as in the names of
    runs.

    \b
    Examples:
      vosbench ablate --dataset demo --rows copy-first,flow+preset=fast,flow
      vosbench ablate --dataset davis17-val --rows matching,handcrafted-10,eosvos-10
    """,
)
