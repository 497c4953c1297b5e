"""From options to what a command works on: runs, or the masks of a run or of any folder."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.cli.options import load_plugins

if TYPE_CHECKING:
    from vosbench.analysis.scored import ScoredRun
    from vosbench.datasets.base import Dataset
    from vosbench.store import Run

_log = logging.getLogger(__name__)


def stored_name(dataset: str) -> str:
    """The name that runs over `dataset`, a name or a folder, are stored under: a folder's own."""
    folder = dataset not in load_plugins().datasets and Path(dataset).is_dir()
    return Path(dataset).resolve().name if folder else dataset


def stored_datasets(results: Path) -> list[str]:
    """The datasets that there are runs over, sorted. Raises UsageError if there are none."""
    from vosbench.errors import UsageError
    from vosbench.store import find_runs

    names = sorted({run.record.dataset for run in find_runs(results)})
    if not names:
        raise UsageError(
            f"there is no run in {results}",
            "`vosbench run --tracker copy-first --dataset demo` makes one.",
        )
    return names


def open_data_of(run: Run, data_root: tuple[Path, ...], dataset: str | None = None) -> Dataset:
    """The dataset that a run is over: `dataset` if that can be opened, else where the run says that
    it was. Raises DatasetError if it is not there."""
    from vosbench.analysis import scored
    from vosbench.config import data_roots
    from vosbench.datasets.registry import open_readable

    plugins = load_plugins()

    def open_(name: str) -> Dataset:
        return open_readable(name, plugins, data_roots(data_root))

    if dataset and (Path(dataset).is_dir() or not run.record.source):
        return open_(dataset)
    return scored.open_data_of(run, open_)


def score_runs_over(
    dataset: str,
    trackers: Sequence[str],
    results: Path,
    data_root: tuple[Path, ...],
    exclude: Sequence[str] = (),
    *,
    common: bool = False,
) -> tuple[list[ScoredRun], Callable[[], Dataset]]:
    """The runs of `trackers` (all if empty) over `dataset`, scored, and what opens the dataset,
    which is not called for scores that are up to date.

    Args:
        exclude: runs to leave out.
        common: as if each had been over the sequences that all have done, and no others.

    Raises:
        RunError: there is no such run.
        EvaluationError: a run cannot be scored.
    """
    import functools

    from vosbench.analysis.scored import (
        require_same_data,
        score_common,
        score_run,
        select_runs,
    )

    runs = select_runs(results, stored_name(dataset), trackers, exclude)
    # Runs of one name over folders in several places: each is held against where it was made.
    latest = max(runs, key=lambda run: run.record.started)

    @functools.cache
    def open_data() -> Dataset:
        data = open_data_of(latest, data_root, dataset)
        require_same_data(latest, data)
        return data

    if common:
        return score_common(runs, open_data), open_data
    return [score_run(run, open_data) for run in runs], open_data


@dataclass(frozen=True, slots=True)
class Source:
    """Masks and the dataset that they belong to.

    Attributes:
        dataset: the whole dataset.
        sequences: those that there are masks of.
        masks: folder that holds <sequence>/<frame>.png.
        folder: the run's folder, or the one that holds `masks`.
        title: run and dataset in one line.
        run: None for a folder of masks.
    """

    dataset: Dataset
    sequences: tuple[str, ...]
    masks: Path
    folder: Path
    title: str
    run: Run | None = None

    @property
    def name(self) -> str:
        """The run's, or that of the folder of masks."""
        return self.run.name if self.run else self.masks.name


def locate(
    run: Path | None,
    dataset: str | None,
    tracker: str | None,
    masks: Path | None,
    results: Path,
    data_root: tuple[Path, ...],
) -> Source:
    """The masks that a run folder, `--dataset` with `--tracker`, or `--dataset` with `--masks`
    stand for.

    Raises:
        UsageError: they do not name exactly one of these.
        RunError: there is no such run, or several.
        DatasetError: the dataset is not here.
    """
    from vosbench.analysis.scored import holds_data_of
    from vosbench.config import data_roots
    from vosbench.datasets.registry import open_dataset
    from vosbench.errors import DatasetError, UsageError
    from vosbench.store import Run

    ways = (run is not None, tracker is not None, masks is not None)
    if sum(ways) != 1 or (dataset is None and run is None):
        raise UsageError(
            "name what to work on: a run's folder, or --dataset with --tracker or --masks",
            "`vosbench compare` lists the runs.",
        )
    if masks is not None and dataset is not None:
        opened = open_dataset(dataset, load_plugins(), data_roots(data_root))
        names = tuple(s.name for s in opened.sequences if _holds(masks, s.name))
        if not names:
            raise DatasetError(
                f"{masks} holds no folder named as a sequence of {opened.name}",
                f"Expected e.g. {masks / opened.sequences[0].name}.",
            )
        return Source(opened, names, masks, masks.parent, f"{masks.name} on {opened.name}")
    chosen = Run.open(run) if run else _one_run(results, dataset or "", tracker or "")
    opened = open_data_of(chosen, data_root, dataset)
    names = tuple(chosen.done())
    with contextlib.suppress(DatasetError):
        if not holds_data_of(chosen, opened):
            _log.warning("warning: %s was made on other data than %s", chosen.folder, opened.root)
    title = f"{chosen.name} on {opened.name}"
    return Source(opened, names, chosen.masks, chosen.folder, title, chosen)


def _holds(masks: Path, sequence: str) -> bool:
    """Whether there are masks of a sequence; for a JSON file that is known once it is read."""
    return masks.is_file() or (masks / sequence).is_dir()


def _one_run(results: Path, dataset: str, tracker: str) -> Run:
    from vosbench.analysis.scored import select_runs
    from vosbench.errors import RunError

    runs = select_runs(results, stored_name(dataset), (tracker,))
    named = [run for run in runs if run.name == tracker]
    if len(runs) > 1 and not named:
        listed = ", ".join(run.name for run in runs)
        raise RunError(f"several runs are of {tracker}", f"Name one of: {listed}.")
    return (named or runs)[0]
