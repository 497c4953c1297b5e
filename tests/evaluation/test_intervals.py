"""Intervals of global scores: what is drawn, and that every draw is a global score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vosbench.evaluation import evaluate, intervals
from vosbench.evaluation.intervals import draw_weights, score_intervals
from vosbench.metrics.protocols import PROTOCOLS, Row, find_protocol
from vosbench.plugins import Plugins

COLUMNS = ("J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay", "V-Mean")
MOSE = ("F_new-Mean", "disappear_J", "disappear_F_new", "reappear_J", "reappear_F_new")
VOST = ("J_last-Mean", "J_last-Recall", "J_last-Decay")


def table(rng: np.random.Generator, names: list[str]) -> list[Row]:
    rows = []
    for name in names:
        for obj in range(1, 2 + int(rng.integers(0, 4))):
            scores = {column: float(rng.random()) for column in (*COLUMNS, *MOSE, *VOST)}
            scores["reappear_J"] = scores["reappear_F_new"] = float("nan") if obj == 1 else 0.5
            unseen = bool(rng.random() < 0.4)
            rows.append({"sequence": name, "object": obj, **scores, "unseen": unseen})
    return rows


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_draw_is_the_global_score_of_the_sequences_drawn(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the plain way: write each sequence's rows down as often as it was drawn."""
    rules, names = find_protocol(protocol), [f"s{n}" for n in range(6)]
    rows = table(np.random.default_rng(3), names)
    monkeypatch.setattr(intervals, "DRAWS", 50)
    weights = np.concatenate([*draw_weights(6)])
    found = score_intervals(rules, rows, names)
    plain: dict[str, list[float]] = {}
    for draw in weights.astype(int):
        repeated = [row for row in rows for _ in range(draw[names.index(row["sequence"])])]
        for name, value in rules.overall(repeated).items():
            plain.setdefault(name, []).append(value)
    assert set(found) <= set(plain)
    for name, bounds in found.items():
        assert bounds == pytest.approx(np.nanpercentile(plain[name], [2.5, 97.5]), abs=1e-12), name


def test_draws_in_parts_are_the_draws_of_one_part() -> None:
    parts = list(draw_weights(1500))
    assert len(parts) > 1
    rng = np.random.default_rng(intervals.SEED)
    whole = rng.multinomial(1500, np.full(1500, 1 / 1500), intervals.DRAWS)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_intervals_hold_their_scores_and_need_two_sequences(
    dataset_folder: Path, write_masks: Callable[..., Path]
) -> None:
    from vosbench.datasets.folder import load
    from vosbench.datasets.registry import select

    dataset = load(dataset_folder)
    metrics = list(Plugins(entry_points=False).sequence_metrics.values())
    quick = [metric for metric in metrics if not metric.slow]
    evaluation = evaluate(dataset, write_masks("masks"), metrics=quick)
    for name, (low, high) in evaluation.intervals.items():
        assert low - 1e-12 <= evaluation.global_scores[name] <= high + 1e-12, name
    assert {"J&F-Mean", "VOTS-Q", "HOTA", "Boundary-IoU"} <= set(evaluation.intervals)
    one = evaluate(select(dataset, ("alpha",)), write_masks("masks"))
    assert one.intervals == {}


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Sequences of one to four objects from a population of known mean: 95 % should hold it."""
    rules, hits, trials = find_protocol("davis2017"), 0, 200
    rng = np.random.default_rng(0)
    for _ in range(trials):
        rows: list[Row] = []
        for n in range(30):
            level = rng.normal(0.7, 0.1)
            for obj in range(2):
                scores = dict.fromkeys(COLUMNS, level + rng.normal(0, 0.02))
                rows.append({"sequence": f"s{n}", "object": obj, **scores})
        low, high = score_intervals(rules, rows, [f"s{n}" for n in range(30)])["J-Mean"]
        hits += low <= 0.7 <= high
    assert 0.90 <= hits / trials <= 0.99
