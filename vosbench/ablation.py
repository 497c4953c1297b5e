"""A ladder of trackers, each adding one thing to the one before: what does each thing gain?

steps = climb(plugins, part, parse_rows("copy-first,flow"), results=Path("results"))
table = ablation_table(steps, title="demo")

A plugin that comes with a ladder gives it to `vosbench.cli.ablate.ladder_command`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from vosbench.compare import ScoredRun, main_table, score_part, score_run, values_of
from vosbench.errors import RunError, UsageError, VosbenchError
from vosbench.export import Column, Table
from vosbench.published import ablation
from vosbench.runner import find_tracker, run, run_folder
from vosbench.stats import clustered_difference
from vosbench.store import Run

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset
    from vosbench.plugins import Plugins
    from vosbench.specs import TrackerSpec

_SCORE = Column(scale=100, decimals=1)
_GAIN = Column(scale=100, decimals=1, signed=True)
_NAN = float("nan")
_SOURCE = "Meinhardt and Leal-Taixé, NeurIPS 2020, Table 1, over davis17-val"


@dataclass(frozen=True, slots=True)
class Rung:
    """One row of a ladder.

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
    """What came of one rung.

    Attributes:
        name: the run's.
        scored: the run; None if it could not be made.
        error: why it could not be made or scored.
    """

    rung: Rung
    name: str
    scored: ScoredRun | None
    error: VosbenchError | None = None


def parse_rows(text: str) -> list[Rung]:
    """A ladder from `TRACKER,TRACKER+key=value,...`, rows as runs are named.

    Raises:
        UsageError: a row is no tracker with options, or occurs twice.
    """
    rungs = []
    for row in text.split(","):
        tracker, *pairs = row.strip().split("+")
        options = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if not tracker or len(options) < len(pairs):
            raise UsageError(
                f"--rows {text}: {row!r} is not TRACKER or TRACKER+key=value",
                "For example --rows copy-first,flow+preset=fast,flow.",
            )
        rung = Rung(tracker, options)
        if rung in rungs:
            raise UsageError(f"--rows {text}: {row!r} occurs twice")
        rungs.append(rung)
    return rungs


def climb(
    plugins: Plugins,
    dataset: Dataset,
    rungs: Sequence[Rung],
    *,
    results: Path,
    sequences: Sequence[str] = (),
    options: Mapping[str, Mapping[str, str]] | None = None,
    python: str = "",
    **settings: Any,
) -> list[Step]:
    """Run every rung over a dataset, or go on with that; what is measured stays.

    Args:
        sequences: the part of the dataset to run; all if empty.
        options: tracker -> further options; a rung's own win.
        settings: further arguments of `vosbench.runner.run`.

    Returns:
        One step a rung. A rung that cannot be run does not stop the others.

    Raises:
        PluginError: there is no such tracker.
        UsageError: an option that a tracker does not have.
    """
    from vosbench.datasets.registry import select

    part = select(dataset, tuple(sequences))
    whole = len(part.sequences) == len(dataset.sequences)
    names = () if whole else [sequence.name for sequence in part.sequences]
    steps = []
    for rung, spec, given in _resolve(plugins, rungs, options or {}, python):
        try:
            made = run(
                plugins,
                dataset,
                spec,
                results=results,
                options=given,
                sequences=names,
                python=python,
                **settings,
            )[0]
            steps.append(Step(rung, made.name, score_part(made, part)))
        except VosbenchError as error:
            folder = run_folder(results, dataset.name, spec, given, settings.get("seed", 0))
            steps.append(Step(rung, folder.name, None, error))
    return steps


