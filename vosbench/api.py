"""The front door for Python: what the commands do, for scripts and notebooks.

    import vosbench

    run = vosbench.run("flow", "demo")
    vosbench.evaluate(run).table
    vosbench.compare("demo")

Each function is importable as `vosbench.NAME` and loads what is heavy when it is called. Plugins
are those that are installed, unless others are given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vosbench.analysis.scored import ScoredRun
    from vosbench.datasets.base import Dataset
    from vosbench.evaluation import Evaluation
    from vosbench.evaluation import Progress as Scored
    from vosbench.evaluation.score import AnySpec
    from vosbench.export import Table
    from vosbench.plugins import Plugins
    from vosbench.store import Run

_RESULTS = Path("results")


def open_dataset(
    name: str | Path, *, data_root: str | Path | None = None, plugins: Plugins | None = None
) -> Dataset:
    """The dataset of that name, or a folder in DAVIS layout.

    Args:
        data_root: folder that holds datasets; before VOSBENCH_DATA and the configuration file.
        plugins: default: those installed.

    Raises:
        DatasetError: there is no such dataset, or it is not installed.
    """
    from vosbench.config import data_roots
    from vosbench.datasets import registry

    roots = data_roots(() if data_root is None else (Path(data_root),))
    return registry.open_dataset(str(name), plugins or _installed(), roots)


def run(
    tracker: str,
    dataset: str | Path | Dataset,
    *,
    sequences: Iterable[str] = (),
    limit: int | None = None,
    results: str | Path = _RESULTS,
    options: Mapping[str, object] | None = None,
    plugins: Plugins | None = None,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Run a tracker over a dataset, or resume such a run; what is done is kept.

    Args:
        tracker: name. One that is not installed is passed as
            `plugins=vosbench.Plugins([Path("still.py")])`.
        dataset: name, folder in DAVIS layout, or opened.
        sequences: the part to run; all if empty.
        limit: run only this many sequences, from the first.
        results: folder that holds the runs.
        options: options of the tracker, e.g. `{"iterations": 5}`.
        plugins: default: those installed.
        progress: show a progress bar, in a terminal or a notebook.
        settings: further fields of `vosbench.running.runner.RunSettings`: `seed`, `device`, `jobs`,
            `fresh`, `timeout`, `python`, `executor`.

    Returns:
        The run. `Run.complete` says whether every sequence is done; `Run.sequences()` has the
        errors of those that failed.

    Raises:
        VosbenchError: its message names the option or file at fault, and the way out.
    """
    from vosbench.datasets.registry import select
    from vosbench.running import runner
    from vosbench.running.display import display

    known = plugins or _installed()
    given = {key: str(value) for key, value in (options or {}).items()}
    how = runner.RunSettings(options=given, **settings)
    data = _opened(dataset, known)
    part = select(data, tuple(sequences), limit)
    whole = len(part.sequences) == len(data.sequences)
    names = () if whole else [video.name for video in part.sequences]
    with contextlib.ExitStack() as stack:
        shown = stack.enter_context(display().live()) if progress else None
        made = runner.run(
            known, data, tracker, how, results=Path(results), sequences=names, progress=shown
        )
    return made[0]


