"""Paired statistics against scipy, plain restatements and known corner cases."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.analysis.statistics import bootstrap_interval, holm, paired_difference, wilcoxon_p


def exact_wilcoxon(differences: list[float]) -> float:
    """Two-sided p by going through all signs of the ranks; no ties, no zeros."""
    ranks = np.argsort(np.argsort(np.abs(differences))) + 1
    total = ranks.sum()
    seen = abs(2 * ranks[np.array(differences) > 0].sum() - total)
    signs = itertools.product((0, 1), repeat=len(differences))
    extreme = [abs(2 * np.dot(sign, ranks) - total) >= seen for sign in signs]
    return float(np.mean(extreme))


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=9, unique=True).flatmap(
        lambda sizes: st.tuples(
            st.just(sizes), st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes))
        )
    )
)
def test_wilcoxon_is_exact_for_few_pairs(drawn: tuple[list[int], list[bool]]) -> None:
    differences = [size / 1000 * (1 if up else -1) for size, up in zip(*drawn, strict=True)]
    assert wilcoxon_p(np.array(differences)) == pytest.approx(exact_wilcoxon(differences))


def test_clear_difference_is_found_and_none_is_not() -> None:
    rng = np.random.default_rng(1)
    base = rng.uniform(0.4, 0.9, 30)
    better = paired_difference(base + 0.05 + rng.normal(0, 0.02, 30), base)
    assert 0.03 < better.low < better.mean < better.high < 0.07
    assert better.p_value < 1e-5
    assert better.count == 30
    same = paired_difference(base + rng.normal(0, 0.02, 30), base)
    assert same.low < 0 < same.high
    assert same.p_value > 0.05


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(100):
        low, high = bootstrap_interval(rng.normal(0.3, 1, 30), resamples=500)
        covered += low <= 0.3 <= high
    assert 87 <= covered <= 99


def test_the_same_runs_give_the_same_interval() -> None:
    values = np.linspace(-1, 2, 17) ** 3
    assert bootstrap_interval(values) == bootstrap_interval(values)


def test_swapping_the_two_swaps_the_sign() -> None:
    a, b = np.array([0.5, 0.7, 0.6, 0.1]), np.array([0.4, 0.75, 0.3, 0.05])
    one, two = paired_difference(a, b), paired_difference(b, a)
    assert one.mean == -two.mean
    assert (one.wins, one.losses) == (two.losses, two.wins) == (3, 1)
    assert one.p_value == two.p_value


def test_identical_scores() -> None:
    result = paired_difference([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert (result.mean, result.low, result.high, result.p_value) == (0, 0, 0, 1)


def test_one_pair_and_none() -> None:
    one = paired_difference([0.5], [0.25])
    assert one.mean == 0.25
    assert math.isnan(one.low)
    assert paired_difference([0.5, math.nan], [0.25, 0.1]).count == 1
    none = paired_difference([], [])
    assert none.count == 0
    assert math.isnan(none.mean)
    assert math.isnan(none.p_value)


def test_scores_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="one length"):
        paired_difference([0.1, 0.2], [0.1])


def test_holm_is_the_textbook_correction() -> None:
    # Step down: 4 * .01, 3 * .02 and so on, never falling, never above 1; nan is no test.
    corrected = holm([0.02, 0.01, float("nan"), 0.03, 0.5])
    assert corrected == pytest.approx([0.06, 0.04, float("nan"), 0.06, 0.5], nan_ok=True)
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([]).size == 0