def look_up(
    plugins: Plugins,
    dataset: str,
    rungs: Sequence[Rung],
    *,
    results: Path,
    open_data: Callable[[], Dataset],
    options: Mapping[str, Mapping[str, str]] | None = None,
    seed: int = 0,
    python: str = "",
) -> list[Step]:
    """The steps of a ladder from runs that are there; nothing is run.

    Args:
        dataset: the name of the dataset in `results`.
        open_data: called if a run must be scored.

    Raises:
        PluginError: there is no such tracker.
        UsageError: an option that a tracker does not have.
    """
    steps = []
    for rung, spec, given in _resolve(plugins, rungs, options or {}, python):
        folder = run_folder(results, dataset, spec, given, seed)
        try:
            if not (folder / "run.json").is_file():
                raise RunError(
                    f"there is no run {folder.name} over {dataset} in {results}",
                    "Without --no-run it is made.",
                )
            steps.append(Step(rung, folder.name, score_run(Run.open(folder), open_data)))
        except VosbenchError as error:
            steps.append(Step(rung, folder.name, None, error))
    return steps


def ablation_table(
    steps: Sequence[Step], title: str = "", measure: str = "J&F", *, published: bool = False
) -> Table:
    """One row a step: global score; gain over the row above with its 95 % confidence interval and
    p; FPS. Rows without a complete run have none of these, nor has the row below a gain.

    The gain is the mean difference over objects, as in global scores; its interval comes from
    resampling whole sequences, since the objects of one sequence are not independent.

    Args:
        measure: J&F, J, F, J-Recall, J-Decay, ...
        published: add what the rungs say was published.

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
        sound = scored if scored and scored.run.complete and scored.evaluation else None
        row: dict[str, object] = {measure: _global(sound, measure)}
        row |= _gain(sound, above, measure)
        timing = sound.run.timing() if sound else None
        row["FPS"] = timing.fps if timing else _NAN
        change = _global(sound, measure) - _global(above, measure)
        weighted = weighted or abs(change - cast(float, row["Gain"])) > 1e-9
        if published:
            name, value = step.rung.published or ("", _NAN)
            row |= {"Published": value, "Its gain": value - above_published, "Published as": name}
            above_published = above_published if isnan(value) else value
        rows.append(row)
        above = sound
    frame = pd.DataFrame(rows, index=[step.name for step in steps])
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
        notes.append(f"Published: {_SOURCE}, J&F; not comparable with other datasets.")
    scale = dict.fromkeys(("Gain", "95% low", "95% high", "Its gain"), _GAIN)
    return Table(
        title=f"{title}: ablation",
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


def published_ladder() -> Table:
    """The published ablation of e-OSVOS, for a look."""
    listed = ablation().set_index("variant")
    frame = pd.DataFrame(
        {"Steps": listed["iterations"], "J&F": listed["JF"] / 100, "Gain": listed["gain"] / 100}
    )
    frame.index.name = "Published"
    return Table(
        title="Published ablation: not comparable with other datasets",
        frame=frame,
        columns={"Steps": Column(decimals=0), "J&F": _SCORE, "Gain": _GAIN},
        notes=(f"{_SOURCE}; without test-time transformations.",),
    )


def _global(scored: ScoredRun | None, measure: str) -> float:
    return scored.scores().get(measure, _NAN) if scored else _NAN


def _gain(scored: ScoredRun | None, above: ScoredRun | None, measure: str) -> dict[str, float]:
    if scored is None or above is None:
        return dict.fromkeys(("Gain", "95% low", "95% high", "p"), _NAN)
    pair = pd.concat(
        [values_of(scored, measure, "object"), values_of(above, measure, "object")],
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
    rungs: Sequence[Rung],
    options: Mapping[str, Mapping[str, str]],
    python: str,
) -> list[tuple[Rung, TrackerSpec, dict[str, str]]]:
    """Each rung with its tracker and all its options, checked before anything runs."""
    resolved = []
    for rung in rungs:
        spec = find_tracker(plugins, rung.tracker, python)
        given = {**options.get(rung.tracker, {}), **rung.options}
        spec.resolve_options(given)
        resolved.append((rung, spec, given))
    return resolved