def evaluate(
    masks: Run | str | Path,
    dataset: str | Path | Dataset | None = None,
    *,
    protocol: str | None = None,
    metrics: Sequence[str] = (),
    jobs: int = 1,
    plugins: Plugins | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score a run, or any folder of masks, exactly as the official programs do.

    Args:
        masks: a run, its folder, or a folder that holds `<sequence>/<frame>.png`.
        dataset: needed for a folder of masks; a run knows its own.
        protocol: name; default: the dataset's own.
        metrics: names of further measures, besides J and F.
        jobs: processes at once.
        plugins: default: those installed.
        progress: show a progress bar, in a terminal or a notebook.

    Returns:
        The scores; `.table` has one row a sequence and the mean, in percent. Those of a complete
        run under the dataset's own protocol are stored with it, where `compare` finds them.

    Raises:
        EvaluationError: the masks cannot be scored; holds every problem of every sequence.
    """
    from vosbench import evaluation
    from vosbench.analysis.scored import key_of
    from vosbench.datasets.registry import select
    from vosbench.errors import EvaluationError, RunError, UsageError
    from vosbench.store import Run

    known = plugins or _installed()
    measures: dict[str, AnySpec] = {**known.metrics, **known.sequence_metrics}
    unknown = [name for name in metrics if name not in measures]
    if unknown:
        listed = ", ".join(measures) or "none"
        raise UsageError(f"there is no metric {unknown[0]!r}", f"Metrics: {listed}.")
    chosen = [measures[name] for name in dict.fromkeys(metrics)]
    if not isinstance(masks, Run) and (Path(masks) / "run.json").is_file():
        masks = Run.open(Path(masks))
    if not isinstance(masks, Run):
        if dataset is None:
            raise UsageError(f"{masks} is no run: say which dataset its masks belong to")
        data = _opened(dataset, known)
        with _scoring(data, progress) as scored:
            return evaluation.evaluate(data, Path(masks), protocol, jobs, chosen, scored)
    record, done = masks.record, tuple(masks.done())
    if not done:
        raise RunError(f"run {masks.folder}: no sequence is done", "Run it again to resume it.")
    whole = _opened(dataset, known) if dataset is not None else _data_of(masks, known)
    if select(whole, tuple(record.sequences)).fingerprint() != record.fingerprint:
        raise EvaluationError(
            f"run {masks.folder} was made on other data than {whole.root} holds now",
            "Run it again with fresh=True, or open the data that it was made on.",
        )
    data = select(whole, done)
    with _scoring(data, progress) as scored:
        result = evaluation.evaluate(
            data, masks.masks, protocol or record.protocol, jobs, chosen, scored
        )
    if masks.complete and result.protocol == record.protocol:
        result = replace(result, key=key_of(masks, chosen))
        result.write(masks.scores)
    return result


def compare(
    runs: str | Iterable[Run | str | Path],
    *,
    results: str | Path = _RESULTS,
    published: bool = True,
    plugins: Plugins | None = None,
) -> Table:
    """Runs beside each other and beside published numbers.

    Args:
        runs: the name of a dataset, for all runs over it in `results`; or runs, or their folders.
        results: folder that holds the runs.
        published: add published numbers where they are over the same sequences.
        plugins: default: those installed.

    Returns:
        The table: a notebook shows it; `.frame` is a DataFrame at full precision, scores in 0..1.

    Raises:
        RunError: the runs cannot be compared (other data, sequences or protocols), and why.
    """
    from vosbench.analysis import compare as comparing
    from vosbench.analysis.scored import score_run, select_runs
    from vosbench.errors import UsageError
    from vosbench.store import Run

    known = plugins or _installed()
    if isinstance(runs, str):
        chosen = select_runs(Path(results), runs)
    else:
        chosen = [run if isinstance(run, Run) else Run.open(Path(run)) for run in runs]
    if not chosen:
        raise UsageError("there is no run to compare")

    def scored(run: Run) -> ScoredRun:
        return score_run(run, lambda: _data_of(run, known))

    beside = [scored(run) for run in chosen]
    comparing.require_comparable(beside)
    name = chosen[0].record.dataset
    numbers, remarks = comparing.published_beside(name, beside) if published else (None, ())
    table = comparing.main_table(beside, name, numbers, remarks)
    return table.sorted_by(table.leading)


def _installed() -> Plugins:
    from vosbench.config import load_config
    from vosbench.plugins import Plugins

    return Plugins(disabled=load_config().disable)


def _opened(dataset: str | Path | Dataset, plugins: Plugins) -> Dataset:
    if isinstance(dataset, str | Path):
        return open_dataset(dataset, plugins=plugins)
    return dataset


def _data_of(run: Run, plugins: Plugins) -> Dataset:
    from vosbench.analysis.scored import open_data_of

    return open_data_of(run, lambda name: _opened(name, plugins))


@contextlib.contextmanager
def _scoring(dataset: Dataset, progress: bool) -> Iterator[Scored | None]:
    """A bar over the frames that are scored."""
    from vosbench.running.display import NotebookBar, in_notebook

    if not (progress and in_notebook()):
        yield None
        return
    bar = NotebookBar(sum(map(len, dataset.sequences)))
    yield lambda name, frames: bar.advance(frames, f"scoring {name}")
    bar.end()
