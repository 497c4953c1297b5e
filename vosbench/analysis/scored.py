"""Runs with their scores: which runs, scored by what, stored or scored anew."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from vosbench.datasets.base import part_of
from vosbench.errors import DatasetError, EvaluationError, RunError
from vosbench.plugins import KNOWN_METRICS
from vosbench.store import Run, find_runs

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset
    from vosbench.evaluation import Evaluation
    from vosbench.evaluation.key import ScoreKey
    from vosbench.evaluation.score import AnySpec
    from vosbench.evaluation.summary import Summary


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A run and its scores.

    Attributes:
        run: as stored.
        summary: the scores that tables of runs show; None where the dataset's annotations are not
            public (DAVIS test-dev).
        read: gives all of the scores, where there is a summary.
    """

    run: Run
    summary: Summary | None
    read: Callable[[], Evaluation] | None = None

    @classmethod
    def of(cls, run: Run, evaluation: Evaluation | None) -> Self:
        """A run with scores that have been read, or with none."""
        from vosbench.evaluation.summary import Summary

        if evaluation is None:
            return cls(run, None)
        return cls(run, Summary.of(evaluation), lambda: evaluation)

    @property
    def evaluation(self) -> Evaluation | None:
        """All of the scores, read when they are first asked for; None without a summary."""
        return self.read() if self.read is not None else None

    @property
    def name(self) -> str:
        """The run's folder: the tracker and the options that were changed."""
        return self.run.name

    @property
    def sequences(self) -> tuple[str, ...]:
        """Those that the scores are over; without scores those that are done."""
        return tuple(self.run.done()) if self.summary is None else self.summary.scored

    @property
    def whole(self) -> int:
        """Number of sequences of the whole dataset; 0 if unknown."""
        return self.run.record.whole or (self.summary.whole if self.summary else 0)

    @property
    def part(self) -> str:
        """How much of the dataset the scores are over: "3 of 6 sequences", or "" for all of it."""
        return part_of(len(self.sequences), self.whole)

    @property
    def ranked(self) -> bool:
        """Whether its speed may be ranked: measured, on a machine that did nothing else."""
        timing = self.run.timing()
        return timing is not None and timing.comparable

    def scores(self) -> dict[str, float]:
        """Global scores in 0..1 by short name: "J&F", "J", "J-Recall", ..."""
        found = self.summary.global_scores if self.summary else {}
        return {name.removesuffix("-Mean"): value for name, value in found.items()}

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 % intervals of the global scores, named as in `scores`; see
        `vosbench.evaluation.intervals`."""
        found = self.summary.intervals if self.summary else {}
        return {name.removesuffix("-Mean"): interval for name, interval in found.items()}


def select_runs(
    results: Path, dataset: str, trackers: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[Run]:
    """The runs over `dataset` in the folder `results`, sorted by name.

    Args:
        trackers: keep the runs of these names, or where no run has the name, all of a tracker
            of that name; all if empty.
        exclude: leave these out, named in the same way.

    Raises:
        RunError: there is none, or none of a name that was given.
    """
    runs = sorted(find_runs(results, dataset), key=lambda run: run.name)
    if not runs:
        raise RunError(
            f"there is no run over {dataset} in {results}",
            f"`vosbench run --tracker copy-first --dataset {dataset}` makes one.",
        )

    def named(name: str) -> set[str]:
        exact = {run.name for run in runs if run.name == name}
        return exact or {run.name for run in runs if run.record.tracker == name}

    missing = [name for name in (*trackers, *exclude) if not named(name)]
    there = ", ".join(run.name for run in runs)
    if missing:
        raise RunError(f"there is no run of {', '.join(missing)} over {dataset}", f"Runs: {there}.")
    chosen = set().union(*map(named, trackers)) if trackers else {run.name for run in runs}
    kept = [run for run in runs if run.name in chosen.difference(*map(named, exclude))]
    if not kept:
        raise RunError(f"--exclude leaves no run over {dataset}", f"Runs: {there}.")
    return kept


def key_of(run: Run, metrics: Sequence[AnySpec] = ()) -> ScoreKey:
    """What a run's own scores belong to, as it is now: all that it has done under its protocol.

    Args:
        metrics: measures besides the protocol's own.
    """
    from vosbench.evaluation.key import ScoreKey, code_of, evaluator_digest, masks_digest

    done = tuple(run.done())
    return ScoreKey(
        sequences=done,
        protocol=run.record.protocol,
        fingerprint=run.record.fingerprint,
        evaluator=evaluator_digest(),
        masks=masks_digest(run.masks, done, run.scores / "masks.json"),
        metrics=code_of(metrics, run.record.protocol),
    )


def score_run(run: Run, open_data: Callable[[], Dataset], jobs: int = 1) -> ScoredRun:
    """The run with its scores, scored anew where that was not done or where the stored ones are of
    other masks, data or sequences, or by another protocol, evaluator or state of a measure's code.
    Measures that the stored ones have are taken again, if they are known here. Of an incomplete run
    the sequences that are done are scored.

    Args:
        open_data: called if the run must be scored; opens the dataset that the run is over.
        jobs: processes that score at once.

    Raises:
        EvaluationError: it must be scored and cannot be: the dataset is not here or is not the
            one that the run was made on, or its masks cannot be scored.
    """
    from vosbench.evaluation.summary import Summary

    stored = Summary.read(run.scores)
    known = stored and stored.key
    measured = {name for name, _ in known.metrics} if known else set()
    metrics = [spec for name, spec in KNOWN_METRICS.items() if name in measured]
    key = key_of(run, metrics)
    stale = known.difference(key) if known else "it has no scores that say what they are of"
    if stale:
        return ScoredRun.of(run, _scored_anew(run, key, metrics, stale, open_data, jobs))

    @functools.cache
    def read() -> Evaluation:
        from vosbench.evaluation import Evaluation

        with contextlib.suppress(EvaluationError):
            return Evaluation.read(run.scores)
        broken = "its stored scores are broken"
        anew = _scored_anew(run, key, metrics, broken, open_data, jobs)
        assert anew is not None
        return anew

    return ScoredRun(run, stored, read)


def _scored_anew(
    run: Run,
    key: ScoreKey,
    metrics: Sequence[AnySpec],
    why: str,
    open_data: Callable[[], Dataset],
    jobs: int,
) -> Evaluation | None:
    """The run's scores, which are also stored; None where there is nothing to score."""
    from vosbench.datasets.registry import select
    from vosbench.evaluation import evaluate

    try:
        dataset = select(open_data(), tuple(run.record.sequences), None)
    except DatasetError as error:
        state = why if (run.scores / "scores.json").is_file() else "it has no scores"
        raise EvaluationError(
            f"run {run.name}: {state}, and the dataset cannot be opened: {error.message}",
            f"Say where it is: `vosbench evaluate {run.folder} --dataset FOLDER`.",
        ) from None
    if not dataset.annotated or not key.sequences:
        return None
    require_same_data(run, dataset)
    part = select(dataset, key.sequences, None)
    missing = [name for name in run.record.sequences if name not in key.sequences]
    evaluation = evaluate(part, run.masks, run.record.protocol, jobs, metrics)
    evaluation = replace(evaluation, key=key, missing=missing + evaluation.missing)
    evaluation.write(run.scores)
    return evaluation


