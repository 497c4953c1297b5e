"""Runs with their scores: which runs, scored by what, stored or scored anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.errors import DatasetError, EvaluationError, RunError
from vosbench.store import Run, find_runs

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset
    from vosbench.evaluation import Evaluation


@dataclass(frozen=True, slots=True)
class ScoredRun:
    """A run and its scores.

    Attributes:
        run: as stored.
        evaluation: None where the dataset's annotations are not public (DAVIS test-dev).
    """

    run: Run
    evaluation: Evaluation | None

    @property
    def name(self) -> str:
        """The run's folder: the tracker and the options that were changed."""
        return self.run.name

    @property
    def ranked(self) -> bool:
        """Whether its speed may be ranked: measured, on a machine that did nothing else."""
        timing = self.run.timing()
        return timing is not None and timing.comparable

    def scores(self) -> dict[str, float]:
        """Global scores in 0..1 by short name: "J&F", "J", "J-Recall", ..."""
        if self.evaluation is None:
            return {}
        return {
            name.removesuffix("-Mean"): value
            for name, value in self.evaluation.global_scores.items()
        }


def select_runs(results: Path, dataset: str, trackers: Sequence[str] = ()) -> list[Run]:
    """The runs over `dataset` in the folder `results`, sorted by name.

    Args:
        trackers: keep runs of these trackers, or runs of these names; all if empty.

    Raises:
        RunError: there is none, or none of a tracker that was asked for.
    """
    runs = sorted(find_runs(results, dataset), key=lambda run: run.name)
    if not runs:
        raise RunError(
            f"there is no run over {dataset} in {results}",
            f"`vosbench run --tracker copy-first --dataset {dataset}` makes one.",
        )
    if not trackers:
        return runs
    kept = [run for run in runs if {run.record.tracker, run.name} & set(trackers)]
    found = {name for run in kept for name in (run.record.tracker, run.name)}
    missing = [name for name in trackers if name not in found]
    if missing:
        there = ", ".join(run.name for run in runs)
        raise RunError(f"there is no run of {', '.join(missing)} over {dataset}", f"Runs: {there}.")
    return kept


def score_run(run: Run, open_data: Callable[[], Dataset]) -> ScoredRun:
    """The run with its scores, scored anew where that was not done or is out of date.

    Args:
        open_data: called if the run must be scored; opens the dataset that the run is over.

    Raises:
        EvaluationError: it must be scored and cannot be: the dataset is not here or is not the
            one that the run was made on, or its masks cannot be scored.

    Of an incomplete run only the sequences that are done are scored, and nothing is stored.
    """
    from vosbench.datasets.registry import select
    from vosbench.evaluation import Evaluation, evaluate

    if _fresh(run):
        return ScoredRun(run, Evaluation.read(run.scores))
    name, done = run.name, tuple(run.done())
    try:
        dataset = select(open_data(), tuple(run.record.sequences), None)
    except DatasetError as error:
        stored = (run.scores / "scores.json").is_file()
        state = "its masks are newer than its scores" if stored else "it has no scores"
        raise EvaluationError(
            f"run {name}: {state}, and the dataset cannot be opened: {error.message}",
            f"Where the dataset is: `vosbench evaluate --tracker {run.record.tracker} "
            f"--dataset {run.record.dataset}`.",
        ) from None
    if not dataset.annotated or not done:
        return ScoredRun(run, None)
    if dataset.fingerprint() != run.record.fingerprint:
        raise EvaluationError(
            f"run {name} was made on other data than {dataset.root} holds now",
            "Run it again with --fresh, or point --data-root to the data that it was made on.",
        )
    if not run.complete:
        return ScoredRun(run, evaluate(select(dataset, done, None), run.masks, run.record.protocol))
    evaluation = evaluate(dataset, run.masks, run.record.protocol)
    evaluation.write(run.scores)
    return ScoredRun(run, evaluation)


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
        return ScoredRun(view, None)
    return ScoredRun(view, evaluate(select(part, done), view.masks, view.record.protocol))


def _fresh(run: Run) -> bool:
    """Whether the stored scores are younger than every mask and record that they rest on."""
    scores = run.scores / "scores.json"
    if not scores.is_file():
        return False
    written = scores.stat().st_mtime_ns
    inputs = (*run.masks.glob("*/*.png"), *(run.folder / "sequences").glob("*.json"))
    return all(path.stat().st_mtime_ns <= written for path in inputs)
