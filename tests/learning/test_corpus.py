"""Images with instance masks on disk, decoded once."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vosbench.errors import DatasetError
from vosbench_learning.corpus import (
    DEVELOPMENT_SPLIT,
    davis17_sequences,
    davis_sources,
    load_corpus,
    photo_sources,
    resolve_void,
    training_sequences,
    video_sources,
)


def test_corpus_names_what_it_skips_and_comes_back_from_its_cache(training_folders, tmp_path):
    sources = photo_sources(training_folders / "photos")
    first = load_corpus(sources, tmp_path)
    assert len(first) == 4
    assert [s.split(":")[0] for s in first.skipped] == ["broken"]
    stamp = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir() if p.suffix != ".lock"}
    again = load_corpus(sources, tmp_path)
    assert stamp == {p: p.stat().st_mtime_ns for p in stamp}
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


@pytest.fixture
def ytvos(tmp_path):
    """Two videos in YouTube-VOS's layout: every second frame annotated, one object leaves."""
    root = tmp_path / "train"
    random = np.random.default_rng(0)
    for video in ("b1", "a0"):
        for t in range(6):
            image = random.integers(0, 255, (40, 60, 3), dtype=np.uint8)
            path = root / f"JPEGImages/{video}/{t:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
            if t % 2 == 0:
                labels = np.zeros((40, 60), np.uint8)
                labels[5:20, 5:20] = 1
                labels[20:30, 30:50] = 3 if t < 4 else 0
                mask = root / f"Annotations/{video}/{t:05d}.png"
                mask.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(labels).save(mask)
    return root


def test_videos_of_several_objects_need_not_be_kept_decoded(ytvos, tmp_path):
    sources = video_sources(ytvos)
    kept = load_corpus(sources, tmp_path / "kept")
    drawn = load_corpus(sources, tmp_path / "drawn", decoded=False)
    assert kept.sequences() == {"train/a0": [0, 1, 2], "train/b1": [3, 4, 5]}
    assert [item.objects for item in kept.items] == [(1, 3), (1, 3), (1,)] * 2
    assert [(i.name, i.objects) for i in drawn.items] == [(i.name, i.objects) for i in kept.items]
    for index in range(6):
        for one, other in zip(kept[index], drawn[index], strict=True):
            assert np.array_equal(one, other)
    assert sum(p.stat().st_size for p in (tmp_path / "drawn").iterdir()) < 3000
    with pytest.raises(DatasetError, match="no annotated videos"):
        video_sources(tmp_path / "kept")


def test_davis_2017_lists_its_sequences(training_folders, tmp_path):
    with pytest.raises(DatasetError, match=r"ImageSets/2017/train\.txt"):
        davis17_sequences(training_folders / "davis")
    [first, *_] = video_sources(training_folders / "davis", sequences=["tennis"])
    assert first.image == training_folders / "davis/JPEGImages/480p/tennis/00000.jpg"
