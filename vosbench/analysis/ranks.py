"""Average ranks of several runs over sequences, and how far apart they must be to mean something.

After Demsar, *Statistical Comparisons of Classifiers over Multiple Data Sets*, JMLR 2006.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from vosbench.analysis.compare import measure_values
from vosbench.analysis.scored import ScoredRun
from vosbench.errors import RunError

#: Level of the test.
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Ranks:
    """How runs rank over the sequences that all of them have.

    Attributes:
        measure: by which they are ranked.
        mean: run -> mean rank, best first; 1 is best, equal scores share their ranks.
        sequences: number of sequences.
        p_value: of Friedman's test that all runs are alike.
        critical: mean ranks that differ by less are not told apart (Nemenyi's test, 5 %).
    """

    measure: str
    mean: pd.Series[float]
    sequences: int
    p_value: float
    critical: float

    def alike(self) -> list[tuple[str, str]]:
        """The longest stretches of runs, (best, worst), within which none is told apart."""
        names, ranks = list(self.mean.index), self.mean.to_numpy()
        found: list[tuple[int, int]] = []
        for first in range(len(names)):
            near = [n for n in range(first, len(names)) if ranks[n] - ranks[first] < self.critical]
            last = max(near)
            if last > first and not any(a <= first and last <= b for a, b in found):
                found.append((first, last))
        return [(str(names[a]), str(names[b])) for a, b in found]


def mean_ranks(runs: Sequence[ScoredRun], measure: str = "J&F", *, lower: bool = False) -> Ranks:
    """Rank the runs in every sequence and average.

    Args:
        lower: whether low values of `measure` are good.

    Raises:
        RunError: fewer than three runs, fewer than two sequences that all have, or no such measure.
    """
    from scipy import stats

    if len(runs) < 3:
        raise RunError(
            f"ranks need three runs or more, there are {len(runs)}",
            "`vosbench compare --against NAME` compares two.",
        )
    table = pd.DataFrame({s.name: measure_values(s, measure, "sequence") for s in runs}).dropna()
    count, runs_count = table.shape
    if count < 2:
        raise RunError(f"ranks need two sequences or more with {measure}, there are {count}")
    ranks = table.rank(axis="columns", ascending=lower)
    test = stats.friedmanchisquare(*(table[name] for name in table))
    same = bool((table.nunique(axis="columns") == 1).all())
    q = stats.studentized_range.ppf(1 - ALPHA, runs_count, math.inf) / math.sqrt(2)
    critical = float(q) * math.sqrt(runs_count * (runs_count + 1) / (6 * count))
    return Ranks(
        measure=measure,
        mean=ranks.mean().sort_values(kind="stable"),
        sequences=count,
        p_value=1.0 if same else float(test.pvalue),
        critical=critical,
    )
