"""`vosbench evaluate`: scores of runs, or of any folder of masks."""

from __future__ import annotations

import contextlib
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.locate import open_data_of, stored_name
from vosbench.cli.names import DATASET, METRICS, PROTOCOL, RUN
from vosbench.cli.options import (
    data_root_option,
    find_metrics,
    jobs_option,
    json_option,
    list_option,
    load_plugins,
    output_option,
    plugin_options,
    results_option,
    sequences_option,
    skip_option,
)
from vosbench.errors import EvaluationError, RunError, UsageError, VosbenchError

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset
    from vosbench.evaluation import Evaluation, Progress
    from vosbench.evaluation.key import ScoreKey
    from vosbench.export import Table
    from vosbench.metrics import Column, MetricSpec, SequenceMetricSpec
    from vosbench.store import Run


@dataclass(slots=True)
class _Target:
    """Masks to score, and what came of it.

    Attributes:
        title: what they are called in tables.
        masks: folder of masks.
        output: folder for the scores, or None.
        key: what the scores belong to, if they are a run's own.
        dataset: the sequences to score.
        missing: sequences that were asked for and that the run has not done.
        gaps: sequences that cannot be scored, whatever the masks.
    """

    title: str
    masks: Path
    output: Path | None
    dataset: Dataset
    missing: list[str]
    key: ScoreKey | None = None
    evaluation: Evaluation | None = None
    error: EvaluationError | None = None
    gaps: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        import json

        facts: dict[str, Any] = {
            "title": self.title,
            "masks": str(self.masks),
            "output": str(self.output) if self.output else None,
            "error": self.error.message if self.error else None,
            "problems": list(self.error.problems) if self.error else [],
        }
        scores = json.loads(self.evaluation.files()["scores.json"]) if self.evaluation else None
        return {**facts, "scores": scores}


