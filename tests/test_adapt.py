"""`vosbench.adapt`: frames as tensors and back, slots, tensors as predictions."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vosbench.adapt
from vosbench import Prediction
from vosbench.adapt import IMAGENET_MEAN, IMAGENET_STD, Slots, fit, label_map
from vosbench.types import Frame

sizes = st.tuples(st.integers(8, 70), st.integers(8, 70))


def frame(size: tuple[int, int], seed: int = 0) -> Frame:
    image = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Frame(image, 0, "00000")


def test_the_examples_in_its_documentation_hold() -> None:
    assert doctest.testmod(vosbench.adapt).failed == 0


@given(sizes, st.integers(1, 32), st.booleans())
@settings(max_examples=40)
def test_without_a_working_size_padding_is_all_that_changes(size, multiple, centred) -> None:
    shown = frame(size)
    fitted = fit(
        shown, "cpu", mean=IMAGENET_MEAN, std=IMAGENET_STD, multiple=multiple, centred=centred
    )
    height, width = fitted.tensor.shape[-2:]
    assert height % multiple == width % multiple == 0
    assert height - size[0] < multiple and width - size[1] < multiple
    inside = fitted.native(fitted.tensor[0]).numpy()
    plain = (shown.image.transpose(2, 0, 1) / 255 - np.reshape(IMAGENET_MEAN, (3, 1, 1))) / (
        np.reshape(IMAGENET_STD, (3, 1, 1))
    )
    np.testing.assert_allclose(inside, plain, atol=1e-5)
    assert float(fitted.tensor.abs().sum()) == pytest.approx(float(np.abs(plain).sum()), rel=1e-4)


@given(sizes, st.integers(4, 60), st.sampled_from([1, 8, 16]))
@settings(max_examples=40)
def test_a_mask_comes_back_where_it_was(size, short_side, multiple) -> None:
    height, width = size
    mask = np.zeros(size, bool)
    mask[height // 4 : height // 2 + 1, width // 3 : width // 2 + 2] = True
    fitted = fit(frame(size), "cpu", short_side=short_side, multiple=multiple)
    assert min(fitted.size) == min(min(size), short_side)
    there = fitted.mask(mask)
    assert there.shape == fitted.tensor.shape[-2:]
    assert there.any()
    back = fitted.native(there[None])[0].numpy()
    assert back.shape == size
    cell = max(native / fit for native, fit in zip(size, fitted.size, strict=True))
    places = np.mgrid[:height, :width]
    found = (places * back).sum((1, 2)) / back.sum()
    np.testing.assert_allclose(found, np.argwhere(mask).mean(0), atol=cell)


@given(sizes, st.integers(8, 64))
@settings(max_examples=20, deadline=None)
def test_a_square_is_a_square_whatever_the_frame_and_comes_back(size, side) -> None:
    fitted = fit(frame(size), "cpu", size=(side, side))
    assert fitted.tensor.shape == (1, 3, side, side)
    left = np.zeros(size, bool)
    left[:, : size[1] // 2] = True
    there = fitted.mask(left)
    edge, pixel = side * (size[1] // 2) / size[1], max(1, side / size[1])
    assert there[:, : int(edge - pixel)].all()
    assert not there[:, int(edge + pixel) + 1 :].any()
    back = fitted.native(there[None])[0].numpy()
    assert back.shape == size
    assert abs(back.mean() - left.mean()) <= 1 / min(side, size[1])


def test_one_pixel_survives_every_working_size() -> None:
    mask = np.zeros((60, 80), bool)
    mask[59, 79] = True
    for short_side in (7, 20, 59):
        fitted = fit(frame((60, 80)), "cpu", short_side=short_side, multiple=16)
        assert fitted.mask(mask).any()
        assert fitted.labels({9: mask}).max() == 9


def test_coarse_maps_of_a_network_come_back_at_native_size() -> None:
    fitted = fit(frame((50, 70)), "cpu", multiple=16, centred=True)
    coarse = torch.zeros(2, fitted.tensor.shape[-2] // 4, fitted.tensor.shape[-1] // 4)
    coarse[1] = 1
    assert fitted.native(coarse.bfloat16()).shape == (2, 50, 70)
    assert float(fitted.native(coarse)[1].min()) == 1


def test_slots_follow_objects_that_come_late() -> None:
    slots = Slots()
    assert slots.add({200: None, 3: None}) == [200, 3]
    assert slots.add([3, 7]) == [7]
    assert (slots[200], slots[3], slots[7], len(slots)) == (0, 1, 2, 3)
    answer = slots.relabelled(np.array([[0, 1], [2, 3]]))
    assert answer.tolist() == [[0, 200], [3, 7]]
    with pytest.raises(KeyError):
        slots[5]


def test_later_objects_lie_over_earlier_ones_in_a_label_map() -> None:
    one, two = np.ones((2, 2), bool), np.eye(2, dtype=bool)
    assert label_map({4: one, 9: two}, (2, 2)).tolist() == [[9, 4], [4, 9]]
    assert label_map({}, (2, 3)).shape == (2, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_tensors_are_taken_wherever_arrays_are(dtype) -> None:
    maps = torch.rand(2, 4, 5, dtype=torch.float32).to(dtype).requires_grad_()
    plain = maps.detach().float().numpy()
    taken = Prediction.from_probabilities((3, 8), maps)
    assert taken.scores is not None
    np.testing.assert_array_equal(taken.scores, plain)
    logits = Prediction.from_logits((3, 8), maps * 4 - 2)
    assert logits.scores is not None and logits.scores.dtype == np.float32
    labels = Prediction.from_labels(torch.tensor([[0, 3], [8, 0]]))
    assert labels.label_map().tolist() == [[0, 3], [8, 0]]
    with pytest.raises(ValueError, match="integers"):
        Prediction.from_labels(maps[0])


def test_softmax_gives_a_pixel_to_the_largest_even_below_one_half() -> None:
    maps = np.array([[[0.3, 0.6]], [[0.4, 0.1]], [[0.3, 0.3]]])
    assert Prediction.from_softmax((5, 7), torch.from_numpy(maps)).label_map().tolist() == [[5, 0]]
    with pytest.raises(ValueError, match="3 channels"):
        Prediction.from_softmax((5, 7), maps[:2])
