"""The fast measures against the definitions written down as plainly as possible."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.metrics import boundary_radius, contour_accuracy, region_similarity
from vosbench.metrics.contour import Shape
from vosbench.metrics.packed import disk, pack


def plain_region(annotation: np.ndarray, prediction: np.ndarray) -> float:
    pairs = list(zip(annotation.ravel().tolist(), prediction.ravel().tolist(), strict=True))
    union = sum(a or p for a, p in pairs)
    return sum(a and p for a, p in pairs) / union if union else 1.0


def plain_boundary(mask: np.ndarray) -> set[tuple[int, int]]:
    height, width = mask.shape
    found = set()
    for y in range(height):
        for x in range(width):
            neighbours = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            inside = [(v, u) for v, u in neighbours if v < height and u < width]
            if any(mask[y, x] != mask[v, u] for v, u in inside):
                found.add((y, x))
    return found


def plain_contour(annotation: np.ndarray, prediction: np.ndarray, radius: int) -> float:
    truth, guess = plain_boundary(annotation), plain_boundary(prediction)
    if not truth or not guess:
        return float(not truth and not guess)

    def share(points: set[tuple[int, int]], others: set[tuple[int, int]]) -> float:
        near = [any((y - v) ** 2 + (x - u) ** 2 <= radius**2 for v, u in others) for y, x in points]
        return sum(near) / len(points)

    precision, recall = share(guess, truth), share(truth, guess)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def random_mask(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Noise of any density, rectangles, and either cut by the frame's border."""
    kind = rng.integers(3)
    if kind == 0:
        return rng.random((height, width)) < rng.choice([0.005, 0.1, 0.5, 0.9, 1.0])
    mask = np.zeros((height, width), bool)
    for _ in range(rng.integers(1, 4)):
        top, left = rng.integers(-2, height), rng.integers(-2, width)
        tall, wide = rng.integers(1, height + 1), rng.integers(1, width + 1)
        mask[max(0, top) : max(0, top + tall), max(0, left) : max(0, left + wide)] ^= True
    return ~mask if kind == 1 and rng.random() < 0.2 else mask


@pytest.mark.parametrize("seed", range(20))
def test_two_thousand_random_pairs_agree_float_for_float(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(100):
        # Widths on both sides of the 64 pixels of a word, heights below and above the radius.
        height, width = int(rng.integers(1, 9)), int(rng.choice([1, 3, 9, 63, 64, 65, 70, 129]))
        annotation, prediction = (random_mask(rng, height, width) for _ in range(2))
        radius = int(rng.integers(1, 8))
        context = (seed, height, width, radius)
        assert region_similarity(annotation, prediction) == plain_region(annotation, prediction)
        fast = contour_accuracy(annotation, prediction, radius)
        assert fast == plain_contour(annotation, prediction, radius), context


@settings(max_examples=200)
@given(st.data())
def test_boundary_and_dilation_agree_with_opencv(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 300))
    radius = data.draw(st.one_of(st.integers(1, 80), st.floats(0.1, 20)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    source, probe = (random_mask(rng, height, width) for _ in range(2))
    grid = np.arange(-radius, radius + 1)
    kernel = (grid[:, None] ** 2 + grid**2 <= radius**2).astype(np.uint8)
    expected = cv2.dilate(source.astype(np.uint8), kernel) & probe
    dilated = pack(source).dilated(disk(radius))
    assert dilated.overlap(pack(probe)) == pack(probe).overlap(dilated) == expected.sum()


@settings(max_examples=100)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_counts_are_those_of_the_mask(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = (random_mask(rng, height, width) for _ in range(2))
    shape, other = Shape(one), Shape(two)
    assert (shape.area, other.area) == (one.sum(), two.sum())
    assert shape.overlap(other) == ((one & two).sum(), (one | two).sum())


@settings(max_examples=50)
@given(st.integers(2, 64), st.integers(2, 64), st.integers(0, 2**32 - 1))
def test_f_is_symmetric_and_grows_with_the_radius(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = (random_mask(rng, height, width) for _ in range(2))
    scores = [contour_accuracy(one, two, radius) for radius in (1, 2, 4, 8)]
    assert scores == sorted(scores)
    assert contour_accuracy(two, one, 2) == scores[1]
    assert contour_accuracy(one, one) == 1.0


def test_labels_of_any_integer_type_are_masks() -> None:
    labels = np.zeros((5, 7), np.uint8)
    labels[1:4, 2:5] = 200
    assert Shape(labels).area == 9
    assert Shape(labels.astype(np.int64)).length == Shape(labels != 0).length


def test_radius_grows_with_the_frame() -> None:
    assert boundary_radius(480, 854) == 8
    for height, width in ((1, 1), (100, 100), (2160, 3840), (8000, 8000)):
        assert boundary_radius(height, width) == math.ceil(0.008 * math.hypot(height, width))
