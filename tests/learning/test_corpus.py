"""Images with instance masks on disk, decoded once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vosbench.errors import DatasetError
from vosbench_learning.corpus import (
    DEVELOPMENT_SPLIT,
    davis_sources,
    load_corpus,
    photo_sources,
    resolve_void,
    training_sequences,
)


def test_corpus_names_what_it_skips_and_comes_back_from_its_cache(training_folders, tmp_path):
    sources = photo_sources(training_folders / "photos")
    first = load_corpus(sources, tmp_path)
    assert len(first) == 4
    assert [s.split(":")[0] for s in first.skipped] == ["broken"]
    stamp = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    again = load_corpus(sources, tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == stamp
    assert again.skipped == first.skipped
    image, labels = again[2]
    with Image.open(sources[3].image) as file:
        assert (image == np.asarray(file)).all()
    assert again.items[2].objects == (1, 2) == tuple(np.unique(labels)[1:])


def test_davis_masks_are_one_object_and_the_split_is_held_out(training_folders, tmp_path):
    assert training_sequences(training_folders / "davis") == ["alpha"]
    assert training_sequences(training_folders / "davis", everything=True) == ["alpha", "tennis"]
    corpus = load_corpus(davis_sources(training_folders / "davis", ["alpha"]), tmp_path)
    assert corpus.sequences() == {"alpha": [0, 1, 2, 3]}
    assert set(np.unique(corpus[0][1])) == {0, 1}
    with pytest.raises(DatasetError, match="beta"):
        davis_sources(training_folders / "davis", ["beta"])


def test_training_on_real_davis_leaves_out_the_development_split(davis_root):
    names = training_sequences(davis_root)
    assert len(names) == 24
    assert not set(names) & set(DEVELOPMENT_SPLIT)


def test_void_band_is_split_between_its_neighbours():
    labels = np.zeros((20, 40), np.uint8)
    labels[:, 10:] = 255
    labels[:, 14:] = 1
    resolved = resolve_void(labels)
    assert (resolved[:, :12] == 0).all()
    assert (resolved[:, 12:] == 1).all()
    labels[:, 14:] = 255
    assert not resolve_void(labels)[:, 20:].any()
