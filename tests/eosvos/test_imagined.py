"""Imagined views: the same object, as it may look later."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vosbench_eosvos.imagined import NEARER, imagined_view


@st.composite
def scenes(draw):
    """A red object on noise, in a frame of any size."""
    height, width = draw(st.integers(40, 200)), draw(st.integers(40, 200))
    h, w = draw(st.integers(8, height)), draw(st.integers(8, width))
    top, left = draw(st.integers(0, height - h)), draw(st.integers(0, width - w))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    image = rng.integers(60, 100, (height, width, 3), dtype=np.uint8)
    mask = np.zeros((height, width), bool)
    mask[top : top + h, left : left + w] = True
    image[mask] = (220, 40, 40)
    return image, mask


@given(scenes(), st.integers(0, 2**31))
def test_a_view_shows_the_object_where_its_mask_says(scene, seed):
    image, mask = scene
    seen, inside = imagined_view(image, mask, np.random.default_rng(seed))
    assert seen.shape == image.shape and seen.dtype == np.uint8
    assert inside.shape == mask.shape and inside.any()
    red = seen[..., 0].astype(int) - seen[..., 1] > 60
    assert (red & inside).sum() >= 0.8 * inside.sum()
    assert inside.sum() <= 1.3 * NEARER**2 * mask.sum()
    again, _ = imagined_view(image, mask, np.random.default_rng(seed))
    assert np.array_equal(seen, again)


def test_a_small_object_is_seen_larger_and_a_large_one_is_not_cut():
    image = np.full((200, 300, 3), 80, np.uint8)
    small, large = np.zeros((2, 200, 300), bool)
    small[90:110, 140:170] = True
    large[20:180, 30:270] = True
    for mask, least, most in ((small, 2.0, 17.0), (large, 0.7, 1.1)):
        views = [imagined_view(image, mask, np.random.default_rng(seed))[1] for seed in range(20)]
        growth = np.array([view.sum() / mask.sum() for view in views])
        assert least <= np.median(growth) and growth.max() <= most
        assert growth.min() > 0.5