@click.command(short_help="Score a run, or any folder of masks.")
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path))
@click.option(
    "--masks", type=click.Path(path_type=Path), metavar="DIR",
    help="Score DIR/<sequence>/<frame>.png, whoever wrote them; needs --dataset. Folders for "
    "each object and a JSON file of COCO's run-length codes are read too.",
)  # fmt: skip
@click.option(
    "--tracker", metavar="NAME", type=RUN, help="Score the run of this tracker over --dataset."
)
@click.option(
    "--dataset", metavar="NAME", type=DATASET, help="Dataset, or a folder in DAVIS layout."
)
@click.option(
    "--protocol", metavar="NAME", type=PROTOCOL,
    help="Score by this protocol; default: the dataset's own. `vosbench metrics` lists them.",
)  # fmt: skip
@sequences_option
@skip_option
@list_option
@click.option(
    "--metrics", "--metric", "metrics", multiple=True, metavar="all|NAME,...", type=METRICS,
    help="Measures besides J and F; `vosbench metrics` lists them. May be repeated.",
)  # fmt: skip
@output_option("the scores", "a run's scores/, and for --masks none", folder=True)
@jobs_option("Processes at once.")
@click.option("--per-sequence", is_flag=True, help="Add a table by sequence.")
@results_option
@data_root_option
@plugin_options
@json_option
def evaluate(
    runs: tuple[Path, ...],
    masks: Path | None,
    tracker: str | None,
    dataset: str | None,
    protocol: str | None,
    sequences: tuple[str, ...],
    skip: tuple[str, ...],
    metrics: tuple[str, ...],
    output: Path | None,
    jobs: int,
    per_sequence: bool,
    results: Path,
    data_root: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Score runs by their folders, or any folder of masks, as the official programs do.

    An incomplete run's finished sequences are scored, the others named; the exit code is 5.
    Masks that cannot be scored are refused with every reason and exit code 6. A sequence that is
    broken or too short is named, the others are scored, and the exit code is 6.

    \b
    Examples:
      vosbench evaluate results/davis17-val/*
      vosbench evaluate --masks their/masks --dataset davis17-val --output scores
    """
    from vosbench.config import data_roots
    from vosbench.datasets.registry import open_readable, select
    from vosbench.evaluation import evaluate_all

    if (bool(runs), masks is not None, tracker is not None).count(True) != 1:
        raise UsageError(
            "name what to score: run folders, or --dataset with --masks or --tracker",
            "`vosbench compare` lists the runs.",
        )
    if not runs and dataset is None:
        raise UsageError("--masks and --tracker need --dataset", "`vosbench datasets` lists all.")
    plugins = load_plugins()
    measures = find_metrics(plugins, metrics)
    opened: dict[tuple[str, ...], Dataset] = {}

    def open_for(run: Run) -> Dataset:
        places = (run.record.fingerprint, *run.sources)
        if places not in opened:
            opened[places] = open_data_of(run, data_root, dataset)
        return opened[places]

    if masks is not None:
        whole = open_readable(dataset or "", plugins, data_roots(data_root))
        part = select(whole, sequences, None, skip)
        targets = [_Target(str(masks), masks, output, part, [])]
    else:
        from vosbench.store import Run

        found = [Run.open(folder) for folder in runs]
        if tracker is not None:
            from vosbench.analysis.scored import select_runs

            found = select_runs(results, stored_name(dataset or ""), (tracker,))
        if output is not None and len(found) > 1:
            raise UsageError("--output is for one run", "Without it scores go into each run.")
        targets = [
            _target(run, open_for(run), sequences, skip, protocol, measures, output)
            for run in found
        ]
    groups: dict[Any, list[_Target]] = {}
    for target in targets:
        names = tuple(video.name for video in target.dataset.sequences)
        groups.setdefault((target.dataset.root, names), []).append(target)
    frames = sum(len(v) for group in groups.values() for v in group[0].dataset.sequences)
    with _progress(frames) as progress:
        for group in groups.values():
            _score(group, evaluate_all, protocol, jobs, measures, progress)
    if as_json:
        import json

        click.echo(json.dumps([target.as_json() for target in targets], indent=1))
    else:
        _print(targets, per_sequence)
    _end(targets)


def _target(
    run: Run,
    dataset: Dataset,
    sequences: Sequence[str],
    skip: tuple[str, ...],
    protocol: str | None,
    metrics: Sequence[MetricSpec | SequenceMetricSpec],
    output: Path | None,
) -> _Target:
    """The sequences of a run that are done, of those that it was asked for. Scores of a part of
    these, or under another protocol, are not the run's own and stay out of its folder."""
    from vosbench.analysis.scored import key_of, require_same_data
    from vosbench.datasets.registry import select

    asked = select(dataset, tuple(run.record.sequences), None)
    require_same_data(run, dataset)
    left = {video.name for video in select(dataset, (), None, skip).sequences}
    named = select(asked, tuple(sequences), None).sequences
    wanted = [video.name for video in named if video.name in left]
    done = [name for name in run.done() if name in wanted]
    if not done:
        raise RunError(f"run {run.folder}: no sequence is done", "`vosbench run` resumes it.")
    missing = [name for name in wanted if name not in done]
    part = select(asked, tuple(done), None)
    if done != run.done() or protocol not in (None, run.record.protocol):
        if output is None:
            click.echo(
                f"{run.name}: not stored, for these are not the run's own scores (its protocol is "
                f"{run.record.protocol}, it has done {len(run.done())} sequences); --output DIR "
                "keeps them",
                err=True,
            )
        return _Target(run.name, run.masks, output, part, missing)
    key = key_of(run, metrics)
    return _Target(run.name, run.masks, output or run.scores, part, missing, key)


def _score(
    group: Sequence[_Target],
    evaluate_all: Any,
    protocol: str | None,
    jobs: int,
    metrics: Sequence[MetricSpec | SequenceMetricSpec],
    progress: Progress,
) -> None:
    """Score targets over the same sequences in one go, and write what came out."""
    for target in group:
        _clear(target.output)  # whatever happens now, no old table survives it
    outcomes = evaluate_all(
        group[0].dataset, [t.masks for t in group], protocol, jobs, metrics, progress
    )
    for target, outcome in zip(group, outcomes, strict=True):
        if isinstance(outcome, EvaluationError):
            target.error = outcome
            continue
        broken = target.dataset.broken
        target.gaps = [*outcome.missing, *broken]
        target.evaluation = replace(
            outcome,
            missing=target.missing + target.gaps,
            key=target.key,
            warnings=outcome.warnings + [f"not scored: {n}: {why}" for n, why in broken.items()],
        )
        if target.output is not None:
            target.evaluation.write(target.output)


def _clear(folder: Path | None) -> None:
    from vosbench.evaluation.tables import clear

    if folder is not None:
        clear(folder)


@contextlib.contextmanager
def _progress(frames: int) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    description = TextColumn("{task.description}", markup=False)  # names may hold brackets
    columns = (description, BarColumn(), TimeRemainingColumn(compact=True))
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        task = bars.add_task("scoring", total=frames)
        yield lambda name, count: bars.update(task, advance=count, description=name)


def _print(targets: Sequence[_Target], per_sequence: bool) -> None:
    """Tables on standard output, doubts on standard error."""
    from vosbench.datasets.listing import some
    from vosbench.export.text import render

    scored = [(t.title, t.evaluation) for t in targets if t.evaluation is not None]
    for (dataset, protocol), group in _by_protocol(scored).items():
        further = [c.name for _, evaluation in group for c in evaluation.columns]
        rows = {title: evaluation.global_scores for title, evaluation in group}
        plain = {
            title: {name: v for name, v in scores.items() if name not in further}
            for title, scores in rows.items()
        }
        known = {c.name: c for _, evaluation in group for c in evaluation.columns}
        missing = sorted({name for _, evaluation in group for name in evaluation.missing})
        without = f", without {some(missing)}" if missing else ""
        title = f"{dataset}, protocol {protocol}{without}"
        click.echo(render([_table(title, plain, known)]), nl=False)
        if further:
            turned = {
                name: {title: scores.get(name, math.nan) for title, scores in rows.items()}
                for name in dict.fromkeys(further)
            }
            click.echo(render([_turned(turned, known)]), nl=False)
    if per_sequence:
        for title, evaluation in scored:
            rows = {str(name): dict(row) for name, row in evaluation.sequences.iterrows()}
            known = {c.name: c for c in evaluation.columns}
            click.echo(render([_table(f"{title} by sequence", rows, known)]), nl=False)
    for target in targets:
        if target.evaluation is not None:
            for warning in target.evaluation.warnings:
                click.secho(f"warning: {target.title}: {warning}", fg="yellow", err=True)
            if target.output is not None:
                click.echo(f"scores: {target.output}", err=True)


def _by_protocol(
    scored: Sequence[tuple[str, Evaluation]],
) -> dict[tuple[str, str], list[tuple[str, Evaluation]]]:
    groups: dict[tuple[str, str], list[tuple[str, Evaluation]]] = {}
    for title, evaluation in scored:
        groups.setdefault((evaluation.label, evaluation.protocol), []).append((title, evaluation))
    return groups


def _table(
    title: str, rows: Mapping[str, Mapping[str, float]], known: Mapping[str, Column]
) -> Table:
    """Scores by name, in percent where they are shares."""
    import pandas as pd

    from vosbench.analysis.compare import measure_column
    from vosbench.export import Table

    frame = pd.DataFrame.from_dict({name: dict(scores) for name, scores in rows.items()}, "index")
    frame = frame.rename(columns=lambda name: str(name).removesuffix("-Mean"))
    columns = {str(name): measure_column(str(name), known) for name in frame}
    return Table(title=title, frame=frame, columns=columns)


def _turned(rows: Mapping[str, Mapping[str, float]], known: Mapping[str, Column]) -> Table:
    """A row for each further measure, a column for what was scored."""
    import pandas as pd

    from vosbench.analysis.compare import measure_column
    from vosbench.export import Table

    texts = {
        name: {title: measure_column(name, known).text(value) for title, value in scores.items()}
        for name, scores in rows.items()
    }
    return Table(title="Further measures", frame=pd.DataFrame.from_dict(texts, "index"))


def _end(targets: Sequence[_Target]) -> None:
    """Raise for what went wrong: the error itself, or one that names all."""
    errors = [target.error for target in targets if target.error is not None]
    if len(targets) == 1 and errors:
        raise errors[0]
    if errors:
        problems = [problem for error in errors for problem in error.problems or (error.message,)]
        raise EvaluationError(
            f"{len(errors)} of {len(targets)} could not be scored", problems=tuple(problems)
        )
    if gaps := list(dict.fromkeys(name for target in targets for name in target.gaps)):
        skips = " ".join(f"--skip {shlex.quote(name)}" for name in gaps[:5])
        raise EvaluationError(
            f"not scored, for the sequences themselves do not allow it: {', '.join(gaps)}",
            f"{skips}{' ...' if len(gaps) > 5 else ''} leaves out what cannot be scored.",
        )
    partial: list[VosbenchError] = [
        RunError(f"{target.title} is incomplete, not scored: {', '.join(target.missing)}")
        for target in targets
        if target.missing
    ]
    if partial:
        raise RunError("; ".join(error.message for error in partial), "`vosbench run` resumes it.")
