"""Random views of annotated images."""

from __future__ import annotations

import numpy as np

from vosbench_learning.views import View, ViewSettings, affine, paste, random_view, tight_box, warp

VIEW = ViewSettings(size=(96, 128), side=(24.0, 80.0))


def test_a_warp_moves_image_and_masks_alike():
    random = np.random.default_rng(1)
    labels = np.zeros((60, 80), np.uint8)
    labels[20:40, 30:60] = 3
    image = np.where(labels[..., None] == 3, 250, 5).astype(np.uint8).repeat(3, 2)
    for _ in range(20):
        flip = bool(random.integers(2))
        matrix = affine(
            (45, 30), (64, 48), random.uniform(0.5, 2), random.uniform(-40, 40), flip=flip
        )
        view = warp(image, labels, matrix, (96, 128))
        assert view.ids == (3,)
        disagree = (view.image[..., 0] > 127) ^ view.masks[0]
        assert disagree.sum() <= 2  # rounding at the edge only


def test_views_repeat_by_seed_and_keep_the_chosen_object(corpus):
    image, labels = corpus[0]
    for seed in range(10):
        a, b = (random_view(image, labels, VIEW, np.random.default_rng(seed)) for _ in range(2))
        assert (a.image == b.image).all()
        assert a.ids
        assert a.image.shape == (96, 128, 3)
        boxes = a.target()["boxes"]
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_pasting_hides_what_is_behind():
    below = np.zeros((40, 40), bool)
    below[5:35, 5:35] = True
    above = np.zeros((40, 40), bool)
    above[10:30, 20:38] = True
    black, white = np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)
    out = paste(
        View(black, below[None], (4,)), View(white, above[None], (1,)), np.random.default_rng(0)
    )
    assert out.ids == (4, 5)
    assert (out.masks[1] == above).all()
    assert (out.masks[0] == (below & ~above)).all()
    assert out.image[20, 28].tolist() == [255] * 3
    assert tight_box(out.masks[1]) == (20, 10, 38, 30)
