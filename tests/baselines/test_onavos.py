"""`onavos`: which pixels it learns from, that it adapts, and conformance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, make_context, moving_discs
from vosbench.tracking.session import make_tracker
from vosbench_baselines.onavos import EROSION, select

SIZE = (64, 96)


@pytest.fixture(scope="module")
def spec():
    return Plugins().tracker("onavos-50")


@pytest.fixture(scope="module")
def options(osvos_weights):
    return {
        "weights": str(osvos_weights),
        "iterations": "1",
        "transforms": "0",
        "bf16": "off",
        "online_every": "1",
        "online_iterations": "1",
        "negative": "20",
    }


@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_conformance(spec, options, case):
    outcome = check_tracker(spec, case, options=options, size=SIZE)
    assert outcome.status == "passed" or case.name == "processes", outcome.reason


@settings(max_examples=30)
@given(st.integers(0, 40), st.integers(0, 60), st.integers(15, 40), st.floats(5, 60))
def test_negatives_are_further_from_the_eroded_mask_than_the_distance(top, left, side, distance):
    last = np.zeros((80, 100), bool)
    last[top : top + side, left : left + side] = True
    chosen = select(np.full(last.shape, 0.5, np.float32), last, 0.97, distance)
    half = EROSION // 2
    rows, columns = np.mgrid[:80, :100]
    # What lies outside the image does not erode.
    inner = [
        (0 if low == 0 else low + half, high - (half if high < limit else 0))
        for low, high, limit in ((top, top + side, 80), (left, left + side, 100))
    ]
    (y1, y2), (x1, x2) = inner
    if y2 <= y1 or x2 <= x1:
        assert chosen is None
        return
    dy = np.maximum(0, np.maximum(y1 - rows, rows - (y2 - 1)))
    dx = np.maximum(0, np.maximum(x1 - columns, columns - (x2 - 1)))
    away = np.hypot(dy, dx)
    positives, negatives = chosen
    sure = np.abs(away - distance) > 1e-3
    assert np.array_equal(negatives[sure], (away > distance)[sure])
    assert not positives.any()


def test_only_sure_pixels_are_positive_and_a_lost_object_teaches_nothing():
    probabilities = np.linspace(0, 1, 101, dtype=np.float32)[None].repeat(50, 0)
    last = np.zeros((50, 101), bool)
    assert select(probabilities, last, 0.97, 220) is None
    last[10:40, 10:40] = True
    positives, negatives = select(probabilities, last, 0.97, 220)
    assert np.array_equal(positives, probabilities > 0.97)
    assert not negatives.any()


def test_adapts_when_it_is_time_and_not_before(spec, options, tmp_path):
    sequence = moving_discs("adapt", SIZE, 3)
    steps = {"online_every": "2", "online_iterations": "2"}
    ctx = make_context(spec, tmp_path, options=options | steps)
    tracker = make_tracker(spec, ctx)
    tracker.init(sequence[0], sequence.clip().given[0], ctx)
    weights = [tracker.objects[1].models[1]]
    for index in (1, 2):
        prediction = tracker.track(sequence[index], {}, ctx)
        tracker.update(sequence[index], prediction.label_map(), ctx)
        weights.append(tracker.objects[1].models[1])
    assert weights[1] is weights[0]
    assert any(not weights[2][name].equal(weights[0][name]) for name in weights[0])


def test_what_was_far_from_the_last_mask_is_forgotten(spec, options, tmp_path):
    sequence = moving_discs("far", SIZE, 2)
    ctx = make_context(spec, tmp_path, options=options)
    tracker = make_tracker(spec, ctx)
    tracker.init(sequence[0], sequence.clip().given[0], ctx)
    tracker.track(sequence[1], {}, ctx)
    everywhere = np.ones(SIZE, np.uint8)
    tracker.update(sequence[1], everywhere, ctx)
    assert tracker.far[1].any()
    assert not (tracker.last[1] & tracker.far[1]).any()
