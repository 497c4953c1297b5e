"""Worst frames and lost objects."""

from __future__ import annotations

import pandas as pd
import pytest

from vosbench.report.failures import lost_objects, worst_frames


def frames(**curves: list[float]) -> pd.DataFrame:
    """Objects by name "sequence_object"."""
    rows = [
        (*name.split("_"), f"{frame:05d}", value)
        for name, values in curves.items()
        for frame, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["sequence", "object", "frame", "J"])


def test_an_object_is_lost_from_the_frame_after_it_was_last_found():
    table = lost_objects(frames(ant_1=[0.9, 0.05, 0.7, 0.09, 0.0]))
    (row,) = table.itertuples()
    assert (row.frame, row.lost, row.share) == ("00003", 2, 0.4)
    assert row.before == pytest.approx((0.9 + 0.05 + 0.7) / 3)


def test_an_object_found_again_at_the_end_is_not_lost():
    assert lost_objects(frames(ant_1=[0.9, 0.0, 0.0, 0.1])).empty


def test_an_object_never_found_has_no_score_before():
    (row,) = lost_objects(frames(ant_1=[0.0, 0.05])).itertuples()
    assert row.share == 1 and pd.isna(row.before)


def test_the_longest_lost_comes_first():
    table = lost_objects(frames(ant_1=[1, 1, 1, 0], bee_1=[1, 0, 0, 0], bee_2=[1, 1, 1, 1]))
    assert list(table["sequence"]) == ["bee", "ant"]


def test_the_worst_frame_of_each_sequence_by_the_mean_of_its_objects():
    table = worst_frames(
        frames(ant_1=[0.5, 0.9, 0.9], ant_2=[0.9, 0.1, 0.9], bee_1=[0.3, 0.2, 0.2])
    )
    assert list(table["sequence"]) == ["bee", "ant"]
    assert list(table["frame"]) == ["00001", "00001"]
    assert list(table["J"]) == pytest.approx([0.2, 0.5])
