"""`vosbench run`: trackers over datasets, then their scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.names import DATASET, EXECUTOR, PERTURBATIONS, PROTOCOL, TRACKER
from vosbench.cli.options import (
    data_root_option,
    device_option,
    jobs_option,
    json_option,
    list_option,
    load_plugins,
    plugin_options,
    results_option,
    seed_option,
    sequences_option,
    setting_option,
    skip_option,
)
from vosbench.errors import (
    DatasetError,
    EvaluationError,
    FileError,
    RunError,
    UsageError,
    VosbenchError,
)
from vosbench.processes import interrupted_code

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset
    from vosbench.export import Table
    from vosbench.running.runner import RunSettings
    from vosbench.specs import TrackerSpec
    from vosbench.store import Run


def _runtime_env(path: Path | None) -> dict[str, Any]:
    from vosbench.errors import UsageError
    from vosbench.parsing import read_json

    if path is None:
        return {}
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"--runtime-env {path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"--runtime-env {path} holds no object", 'Such as {"pip": ["timm"]}.')
    return found


@click.command()
@click.option(
    "--tracker",
    "trackers",
    multiple=True,
    required=True,
    metavar="NAME",
    type=TRACKER,
    help="Tracker to run, see `vosbench trackers`. May be repeated.",
)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    required=True,
    metavar="NAME",
    type=DATASET,
    help="Dataset, or a folder in DAVIS layout, see `vosbench datasets`. May be repeated.",
)
@setting_option
@seed_option
@device_option
@jobs_option(
    "Sequences at once; default: 1 here, on a cluster as many as it has room for. With more than "
    "one, speed is not ranked.",
    default=None,
)
@click.option("--limit", type=int, metavar="N", help="Only the first N sequences.")
@sequences_option
@skip_option
@click.option(
    "--shard",
    "part_of",
    metavar="I/N",
    help="Only the I-th of N parts of about the same length, see `vosbench merge`.",
)
@list_option
@click.option(
    "--protocol",
    metavar="NAME",
    type=PROTOCOL,
    help="Score by this protocol instead of the dataset's own, see `vosbench evaluate`.",
)
@click.option(
    "--perturb",
    metavar="NAME=VALUE,...",
    type=PERTURBATIONS,
    help="Worse input, as a run of its own: blur=3 (pixels), noise=.05 (of white), drop=2 (every "
    "2nd frame), scale=.5, jpeg=30 (quality); first masks: mask-erode=3 (pixels), mask-box.",
)
@click.option("--fresh", is_flag=True, help="Discard what these runs have and start again.")
@click.option(
    "--timeout",
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Stop a tracker whose call shows no progress for so long.",
)
@click.option(
    "--warmup",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="FRAMES",
    help="Let each worker track this many frames of its first sequence before anything is timed; "
    "on CUDA, kernels are loaded and chosen then.",
)
@click.option("--isolate", is_flag=True, help="Start a fresh process for each sequence.")
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    metavar="N",
    help="On a cluster: try a sequence again whose machine was lost.",
)
@click.option(
    "--gpus",
    type=click.FloatRange(0),
    metavar="N",
    help="On a cluster: GPUs of a job, a fraction to share one; 1 where there are any.",
)
@click.option(
    "--runtime-env",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    callback=lambda _ctx, _param, path: _runtime_env(path),
    metavar="FILE",
    help="On a cluster: JSON of what Ray is to set up for the trackers on each node: pip, "
    "py_modules, env_vars, ... (its runtime_env).",
)
@click.option(
    "--python",
    default="",
    metavar="PATH",
    type=click.Path(),
    help="Python, or folder, of another environment in which the trackers are installed. Without "
    "it, each tracker runs where the configuration or `vosbench trackers install` says.",
)
@click.option(
    "--executor",
    default="local",
    show_default=True,
    metavar="NAME",
    type=EXECUTOR,
    help="Where to run: local, ray.",
)
@click.option("--no-evaluate", is_flag=True, help="Write masks only.")
@results_option
@data_root_option
@plugin_options
@json_option
def run(
    trackers: tuple[str, ...],
    datasets: tuple[str, ...],
    options: tuple[str, ...],
    sequences: tuple[str, ...],
    skip: tuple[str, ...],
    limit: int | None,
    part_of: str | None,
    protocol: str | None,
    perturb: str | None,
    results: Path,
    data_root: tuple[Path, ...],
    no_evaluate: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Run trackers over datasets, score and time them.

    Give the same command again to resume a run that was interrupted or in which sequences failed.

    \b
    Examples:
      vosbench run --tracker copy-first --tracker flow --dataset demo
      vosbench run --tracker flow --dataset davis17-val -o preset=fast --limit 3
      vosbench run --plugin ./mine.py --tracker mine --dataset path/to/folder
    """

    from vosbench.config import data_roots
    from vosbench.datasets.registry import open_readable, select
    from vosbench.running.runner import RunSettings, find_tracker
    from vosbench.tracking.perturbation import Perturbation

    plugins = load_plugins()
    how = RunSettings(**settings, perturb=Perturbation.parse(perturb) if perturb else None)
    specs = [find_tracker(plugins, name, how.python) for name in dict.fromkeys(trackers)]
    given = options_of(specs, options)
    roots = data_roots(data_root)
    opened = [open_readable(name, plugins, roots) for name in dict.fromkeys(datasets)]
    if protocol is not None:
        from vosbench.metrics.protocols import find_protocol

        rules = find_protocol(protocol)
        opened = [replace(dataset, protocol=rules.name) for dataset in opened]
    parts = [select(dataset, sequences, limit, skip) for dataset in opened]
    if part_of is not None:
        from vosbench.running.shards import shard

        parts = [
            replace(select(part, shard(part.sequences, part_of)), broken=part.broken)
            for part in parts
        ]

    outcomes: list[_Outcome] = []
    for dataset, part in zip(opened, parts, strict=True):
        for spec in specs:
            outcome = _Outcome(f"{spec.name} on {dataset.name}", part)
            outcomes.append(outcome)
            try:
                outcome.run = _run_one(
                    spec, dataset, part, replace(how, options=given[spec.name]), results
                )
                if not no_evaluate:
                    outcome.evaluate(dataset, how.jobs or 1)
            except KeyboardInterrupt as error:
                click.echo("interrupted; run the same command again to resume", err=True)
                click.get_current_context().exit(interrupted_code(error))
            except VosbenchError as error:
                outcome.error = error
            except OSError as error:  # a disk that is full: others may lie elsewhere
                outcome.error = FileError.of(error)
    if as_json:
        import json

        click.echo(json.dumps([outcome.as_json() for outcome in outcomes], indent=1))
    else:
        _print_table(outcomes)
    _end(outcomes)


