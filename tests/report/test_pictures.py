"""Thinned frames and packed label maps."""

from __future__ import annotations

import base64

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vosbench.report.content import Thinning
from vosbench.report.pictures import pack_labels, picture_address, scaled_size, thin


def unpack(text: str, shape: tuple[int, ...]) -> np.ndarray:
    data, runs, at = base64.b64decode(text), [], 0
    while at < len(data):
        label, length, shift = data[at], 0, 0
        while True:
            at += 1
            length |= (data[at] & 127) << shift
            shift += 7
            if data[at] < 128:
                break
        at += 1
        runs.append(np.full(length, label, np.uint8))
    return np.concatenate(runs).reshape(shape)


@given(
    arrays(
        np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 255)
    )
)
def test_label_maps_survive_packing(labels):
    np.testing.assert_array_equal(unpack(pack_labels(labels, labels.shape), labels.shape), labels)


def test_long_runs_survive_packing():
    labels = np.zeros((1100, 2000), np.uint8)
    labels[1000:, 3:] = 255
    np.testing.assert_array_equal(unpack(pack_labels(labels, labels.shape), labels.shape), labels)


def test_scaling_invents_no_labels():
    labels = np.random.default_rng(0).choice(np.array([0, 3, 255], np.uint8), (48, 64))
    small = unpack(pack_labels(labels, (12, 16)), (12, 16))
    assert set(np.unique(small)) <= {0, 3, 255}


@given(st.lists(st.integers(0, 500), unique=True, min_size=1).map(sorted), st.integers(2, 30))
def test_thinning_keeps_both_ends_and_what_it_is_told(indices, count):
    kept = thin(indices, count, keep={indices[len(indices) // 2], 10_000})
    assert kept == sorted(set(kept)) and set(kept) <= set(indices)
    assert {indices[0], indices[-1], indices[len(indices) // 2]} <= set(kept)
    assert len(kept) <= count + 1
    gaps = np.diff([indices.index(i) for i in kept])
    assert len(indices) <= count or gaps.max() <= -(-len(indices) // (count - 1))


def test_nothing_is_thinned_to_nothing():
    assert thin([], 24) == []


def test_pictures_are_never_enlarged():
    assert scaled_size(480, 854, 480) == (270, 480)
    assert scaled_size(100, 200, 480) == (100, 200)


def test_a_picture_is_a_webp_of_the_size_asked_for():
    address = picture_address(np.full((48, 64, 3), (200, 40, 40), np.uint8), (24, 32))
    kind, _, data = address.partition(",")
    assert kind == "data:image/webp;base64"
    import cv2

    image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None and image.shape == (24, 32, 3)
    assert np.abs(image[12, 16, ::-1].astype(int) - (200, 40, 40)).max() < 25


def test_many_sequences_get_fewer_pictures_each_and_then_only_some_get_any():
    thinning = Thinning(frames=24, total=1000, least=8)
    assert thinning.share(30) == (30, 24)
    assert thinning.share(100) == (100, 10)
    assert thinning.share(474) == (125, 8)
