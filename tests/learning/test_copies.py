"""Spatial transformations: the mask goes where the pixels go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench_learning.copies import SpatialRange, random_affine, random_copy, warp

SIZE = (60, 80)


def scene():
    """A bright object on a dark ground, and its mask."""
    mask = np.zeros(SIZE, bool)
    mask[20:40, 30:60] = True
    image = np.where(mask[:, :, None], 200, 20).astype(np.uint8).repeat(3, axis=2)
    return image, mask


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_image_and_mask_move_together(seed):
    image, mask = random_copy(*scene(), np.random.default_rng(seed))
    bright = image[:, :, 0] > 110
    # Interpolation may shift the border of the object by a pixel, nothing else.
    assert (bright != mask).mean() < 0.05
    assert mask.any()


@given(st.integers(0, 2**32 - 1), st.floats(0, 90), st.floats(0.5, 1), st.floats(1, 2))
@settings(max_examples=50)
def test_ranges_are_kept(seed, rotation, low, high):
    limits = SpatialRange(flip=0.0, rotation=rotation, scale=(low, high))
    matrix = random_affine(SIZE, np.random.default_rng(seed), limits)
    scale = np.sqrt(np.linalg.det(matrix[:, :2]))
    angle = np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0]))
    assert low - 1e-9 <= scale <= high + 1e-9
    assert abs(angle) <= rotation + 1e-6
    centre = np.array([39.5, 29.5, 1])
    assert matrix @ centre == pytest.approx(centre[:2])


def test_a_flip_alone_mirrors_exactly():
    limits = SpatialRange(flip=1.0, rotation=0.0, scale=(1.0, 1.0))
    image, mask = scene()
    image[:, :10] = 77
    moved, inside = warp(image, mask, random_affine(SIZE, np.random.default_rng(0), limits))
    assert np.array_equal(moved, image[:, ::-1])
    assert np.array_equal(inside, mask[:, ::-1])


def test_an_object_that_cannot_stay_is_left_alone():
    image, mask = scene()
    mask[:] = False
    mask[0, 0] = True
    limits = SpatialRange(flip=0.0, rotation=0.0, scale=(2.0, 2.0))
    moved, inside = random_copy(image, mask, np.random.default_rng(0), limits)
    assert np.array_equal(moved, image)
    assert np.array_equal(inside, mask)


def test_one_seed_gives_one_copy():
    a, _ = random_copy(*scene(), np.random.default_rng(5))
    b, _ = random_copy(*scene(), np.random.default_rng(5))
    c, _ = random_copy(*scene(), np.random.default_rng(6))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