class _Outcome:
    """What came of one tracker on the part of a dataset that was asked for."""

    def __init__(self, title: str, part: Dataset) -> None:
        self.title = title
        self._name = part.name
        self.broken = part.broken
        self._asked = {sequence.name for sequence in part.sequences}
        self._label = ""
        self.run: Run | None = None
        self.scores: dict[str, float] = {}
        self.note = ""
        self.error: VosbenchError | None = None

    def evaluate(self, dataset: Dataset, jobs: int) -> None:
        """Score all that the run has done, by this command or by earlier ones."""
        from vosbench.analysis.scored import score_run
        from vosbench.datasets.listing import some

        if self.run is None:
            return
        if not dataset.annotated:
            self.note = (
                "no annotations here: `vosbench pack` prepares the submission"
                if dataset.withheld
                else "no masks besides the first ones: nothing to score"
            )
        elif evaluation := score_run(self.run, lambda: dataset, jobs).evaluation:
            self.scores = evaluation.global_scores
            gaps = [name for name in evaluation.missing if name in self.run.done()]
            if gaps:
                self._label = f"{evaluation.label}, without {some(gaps)}"
                self.error = EvaluationError(
                    f"not scored, for the sequences themselves do not allow it: {', '.join(gaps)}",
                    "`--skip NAME` leaves a sequence out; another `--protocol` may score it.",
                    tuple(text for text in evaluation.warnings if text.startswith("not scored")),
                )

    @property
    def label(self) -> str:
        """The dataset, and how much of it the run has done."""
        from vosbench.datasets.base import label_of

        if self.run is None:
            return self._name
        return self._label or label_of(self._name, len(self.run.done()), self.run.record.whole)

    def failures(self) -> dict[str, str]:
        """Sequence asked for -> what went wrong."""
        records = self.run.sequences() if self.run else {}
        return {
            name: record.error
            for name, record in records.items()
            if record.status == "failed" and name in self._asked
        }

    def as_json(self) -> dict[str, Any]:
        from dataclasses import asdict

        from vosbench.datasets.base import part_of

        timing = self.run.timing() if self.run else None
        return {
            "folder": str(self.run.folder) if self.run else None,
            "run": asdict(self.run.record) if self.run else None,
            "timing": asdict(timing) if timing else None,
            "part": part_of(len(self.run.done()), self.run.record.whole) if self.run else "",
            "scores": self.scores,
            "failed": self.failures(),
            "broken": dict(self.broken),
            "error": str(self.error) if self.error else None,
        }


