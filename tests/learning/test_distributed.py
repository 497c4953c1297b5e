"""Work is spread over processes by number."""

from __future__ import annotations

from vosbench_learning import distributed


def test_units_are_spread_and_seeded_by_number():
    assert list(distributed.own_units(5)) == [0, 1, 2, 3, 4]
    seeds = {distributed.unit_seed(s, t, u) for s in range(3) for t in range(50) for u in range(4)}
    assert len(seeds) == 600
