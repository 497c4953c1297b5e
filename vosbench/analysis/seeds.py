"""Runs of one tracker that differ in their seed alone: one row, mean and deviation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vosbench.analysis.scored import ScoredRun


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """One or more runs that differ in their seed alone.

    Attributes:
        name: of the row: the run's, or what the runs' names share.
        runs: in the order of their names.
    """

    name: str
    runs: tuple[ScoredRun, ...]

    def scores(self) -> dict[str, float]:
        """Global scores by short name, means over the seeds; NaN values are left out."""
        every = [scored.scores() for scored in self.runs]
        names = dict.fromkeys(name for scores in every for name in scores)
        return {name: _mean([s.get(name, np.nan) for s in every]) for name in names}

    def deviation(self, name: str) -> float:
        """Standard deviation (n - 1) of a score over the seeds; nan for one."""
        values = [scored.scores().get(name, np.nan) for scored in self.runs]
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")

    def interval(self, name: str) -> tuple[float, float]:
        """95 % interval of a score over whole sequences; that of several seeds is the mean of
        theirs, a little wide. (nan, nan) if unknown."""
        bounds = [scored.intervals().get(name, (np.nan, np.nan)) for scored in self.runs]
        return _mean([low for low, _ in bounds]), _mean([high for _, high in bounds])


def by_seed(runs: Sequence[ScoredRun], *, apart: bool = False) -> list[SeedGroup]:
    """Runs in groups that differ in their seed alone; each for itself if `apart`, and where they
    were made of different codes."""
    groups: dict[str, list[ScoredRun]] = {}
    mixed = mixed_codes(runs)
    for scored in runs:
        shared = _without_seed(scored)
        name = scored.name if apart or shared in mixed else shared
        groups.setdefault(name, []).append(scored)
    return [
        SeedGroup(name if len(members) > 1 else members[0].name, tuple(members))
        for name, members in groups.items()
    ]


def mixed_codes(runs: Sequence[ScoredRun]) -> dict[str, str]:
    """Name that runs of several seeds share -> what their masks were made of and is not the same
    for all of them."""
    states: dict[str, dict[str, str]] = {}
    mixed: dict[str, str] = {}
    for scored in runs:
        name, made_of = _without_seed(scored), scored.run.record.made_of
        known = states.setdefault(name, {})
        different = [key for key in made_of if known.get(key, made_of[key]) != made_of[key]]
        if different:
            mixed.setdefault(name, different[0])
        known.update(made_of)
    return mixed


def _without_seed(scored: ScoredRun) -> str:
    return re.sub(r"\+seed=\d+$", "", scored.name)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