def options_of(specs: list[TrackerSpec], options: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Tracker -> the given options that it has, checked."""
    given: dict[str, str] = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise UsageError(f"-o {text}: expected KEY=VALUE")
        given[key] = value
    names = {spec.name: {option.name for option in spec.options} for spec in specs}
    for key in given:
        if not any(key in known for known in names.values()):
            if len(specs) > 1:
                has = ", ".join(sorted(set().union(*names.values()))) or "none"
                raise UsageError(f"no tracker given has an option {key!r}", f"Options: {has}.")
            specs[0].resolve_options({key: given[key]})  # says which options there are
    chosen = {
        spec.name: {key: value for key, value in given.items() if key in names[spec.name]}
        for spec in specs
    }
    for spec in specs:
        spec.resolve_options(chosen[spec.name])
    return chosen


def _run_one(
    spec: TrackerSpec, dataset: Dataset, part: Dataset, settings: RunSettings, results: Path
) -> Run:
    from vosbench.running.display import Display
    from vosbench.running.runner import run as run_tracker

    whole = len(part.sequences) == len(dataset.sequences)
    names = () if whole else tuple(sequence.name for sequence in part.sequences)
    with Display().live() as display:
        return run_tracker(
            load_plugins(),
            dataset,
            spec,
            settings,
            results=results,
            sequences=names,
            progress=display,
        )[0]


def _print_table(outcomes: list[_Outcome]) -> None:
    from vosbench.export.text import render

    made = [(outcome, outcome.run) for outcome in outcomes if outcome.run is not None]
    for dataset in dict.fromkeys(outcome.label for outcome, _ in made):
        rows = [(outcome, run) for outcome, run in made if outcome.label == dataset]
        click.echo(render([_table(dataset, rows)]), nl=False)
    for outcome, run in made:
        click.echo(f"{run.folder}{f': {outcome.note}' if outcome.note else ''}")


def _table(dataset: str, rows: list[tuple[_Outcome, Run]]) -> Table:
    """Scores in percent and times of what was run."""
    import pandas as pd

    from vosbench.analysis.compare import FPS, PERCENT
    from vosbench.export import Column, Table

    shown = [
        key for key in ("J&F-Mean", "J-Mean", "F-Mean") if any(key in o.scores for o, _ in rows)
    ]
    lines: list[dict[str, float | str]] = []
    shared: set[tuple[int, str]] = set()
    for place, (outcome, run) in enumerate(rows):
        done = f"{len(run.done())}/{len(run.record.sequences)}"
        line: dict[str, float | str] = {"done": done}
        line |= {key.removesuffix("-Mean"): outcome.scores.get(key, float("nan")) for key in shown}
        timing = run.timing()
        line |= {
            "FPS": timing.fps if timing else float("nan"),
            "init s": timing.init_seconds if timing else float("nan"),
            "ms/frame": 1000 * timing.frame_median if timing else float("nan"),
        }
        if timing and not timing.comparable:
            shared |= {(place, name) for name in ("FPS", "init s", "ms/frame")}
        lines.append(line)
    index = pd.Index([run.name for _, run in rows], name="Tracker")
    scores = {key.removesuffix("-Mean"): PERCENT for key in shown}
    times = {"FPS": FPS, "init s": Column(decimals=2), "ms/frame": Column(decimals=1)}
    notes = ("(FPS): not this tracker's speed alone, the machine was shared meanwhile.",)
    return Table(
        title=dataset,
        frame=pd.DataFrame(lines, index=index),
        columns=scores | times,
        parentheses=frozenset(shared),
        notes=notes if shared else (),
    )


def _end(outcomes: list[_Outcome]) -> None:
    """Say what went wrong and end with the code of the worst."""
    errors = [(outcome, outcome.error) for outcome in outcomes if outcome.error is not None]
    failed = [(outcome, outcome.failures()) for outcome in outcomes if outcome.failures()]
    for outcome, failures in failed:
        click.secho(f"failed: {outcome.title}, {len(failures)} sequence(s):", fg="red", err=True)
        for name, problem in failures.items():
            click.echo(f"  - {name}: {problem}", err=True)
    for outcome, error in errors:
        click.secho(f"failed: {outcome.title}: {error.message}", fg="red", err=True)
        for problem in error.problems if isinstance(error, EvaluationError) else ():
            click.echo(f"  - {problem}", err=True)
        if error.hint:
            click.echo(error.hint, err=True)
    if failed:
        folder = failed[0][0].run.folder if failed[0][0].run else ""
        click.echo(
            f"Tracebacks are in {folder}/sequences; the same command tries them again.", err=True
        )
    broken = {name: why for outcome in outcomes for name, why in outcome.broken.items()}
    if broken:
        click.secho(f"not run, {len(broken)} broken sequence(s):", fg="red", err=True)
        for name, problem in broken.items():
            click.echo(f"  - {name}: {problem}", err=True)
        click.echo(
            "`--skip NAME` leaves one out; `vosbench datasets verify` lists all that is wrong.",
            err=True,
        )
    if errors or failed or broken:
        code = errors[0][1].exit_code if errors else RunError.exit_code
        code = DatasetError.exit_code if broken else code  # the cause, perhaps, of the others
        click.get_current_context().exit(code)
