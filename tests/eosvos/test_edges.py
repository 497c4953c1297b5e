"""The filter that lets outlines follow edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vosbench_eosvos.edges import follow_edges


def disc(size, centre, radius):
    y, x = np.mgrid[: size[0], : size[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2


def scene(size=(240, 320), seed=0):
    """A disc on a background of another colour, both textured, and its mask."""
    inside = disc(size, (120, 160), 60)
    image = np.where(inside[..., None], (170, 90, 60), (60, 100, 150)).astype(float)
    image += np.random.default_rng(seed).normal(0, 8, image.shape)
    return image.clip(0, 255).astype(np.uint8), inside


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize(
    "wrong",
    [disc((240, 320), (120, 160), 57), disc((240, 320), (120, 160), 63),
     disc((240, 320), (121, 163), 60)],
    ids=["too small", "too large", "moved"],
)  # fmt: skip
def test_an_outline_a_few_pixels_off_moves_to_the_edge(wrong):
    image, truth = scene()
    better = follow_edges(image, wrong.astype(np.float32)) > 0.5
    assert 1 - iou(better, truth) < (1 - iou(wrong, truth)) / 2


def test_a_right_outline_stays():
    image, truth = scene()
    assert iou(follow_edges(image, truth.astype(np.float32)) > 0.5, truth) > 0.99


def test_without_edges_a_mask_keeps_its_place():
    flat = np.full((240, 320, 3), 90, np.uint8)
    mask = disc((240, 320), (120, 160), 60)
    assert iou(follow_edges(flat, mask.astype(np.float32)) > 0.5, mask) > 0.97


def test_nothing_appears_far_from_the_object():
    image, _ = scene()
    mask = disc((240, 320), (60, 80), 15).astype(np.float32)
    assert not follow_edges(image, mask)[140:].any()
    assert not follow_edges(image, np.zeros_like(mask)).any()


def test_the_same_scene_at_twice_the_size_gives_the_same_mask():
    image, truth = scene()
    wrong = disc((240, 320), (120, 160), 56)
    once = follow_edges(image, wrong.astype(np.float32)) > 0.5
    large = [np.kron(a, np.ones((2, 2, 1)[: a.ndim], a.dtype)) for a in (image, wrong)]
    twice = follow_edges(large[0], large[1].astype(np.float32)) > 0.5
    assert iou(twice[::2, ::2], once) > 0.97
    assert iou(once, truth) > iou(wrong, truth)


@settings(max_examples=30)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    data=st.data(),
)
def test_probabilities_stay_probabilities(size, data):
    image = data.draw(arrays(np.uint8, (*size, 3)))
    values = data.draw(arrays(np.float32, size, elements=st.floats(0, 1, width=32)))
    out = follow_edges(image, values)
    assert out.shape == size
    assert out.dtype == np.float32
    assert ((out >= 0) & (out <= 1)).all()
