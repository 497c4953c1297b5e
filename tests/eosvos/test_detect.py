"""Choice of a detection and pasting of its mask."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.functional import resize

from vosbench_eosvos.detect import choose, near, paste, paste_all
from vosbench_eosvos.model import Detections


def detections(*scored_boxes):
    boxes = torch.tensor([b for _, b in scored_boxes], dtype=torch.float32).reshape(-1, 4)
    scores = torch.tensor([s for s, _ in scored_boxes])
    return Detections(boxes, scores, boxes[:, None], torch.zeros(len(boxes), 1, 8, 8), None)


FAR = (0.9, (60, 60, 80, 80))
NEAR = (0.8, (11, 10, 31, 30))
LAST = (10.0, 10.0, 30.0, 30.0)


def test_the_highest_score_wins_unless_continuity_is_asked_for():
    found = detections(FAR, NEAR)
    assert near(LAST, 0.0)(found.boxes, found.scores).argmax() == 0
    assert near(LAST, 0.5)(found.boxes, found.scores).argmax() == 1
    same = near(LAST, 2.0)(torch.tensor([LAST]), torch.tensor([0.25]))
    assert same.tolist() == [2.25]


def test_the_best_detection_that_scores_enough_is_the_object():
    assert choose(detections(), min_score=0.5) is None
    assert choose(detections((0.4, LAST)), min_score=0.5) is None
    assert choose(detections((0.4, LAST), FAR, NEAR), min_score=0.5) == 1


edge = st.floats(-20, 120)


@given(edge, edge, st.floats(0.01, 150), st.floats(0.01, 150), st.sampled_from([28, 56]))
def test_paste_stays_inside_the_box_and_fills_it(x, y, width, height, side):
    box = torch.tensor([x, y, x + width, y + height])
    out = paste(torch.full((side, side), 3.0), box, (90, 100))
    assert out.shape == (90, 100) and out.dtype == np.float32
    rows, columns = np.nonzero(out)
    assert ((rows + 1 >= y) & (rows <= y + height)).all()
    assert ((columns + 1 >= x) & (columns <= x + width)).all()
    assert np.allclose(out[out > 0], 1 / (1 + np.exp(-3)), atol=1e-6)
    # Every pixel whose centre is inside, by a hair or more, is filled.
    yy, xx = np.mgrid[:90, :100] + 0.5
    hair = 1e-3
    inside = (yy > y + hair) & (yy < y + height - hair) & (xx > x + hair) & (xx < x + width - hair)
    assert (out[inside] > 0).all()


@pytest.mark.parametrize("size", [(28, 28), (100, 70), (56, 61)])
def test_paste_interpolates_as_a_resize_does(size):
    logits = torch.randn(28, 28, generator=torch.Generator().manual_seed(0)) * 3
    out = paste(logits, torch.tensor([0.0, 0.0, size[1], size[0]]), size)
    peer = resize(logits[None], list(size), antialias=False)[0].sigmoid().numpy()
    assert np.allclose(out, peer, atol=1e-4)


@given(st.integers(0, 40), st.integers(0, 40))
def test_paste_moves_with_the_box(dx, dy):
    logits = torch.randn(28, 28, generator=torch.Generator().manual_seed(1))
    at = torch.tensor([5.25, 7.5, 30.75, 41.0])
    out = paste(logits, at, (90, 90))
    moved = paste(logits, at + torch.tensor([dx, dy, dx, dy]), (90, 90))
    assert np.allclose(np.roll(out, (dy, dx), (0, 1)), moved, atol=1e-5)


def test_a_box_outside_the_image_leaves_it_empty():
    assert not paste(torch.ones(28, 28), torch.tensor([-30.0, 5.0, -10.0, 20.0]), (40, 40)).any()


def test_masks_of_several_boxes_are_averaged_where_boxes_are():
    inner, outer = (10.0, 10.0, 20.0, 20.0), (5.0, 5.0, 30.0, 30.0)
    logits = torch.stack([torch.full((28, 28), 4.0), torch.full((28, 28), -1.0)])
    out = paste_all(logits, torch.tensor([inner, outer]), (40, 40))
    sure, unsure = torch.tensor([4.0, -1.0]).sigmoid().tolist()
    assert np.allclose(out[10:20, 10:20], (sure + unsure) / 2, atol=1e-6)
    assert np.allclose(out[5:30, 20:30], unsure, atol=1e-6)
    assert not out[:5].any() and not out[:, 30:].any()


@given(edge, edge, st.floats(0.01, 150), st.floats(0.01, 150))
def test_the_mean_of_one_mask_is_that_mask(x, y, width, height):
    logits = torch.randn(1, 28, 28, generator=torch.Generator().manual_seed(2))
    box = torch.tensor([[x, y, x + width, y + height]])
    assert np.array_equal(paste_all(logits, box, (90, 100)), paste(logits[0], box[0], (90, 100)))
