"""One tracker with several values of one option: what accuracy and speed depend on.

points = sweep(plugins, part, spec, "iterations", ("1", "10", "50"), results=Path("results"))
table = sweep_table(points, "iterations")

Every value is an ordinary run. What is measured already is not run again; where the tracker can
answer several values in one run (`Capabilities.snapshots`), one run answers those that are missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.analysis.compare import main_table
from vosbench.analysis.scored import ScoredRun, score_part
from vosbench.errors import RunError, UsageError, VosbenchError
from vosbench.export import Column, Table
from vosbench.running.recorder import Progress
from vosbench.running.runner import RunSettings, run, run_folder
from vosbench.specs import OptionValue, TrackerSpec
from vosbench.store import Run

if TYPE_CHECKING:
    import pandas as pd

    from vosbench.datasets.base import Dataset
    from vosbench.plugins import Plugins

_SCORES = ("J&F", "J", "F")
_LEFT_OUT = ("-Recall", "-Decay")


@dataclass(frozen=True, slots=True)
class Point:
    """What came of one value.

    Attributes:
        value: of the option.
        scored: the run; None if it could not be made.
        error: why it could not be made or scored.
    """

    value: OptionValue
    scored: ScoredRun | None
    error: VosbenchError | None = None


def sweep(
    plugins: Plugins,
    dataset: Dataset,
    spec: TrackerSpec,
    option: str,
    values: Sequence[str],
    *,
    results: Path,
    sequences: Sequence[str] = (),
    settings: RunSettings | None = None,
    alone: bool = False,
    progress: Progress | None = None,
) -> list[Point]:
    """Run `spec` with each of `values` of `option` over a dataset, or resume that.

    Args:
        values: as text; repeated ones count once.
        sequences: the part of the dataset to run; all if empty.
        settings: how each value is run; its options are the same for every value.
        alone: one run per value, so that its time is measured and not derived, even where one run
            could answer all; runs whose time was derived are made anew.

    Returns:
        One point a value, in the order given. A value whose run cannot be made does not stop the
        others.

    Raises:
        UsageError: the tracker has no such option, a value does not fit, or `settings.options` has
            it too.
        RunError: the values were measured with different code, packages, weights or devices.
    """
    from vosbench.datasets.registry import select

    how = settings or RunSettings()
    given = dict(how.options)
    if option in given:
        raise UsageError(
            f"-o {option}={given[option]} contradicts --set {option}=...",
            f"Give all values of {option} by --set.",
        )
    texts = {spec.resolve_options({option: text})[option]: text for text in values}
    part = select(dataset, tuple(sequences))
    names = [sequence.name for sequence in part.sequences]

    def there(value: OptionValue) -> Run | None:
        chosen = given | {option: texts[value]}
        try:
            return Run.open(run_folder(results, dataset.name, spec, chosen, how.seed))
        except RunError:
            return None

    def outdated(found: Run | None) -> bool:
        return how.fresh or (alone and found is not None and found.record.derived_timing)

    def measured(value: OptionValue) -> bool:
        found = there(value)
        return found is not None and not outdated(found) and set(names) <= set(found.done())

    def go(value: OptionValue, others: Sequence[OptionValue] = ()) -> dict[OptionValue, Run]:
        made = run(
            plugins,
            dataset,
            spec,
            replace(
                how,
                options=given | {option: texts[value]},
                snapshots={option: [texts[other] for other in others]} if others else {},
                fresh=outdated(there(value)),
            ),
            results=results,
            sequences=names if len(names) < len(dataset.sequences) else (),
            progress=progress,
        )
        return {run.record.options[option]: run for run in made}

    ready = [value for value in texts if measured(value)]
    missing = [value for value in texts if value not in ready]
    runs: dict[OptionValue, Run] = {}
    errors: dict[OptionValue, VosbenchError] = {}
    for value in ready:  # starts nothing, but refuses runs over other data
        runs |= go(value)
    shared = option in spec.capabilities.snapshots and not alone
    for group in [missing] if shared and missing else [[value] for value in missing]:
        longest = max(group, key=_amount)
        try:
            runs |= go(longest, [value for value in group if value != longest])
        except VosbenchError as error:
            errors |= dict.fromkeys(group, error)
    _require_same_origin(option, runs)
    points = []
    for value in texts:
        scored = None
        if value in runs:
            try:
                scored = score_part(runs[value], part)
            except VosbenchError as error:
                errors[value] = error
        points.append(Point(value, scored, errors.get(value)))
    return points


def sweep_table(points: Sequence[Point], option: str, title: str = "") -> Table | None:
    """One row a value: scores, FPS, seconds of initialisation. Values without a run are left out;
    incomplete runs have no scores. None if nothing is left."""
    made = [(point, point.scored) for point in points if point.scored is not None]
    if not made:
        return None
    table = main_table([scored for _, scored in made], title)
    frame = table.frame.drop(columns=[c for c in map(str, table.frame) if c.endswith(_LEFT_OUT)])
    frame.index = [point.value for point, _ in made]
    frame.index.name = option
    timings = [scored.run.timing() for _, scored in made]
    frame["init s"] = [timing.init_seconds if timing else float("nan") for timing in timings]
    incomplete = [not scored.run.complete for _, scored in made]
    frame.loc[incomplete, [name for name in frame.columns if name != "Part"]] = float("nan")
    derived = {(row, "init s") for row, (_, scored) in enumerate(made) if not scored.ranked}
    return replace(
        table,
        frame=frame,
        columns={**table.columns, "init s": Column(decimals=2, best="min", significant=2)},
        parentheses=table.parentheses | derived,
    )


def plot_points(table: Table) -> pd.DataFrame:
    """What `vosbench.export.plots.sweep_plot` draws, from a table of `sweep_table`."""
    frame = table.frame[[name for name in (*_SCORES, "FPS") if name in table.frame]].copy()
    frame["shared"] = [(row, "FPS") in table.parentheses for row in range(len(frame))]
    return frame


def full_table(points: Sequence[Point], table: Table) -> pd.DataFrame:
    """The values of `table`, and by `timing` where FPS comes from: "measured", "shared machine"
    or "derived" (one run gave several answers)."""
    records = [point.scored.run.record for point in points if point.scored is not None]
    kinds = [
        "derived" if r.derived_timing else "shared machine" if r.shared_machine else "measured"
        for r in records
    ]
    return table.frame.assign(timing=kinds)


def _amount(value: OptionValue) -> float:
    """Numbers by size; the largest takes longest."""
    return float(value) if isinstance(value, int | float) else 0.0


def _require_same_origin(option: str, runs: Mapping[OptionValue, Run]) -> None:
    """Values run at different times must share code, packages, weights and device."""
    if not runs:
        return
    (first, reference), *others = runs.items()
    for value, other in others:
        before, now = _origin(reference), _origin(other)
        differing = [key for key in before.keys() & now.keys() if before[key] != now[key]]
        if differing:
            key = sorted(differing)[0]
            raise RunError(
                f"{option}={first} and {option}={value} cannot stand in one curve: "
                f"{key} is {before[key][:12]} for one and {now[key][:12]} for the other",
                "--fresh measures all values anew.",
            )


def _origin(run: Run) -> dict[str, str]:
    """Name -> what the run depended on: device and code."""
    return {"device": run.record.device, **run.record.made_of}
