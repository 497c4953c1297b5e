"""`vosbench merge`: parts of runs, made by `vosbench run --shard`, put together."""

from __future__ import annotations

import contextlib
from pathlib import Path

import click

from vosbench.cli.names import DATASET
from vosbench.cli.options import data_root_option, json_option, plugin_options, results_option


@click.command()
@click.argument("parts", nargs=-1, required=True)
@click.option(
    "--dataset", metavar="NAME", type=DATASET, help="The dataset, if it is not found by itself."
)
@click.option("--partial", is_flag=True, help="Merge though sequences are missing.")
@results_option
@data_root_option
@plugin_options
@json_option
def merge(
    parts: tuple[str, ...],
    dataset: str | None,
    partial: bool,
    results: Path,
    data_root: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Put the parts of runs together.

    PARTS are run folders, results folders of which every run is taken, or URLs of what `vosbench
    push` sent, in which * stands for any name. Parts of one run must have been made by the same
    version, options and weights on the same data, and leave no gaps.

    \b
    Example:
      vosbench run --tracker flow --dataset davis17-val --shard 1/2 --results part-1
      vosbench run --tracker flow --dataset davis17-val --shard 2/2 --results part-2
      vosbench merge part-1 part-2 --results results
    """
    from vosbench.cli.locate import open_data_of
    from vosbench.running.shards import merge as merge_runs
    from vosbench.running.transfer import is_remote, pulled
    from vosbench.store import Run, runs_in

    groups: dict[tuple[str, str], list[Run]] = {}
    made: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        for part in parts:
            for run in (
                stack.enter_context(pulled(part)) if is_remote(part) else runs_in(Path(part))
            ):
                groups.setdefault((run.record.dataset, run.record.name), []).append(run)
        for runs in groups.values():
            data = open_data_of(runs[0], data_root, dataset)
            merged = merge_runs(runs, data, results, partial=partial)
            count = made[str(merged.folder)] = len(merged.record.sequences)
            if not as_json:
                click.echo(f"{merged.folder}: {count} sequences of {len(runs)} parts")
    if as_json:
        import json

        click.echo(json.dumps([{"folder": f, "sequences": n} for f, n in made.items()], indent=1))
