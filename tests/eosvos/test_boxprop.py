"""Box propagation, by properties."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vosbench_eosvos.boxprop import propagate, tight_box

SIZE = (48, 64)


@st.composite
def boxes(draw):
    x1, x2 = sorted(draw(st.lists(st.integers(0, SIZE[1]), min_size=2, max_size=2, unique=True)))
    y1, y2 = sorted(draw(st.lists(st.integers(0, SIZE[0]), min_size=2, max_size=2, unique=True)))
    return float(x1), float(y1), float(x2), float(y2)


def draw(box, copies=20, seed=0, **kwargs):
    return propagate(box, copies, SIZE, torch.Generator().manual_seed(seed), **kwargs)


@given(arrays(bool, (9, 12)))
def test_tight_box_holds_the_mask_and_touches_it_on_every_side(mask):
    box = tight_box(mask)
    if not mask.any():
        assert box is None
        return
    x1, y1, x2, y2 = map(int, box)
    assert mask[y1:y2, x1:x2].sum() == mask.sum()
    inside = mask[y1:y2, x1:x2]
    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


@given(boxes(), st.integers(0, 100), st.floats(0, 1))
def test_copies_hold_the_box_and_grow_by_no_more_than_asked(box, seed, amount):
    found = draw(box, seed=seed, amount=amount)
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    assert found.shape == (20, 4)
    assert (found[:, 0] <= x1).all() and (found[:, 1] <= y1).all()
    assert (found[:, 2] >= x2).all() and (found[:, 3] >= y2).all()
    slack = 1e-3
    assert (found[:, 0] >= x1 - amount * width - slack).all()
    assert (found[:, 3] <= y2 + amount * height + slack).all()


@given(boxes(), st.integers(0, 100))
def test_copies_stay_inside_the_image_and_begin_with_the_box(box, seed):
    found = draw(box, seed=seed)
    assert found[0].tolist() == list(box)
    assert (found >= 0).all()
    assert (found[:, 2] <= SIZE[1]).all() and (found[:, 3] <= SIZE[0]).all()


def test_sides_move_independently_and_one_seed_gives_one_answer():
    box = (20.0, 15.0, 40.0, 30.0)
    assert torch.equal(draw(box, seed=3), draw(box, seed=3))
    assert not torch.equal(draw(box, seed=3), draw(box, seed=4))
    left = 20 - draw(box, copies=200)[:, 0]
    right = draw(box, copies=200)[:, 2] - 40
    assert abs(np.corrcoef(left[1:], right[1:])[0, 1]) < 0.3
