"""Ablation: trackers that each add one thing to the one before. What does each thing gain?

steps = run_ablation(plugins, part, parse_rows("copy-first,flow"), results=Path("results"))
table = ablation_table(steps, title="demo")

A plugin that comes with an ablation of its own gives its rows to
`vosbench.cli.ablate.ablation_command`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pandas as pd

from vosbench.analysis.compare import main_table, measure_values
from vosbench.analysis.scored import ScoredRun, score_part, score_run
from vosbench.analysis.statistics import clustered_difference
from vosbench.errors import RunError, UsageError, VosbenchError
from vosbench.export import Column, Table
from vosbench.running.recorder import Progress
from vosbench.running.runner import RunSettings, find_tracker, run, run_folder
from vosbench.store import Run

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset
    from vosbench.plugins import Plugins
    from vosbench.specs import TrackerSpec

_SCORE = Column(scale=100, decimals=1)
_GAIN = Column(scale=100, decimals=1, signed=True)
_NAN = float("nan")


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One row of an ablation.

    Attributes:
        tracker: its name.
        options: of the tracker, as text.
        published: what a publication calls the same, and its J&F in 0..1.
    """

    tracker: str
    options: Mapping[str, str] = field(default_factory=dict)
    published: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What came of one row.

    Attributes:
        name: the run's.
        scored: the run; None if it could not be made.
        error: why it could not be made or scored.
    """

    row: AblationRow
    name: str
    scored: ScoredRun | None
    error: VosbenchError | None = None


def parse_rows(text: str) -> list[AblationRow]:
    """The rows of `TRACKER,TRACKER+key=value,...`, rows as runs are named.

    Raises:
        UsageError: a row is no tracker with options, or occurs twice.
    """
    rows = []
    for written in text.split(","):
        tracker, *pairs = written.strip().split("+")
        options = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if not tracker or len(options) < len(pairs):
            raise UsageError(
                f"--rows {text}: {written!r} is not TRACKER or TRACKER+key=value",
                "For example --rows copy-first,flow+preset=fast,flow.",
            )
        row = AblationRow(tracker, options)
        if row in rows:
            raise UsageError(f"--rows {text}: {written!r} occurs twice")
        rows.append(row)
    return rows


def run_ablation(
    plugins: Plugins,
    dataset: Dataset,
    rows: Sequence[AblationRow],
    *,
    results: Path,
    sequences: Sequence[str] = (),
    options: Mapping[str, Mapping[str, str]] | None = None,
    settings: RunSettings | None = None,
    progress: Progress | None = None,
) -> list[Step]:
    """Run every row over a dataset, or resume; what is measured is kept.

    Args:
        sequences: the part of the dataset to run; all if empty.
        options: tracker -> further options; a row's own win.
        settings: how each row is run; its options are not used.

    Returns:
        One step a row. A row that cannot be run does not stop the others.

    Raises:
        PluginError: there is no such tracker.
        UsageError: an option that a tracker does not have.
    """
    from vosbench.datasets.registry import select

    part = select(dataset, tuple(sequences))
    whole = len(part.sequences) == len(dataset.sequences)
    names = () if whole else [sequence.name for sequence in part.sequences]
    how = settings or RunSettings()
    steps = []
    for row, spec, given in _resolve(plugins, rows, options or {}, how.python):
        try:
            made = run(
                plugins,
                dataset,
                spec,
                replace(how, options=given),
                results=results,
                sequences=names,
                progress=progress,
            )[0]
            steps.append(Step(row, made.name, score_part(made, part)))
        except VosbenchError as error:
            folder = run_folder(results, dataset.name, spec, given, how.seed)
            steps.append(Step(row, folder.name, None, error))
    return steps


def look_up(
    plugins: Plugins,
    dataset: str,
    rows: Sequence[AblationRow],
    *,
    results: Path,
    open_data: Callable[[], Dataset],
    options: Mapping[str, Mapping[str, str]] | None = None,
    seed: int = 0,
    python: str = "",
) -> list[Step]:
    """The steps of an ablation from runs that are there; nothing is run.

    Args:
        dataset: the name of the dataset in `results`.
        open_data: called if a run must be scored.

    Raises:
        PluginError: there is no such tracker.
        UsageError: an option that a tracker does not have.
    """
    steps = []
    for row, spec, given in _resolve(plugins, rows, options or {}, python):
        folder = run_folder(results, dataset, spec, given, seed)
        try:
            if not (folder / "run.json").is_file():
                raise RunError(
                    f"there is no run {folder.name} over {dataset} in {results}",
                    "Without --no-run it is made.",
                )
            steps.append(Step(row, folder.name, score_run(Run.open(folder), open_data)))
        except VosbenchError as error:
            steps.append(Step(row, folder.name, None, error))
    return steps


def ablation_table(
    steps: Sequence[Step], title: str = "", measure: str = "J&F", *, published: str = ""
) -> Table:
    """One row a step: global score; gain over the row above with its 95 % confidence interval and
    p; FPS. Rows without a complete run have none of these, nor has the row below a gain.

    The gain is the mean difference over objects, as in global scores; its interval comes from
    resampling whole sequences, since the objects of one sequence are not independent.

    Args:
        measure: J&F, J, F, J-Recall, J-Decay, ...
        published: where the numbers are from that the rows say were published; adds them.

    Raises:
        RunError: a run does not have `measure`.
    """
    made = {row: step.scored for row, step in enumerate(steps) if step.scored is not None}
    runs = main_table(list(made.values()), title)
    places = list(made)
    rows: list[dict[str, object]] = []
    above: ScoredRun | None = None
    above_published = _NAN
    weighted = False
    for step in steps:
        scored = step.scored
        sound = scored if scored and scored.run.complete and scored.summary else None
        row: dict[str, object] = {measure: _global(sound, measure)}
        row |= _gain(sound, above, measure)
        timing = sound.run.timing() if sound else None
        row["FPS"] = timing.fps if timing else _NAN
        change = _global(sound, measure) - _global(above, measure)
        weighted = weighted or abs(change - cast(float, row["Gain"])) > 1e-9
        if published:
            name, value = step.row.published or ("", _NAN)
            row |= {"Published": value, "Its gain": value - above_published, "Published as": name}
            above_published = above_published if isnan(value) else value
        rows.append(row)
        above = sound
    frame = pd.DataFrame(rows, index=[step.name for step in steps])
    if "Part" in runs.frame:  # how much of the dataset
        parts = dict(zip(places, runs.frame["Part"], strict=True))
        frame["Part"] = [parts.get(row, "") for row in range(len(steps))]
    frame.index.name = "Row"
    notes = [
        "Gain over the row above, mean over objects; 95 % BCa bootstrap interval (10000 resamples "
        "of whole sequences, fixed seed); p: Wilcoxon signed-rank test over sequences, two-sided.",
        *runs.notes,
    ]
    if weighted:
        notes.append(
            "Gains differ from those of the global scores, which weigh seen and unseen categories."
        )
    if published:
        notes.append(f"Published: {published}, J&F; not comparable with other datasets.")
    scale = dict.fromkeys(("Gain", "95% low", "95% high", "Its gain"), _GAIN)
    return Table(
        title=f"{runs.title}: ablation",
        frame=frame,
        columns={
            measure: _SCORE,
            **scale,
            "p": Column(decimals=3, significant=2),
            "FPS": Column(decimals=1, significant=2),
            "Published": _SCORE,
        },
        parentheses=frozenset((places[row], name) for row, name in runs.parentheses),
        marks={(places[row], name): mark for (row, name), mark in runs.marks.items()},
        notes=tuple(notes),
    )


def _global(scored: ScoredRun | None, measure: str) -> float:
    return scored.scores().get(measure, _NAN) if scored else _NAN


def _gain(scored: ScoredRun | None, above: ScoredRun | None, measure: str) -> dict[str, float]:
    if scored is None or above is None:
        return dict.fromkeys(("Gain", "95% low", "95% high", "p"), _NAN)
    pair = pd.concat(
        [measure_values(scored, measure, "object"), measure_values(above, measure, "object")],
        axis=1,
        join="inner",
    )
    result = clustered_difference(
        pair.iloc[:, 0].to_numpy(),
        pair.iloc[:, 1].to_numpy(),
        pair.index.get_level_values("sequence"),
    )
    return {
        "Gain": result.mean,
        "95% low": result.low,
        "95% high": result.high,
        "p": result.p_value,
    }


def _resolve(
    plugins: Plugins,
    rows: Sequence[AblationRow],
    options: Mapping[str, Mapping[str, str]],
    python: str,
) -> list[tuple[AblationRow, TrackerSpec, dict[str, str]]]:
    """Each row with its tracker and all its options, checked before anything runs."""
    resolved = []
    for row in rows:
        spec = find_tracker(plugins, row.tracker, python)
        given = {**options.get(row.tracker, {}), **row.options}
        spec.resolve_options(given)
        resolved.append((row, spec, given))
    return resolved
