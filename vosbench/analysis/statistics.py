"""Paired statistics of two trackers over the same sequences or objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Confidence level of intervals, number of bootstrap resamples, and their seed.
LEVEL = 0.95
RESAMPLES = 10_000
SEED = 0


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """How much better one tracker is than another.

    Attributes:
        count: number of pairs.
        mean: mean of the differences, in the unit of the scores.
        low, high: bounds of the confidence interval of the mean; NaN for fewer than two pairs.
        p_value: of the Wilcoxon signed-rank test, two-sided; NaN without pairs.
        wins, losses: pairs in which the first is better, worse.
    """

    count: int
    mean: float
    low: float
    high: float
    p_value: float
    wins: int
    losses: int


def paired_difference(first: ArrayLike, second: ArrayLike) -> PairedDifference:
    """`first` minus `second`, pair by pair.

    Args:
        first, second: scores (N,) of two trackers on the same N sequences or objects, in the same
            order. Pairs in which either is NaN are left out.

    Raises:
        ValueError: the two differ in length.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"scores must be two vectors of one length, not {a.shape} and {b.shape}")
    differences = a - b
    differences = differences[np.isfinite(differences)]
    low, high = bootstrap_interval(differences)
    return PairedDifference(
        count=differences.size,
        mean=float(differences.mean()) if differences.size else float("nan"),
        low=low,
        high=high,
        p_value=wilcoxon_p(differences),
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
    )


def clustered_difference(
    first: ArrayLike, second: ArrayLike, clusters: ArrayLike
) -> PairedDifference:
    """`first` minus `second` over objects, where the objects of one sequence are not independent.

    The mean is that over objects, as in global scores; whole sequences are resampled for its
    interval, and the test is over the mean differences of the sequences, which are also what is
    counted.

    Args:
        first, second: scores (N,) of two trackers on the same N objects, in the same order. Pairs
            in which either is NaN are left out.
        clusters: (N,) the sequence of each object.

    Raises:
        ValueError: the three differ in length.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    groups = np.asarray(clusters)
    if not a.shape == b.shape == groups.shape or a.ndim != 1:
        raise ValueError(
            "scores and clusters must be vectors of one length, "
            f"not {a.shape}, {b.shape} and {groups.shape}"
        )
    differences = a - b
    known = np.isfinite(differences)
    differences = differences[known]
    _, members = np.unique(groups[known], return_inverse=True)
    sums = np.bincount(members, weights=differences).astype(np.float64)
    sizes = np.bincount(members)
    means = sums / sizes
    low, high = _ratio_interval(sums, sizes)
    return PairedDifference(
        count=means.size,
        mean=float(differences.mean()) if differences.size else float("nan"),
        low=low,
        high=high,
        p_value=wilcoxon_p(means),
        wins=int((means > 0).sum()),
        losses=int((means < 0).sum()),
    )


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P values (N,) corrected for N tests (Holm 1979): the chance that any of those below a level
    is a false positive stays below that level. NaN stays NaN and does not count as a test."""
    raw = np.asarray(p_values, dtype=np.float64)
    out = np.full(raw.shape, np.nan)
    known = np.flatnonzero(np.isfinite(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    scaled = raw[order] * np.arange(order.size, 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return out


def bootstrap_interval(
    values: NDArray[np.float64],
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> tuple[float, float]:
    """Confidence interval of the mean of `values` (N,): bias-corrected and accelerated bootstrap
    (Efron 1987), with a fixed seed so that the same runs always give the same interval.

    Equal values give an interval of no width; fewer than two give NaN.
    """
    from scipy import stats

    if values.size < 2:
        return float("nan"), float("nan")
    # BCa divides by the spread of the jackknife, which is zero here.
    if np.ptp(values) == 0:
        return float(values[0]), float(values[0])
    result = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        confidence_level=level,
        method="BCa",
        rng=np.random.default_rng(seed),
    )
    interval = result.confidence_interval
    return float(interval.low), float(interval.high)


def _ratio_interval(sums: NDArray[np.float64], sizes: NDArray[np.int64]) -> tuple[float, float]:
    """As `bootstrap_interval`, of sum(sums) / sum(sizes), both (clusters,)."""
    from scipy import stats

    if sums.size < 2:
        return float("nan"), float("nan")
    if np.ptp(sums / sizes) == 0:
        return float(sums[0] / sizes[0]), float(sums[0] / sizes[0])
    result = stats.bootstrap(
        (sums, sizes),
        lambda total, size, axis: total.sum(axis=axis) / size.sum(axis=axis),
        paired=True,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="BCa",
        rng=np.random.default_rng(SEED),
    )
    interval = result.confidence_interval
    return float(interval.low), float(interval.high)


def wilcoxon_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the Wilcoxon signed-rank test that `differences` (N,) are symmetric about
    zero. Zeros are dropped (Wilcoxon 1945); 1 if only zeros are given, NaN without values."""
    from scipy import stats

    if not differences.size:
        return float("nan")
    if not differences.any():
        return 1.0
    return float(stats.wilcoxon(differences[differences != 0]).pvalue)
