"""Thinned frames and packed label maps."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from vosbench.report.frames import share
from vosbench.report.pictures import pack_image, pack_maps, scaled_size, thin


def unpack(data: bytes, count: int, shape: tuple[int, int]) -> list[np.ndarray | None]:
    """The maps again, as the page's program finds them."""
    raw = np.frombuffer(zlib.decompress(data), np.uint8)
    there = raw[:count].astype(bool)
    rows = raw[count:].reshape(shape[0], int(there.sum()), shape[1])
    maps = iter(np.bitwise_xor.accumulate(rows, axis=0).transpose(1, 0, 2))
    return [next(maps) if known else None for known in there]


@given(
    arrays(
        np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=24), elements=st.integers(0, 255)
    ),
    st.data(),
)
def test_label_maps_survive_packing(maps, data):
    missing = data.draw(st.lists(st.booleans(), min_size=len(maps), max_size=len(maps)))
    given_maps = [None if lacks else labels for labels, lacks in zip(maps, missing, strict=True)]
    shape = maps.shape[1:]
    found = unpack(pack_maps(given_maps, shape), len(maps), shape)
    for expected, labels in zip(given_maps, found, strict=True):
        assert (expected is None) == (labels is None)
        if expected is not None:
            np.testing.assert_array_equal(labels, expected)


def test_scaling_invents_no_labels():
    labels = np.random.default_rng(0).choice(np.array([0, 3, 255], np.uint8), (48, 64))
    (small,) = unpack(pack_maps([labels], (12, 16)), 1, (12, 16))
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
    data = pack_image(np.full((48, 64, 3), (200, 40, 40), np.uint8), (24, 32))
    assert data[8:12] == b"WEBP"
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None and image.shape == (24, 32, 3)
    assert np.abs(image[12, 16, ::-1].astype(int) - (200, 40, 40)).max() < 25


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(1, 90), min_size=1),
    st.integers(8, 2000),
    st.integers(1, 8),
)
def test_pictures_are_dealt_out_evenly_and_never_more_than_there_are(lengths, total, least):
    dealt = share(lengths, total, least, sorted(lengths))
    assert sum(dealt.values()) <= total
    assert all(0 < count <= lengths[name] for name, count in dealt.items())
    cut = [count for name, count in dealt.items() if count < lengths[name]]
    assert not cut or max(dealt.values()) - min(cut) <= max(dealt.values()) - max(cut) + 1


def test_where_pictures_do_not_suffice_the_first_in_order_get_some():
    lengths = dict.fromkeys("abcdef", 50)
    assert share(lengths, 16, 8, "fbacde") == {"b": 8, "f": 8}
    assert share(lengths, 60, 8, "fbacde") == dict.fromkeys("abcdef", 10)
