"""Outlines, and the matching of their points: plain properties of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.metrics.outline import main_outline
from vosbench.metrics.packed import pack
from vosbench.metrics.sequence.stability import (
    SPACING,
    cheapest_path,
    matching_cost,
    resampled,
    shape_contexts,
)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(6, 40), st.integers(6, 80))
@settings(max_examples=30)
def test_outline_of_a_rectangle_is_its_four_corners(
    top: int, left: int, height: int, width: int
) -> None:
    mask = np.zeros((64, 110), np.uint8)
    mask[top : top + height, left : left + width] = 1
    outline = main_outline(pack(mask))
    assert outline is not None
    corners = {(y, x) for y in (top, top + height) for x in (left, left + width)}
    assert {tuple(point) for point in outline.tolist()} == corners
    assert (outline[0] == outline[-1]).all()
    points = resampled(outline)
    assert np.hypot(*np.diff(points, axis=0).T).max() <= SPACING + 1e-9


@pytest.mark.parametrize("pixels", [0, 1])
def test_nothing_or_a_pixel_has_no_outline(pixels: int) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask.flat[100 : 100 + pixels] = 1
    assert main_outline(pack(mask)) is None
    assert shape_contexts(pack(mask)) is None


def test_the_outline_with_most_vertices_may_be_a_hole() -> None:
    y, x = np.mgrid[:80, :80]
    star = np.hypot(y - 40, x - 40) < 20 + 8 * np.sin(7 * np.arctan2(y - 40, x - 40))
    outline = main_outline(pack((~star).astype(np.uint8)))
    assert outline is not None
    assert outline.min() > 5
    assert outline.max() < 75


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
@settings(max_examples=60)
def test_no_path_is_cheaper(rows: int, columns: int, seed: int) -> None:
    cost = np.random.default_rng(seed).integers(0, 5, (rows, columns)).astype(float)
    path = cheapest_path(cost)
    assert path[0].tolist() == [rows - 1, columns - 1]
    assert path[-1].tolist() == [0, 0]
    steps = path[:-1] - path[1:]
    assert ((steps >= 0) & (steps <= 1)).all()
    assert (steps.sum(axis=1) > 0).all()
    best = np.full((rows, columns), np.inf)
    for i in range(rows):
        for j in range(columns):
            before = [
                best[a, b] for a, b in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if a >= 0 and b >= 0
            ]
            best[i, j] = cost[i, j] + min(before) if before else 0.0
    paid = cost[path[:-1, 0], path[:-1, 1]].sum()
    assert paid == best[-1, -1]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 100))
@settings(max_examples=15)
def test_a_shape_that_moves_keeps_its_outline(down: int, right: int, seed: int) -> None:
    y, x = np.mgrid[:60, :70]
    angle = np.arctan2(y - 25, x - 28)
    shape = np.hypot(y - 25, x - 28) < 14 + 5 * np.sin(3 * angle + seed)
    moved = np.roll(shape, (down, right), (0, 1))
    one, two = (shape_contexts(pack(m.astype(np.uint8))) for m in (shape, moved))
    assert one is not None
    assert two is not None
    # Sums of fractions differ in the last bit, which may move a point between two bins.
    assert matching_cost(one, two) < 0.01