def open_data_of(run: Run, open_data: Callable[[str], Dataset]) -> Dataset:
    """The dataset that a run is over: of the places where it may be, the first that holds what the
    run was made on.

    Raises:
        DatasetError: it is at none of them.
    """
    *others, last = run.sources
    for place in others:
        with contextlib.suppress(DatasetError):
            if holds_data_of(run, dataset := open_data(place)):
                return dataset
    return open_data(last)


def holds_data_of(run: Run, dataset: Dataset) -> bool:
    """Whether `dataset` is, in what the run is over, what the run was made on."""
    from vosbench.datasets.registry import select

    part = select(dataset, tuple(run.record.sequences))
    return part.fingerprint() == run.record.fingerprint


def require_same_data(run: Run, dataset: Dataset) -> None:
    """Raises EvaluationError if the run was made on other data than `dataset` holds."""
    if not holds_data_of(run, dataset):
        raise EvaluationError(
            f"run {run.folder} was made on other data than {dataset.root} holds now",
            "Run it again with --fresh, or name the data that it was made on: --dataset FOLDER, "
            "--data-root.",
        )


def score_part(run: Run, part: Dataset) -> ScoredRun:
    """The run as if it had been over `part` alone: records, times and scores of these sequences.

    Args:
        part: of the dataset that the run is over, see `vosbench.datasets.registry.select`.

    Raises:
        EvaluationError: its masks cannot be scored.
    """
    from vosbench.datasets.registry import select
    from vosbench.evaluation import evaluate

    names = [sequence.name for sequence in part.sequences]
    if names == run.record.sequences:
        return score_run(run, lambda: part)
    view = Run(run.folder, replace(run.record, sequences=names, fingerprint=part.fingerprint()))
    done = tuple(view.done())
    view.record.status = "complete" if len(done) == len(names) else "partial"
    if not part.annotated or not done:
        return ScoredRun.of(view, None)
    return ScoredRun.of(view, evaluate(select(part, done), view.masks, view.record.protocol))


def score_common(runs: Sequence[Run], open_data: Callable[[], Dataset]) -> list[ScoredRun]:
    """The runs as if each had been over the sequences that all of them have done, and no others.

    Raises:
        RunError: they have no sequence in common.
        EvaluationError: as `score_run`.
    """
    from vosbench.datasets.registry import select

    common = set.intersection(*(set(run.done()) for run in runs))
    if not common:
        raise RunError(
            "there is no sequence that all of these runs have done",
            "Choose runs by --tracker or --exclude.",
        )
    data = open_data()
    part = select(data, tuple(s.name for s in data.sequences if s.name in common))
    for run in runs:
        require_same_data(run, data)
    return [score_part(run, part) for run in runs]
