"""DAVIS by name: real data, the usual places on disk, both kinds of mask."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.datasets.davis import SPLITS
from vosbench.datasets.layout import BrokenSequencesError
from vosbench.datasets.registry import find, open_dataset
from vosbench.plugins import Plugins

from .conftest import blob


def test_davis_2016_train(davis_root: Path, plugins: Plugins) -> None:
    dataset = open_dataset("davis16-train", plugins, (davis_root.parent,))
    assert len(dataset.sequences) == 30
    assert sum(map(len, dataset.sequences)) == 2079
    assert dataset.protocol == "davis2016"
    assert dataset.annotated
    assert all(sequence.objects == {1: 0} for sequence in dataset.sequences)
    bear = dataset.sequence("bear")
    assert bear.size == (480, 854)
    assert bear.frame(3).name == "00003"
    labels = bear.labels(0)
    assert labels is not None
    assert set(np.unique(labels)) == {0, 1}
    assert np.array_equal(bear.targets(0)[1], labels == 1)
    assert bear.targets(1) == {}
    assert pickle.loads(pickle.dumps(bear)) == bear


def test_empty_masks_inside_a_sequence(davis_root: Path, plugins: Plugins) -> None:
    bmx = open_dataset("davis16-train", plugins, (davis_root.parent,)).sequence("bmx-bumps")
    empty = sum(not np.any(bmx.labels(index)) for index in range(len(bmx)))
    assert empty == 14
    assert len(bmx.annotations) == len(bmx)


def test_development_splits_divide_the_training_set(davis_root: Path, plugins: Plugins) -> None:
    fit, dev = (
        {s.name for s in open_dataset(name, plugins, (davis_root.parent,)).sequences}
        for name in ("davis16-fit", "davis16-dev")
    )
    assert len(dev) == 6
    assert len(fit) == 24
    assert fit | dev == set(SPLITS["davis16-train"])


def test_counts_are_the_official_ones() -> None:
    counts = {name: len(set(names)) for name, names in SPLITS.items()}
    assert counts["davis16-train"] + counts["davis16-val"] == 50
    assert (counts["davis17-train"], counts["davis17-val"], counts["davis17-test-dev"]) == (
        60,
        30,
        30,
    )
    assert not set(SPLITS["davis17-train"]) & set(SPLITS["davis17-val"])


@pytest.mark.parametrize(
    "place",
    [
        "",
        "DAVIS",
        "davis",
        "DAVIS/2017/trainval",
        "DAVIS/2017",
        "DAVIS-2017-trainval-480p/DAVIS",
        "DAVIS2017",
    ],
)
def test_usual_places(tmp_path: Path, plugins: Plugins, place: str) -> None:
    for name in SPLITS["davis17-val"]:
        (tmp_path / place / "JPEGImages" / "480p" / name).mkdir(parents=True)
    assert find(plugins.datasets["davis17-val"], (tmp_path,)) == tmp_path / place
    assert find(plugins.datasets["davis17-train"], (tmp_path,)) is None


def test_test_dev_beside_trainval(
    tmp_path: Path, plugins: Plugins, write_sequence: Callable[..., None]
) -> None:
    for name in SPLITS["davis17-val"]:
        (tmp_path / "DAVIS/2017/trainval/JPEGImages/480p" / name).mkdir(parents=True)
    home = tmp_path / "DAVIS/2017/test-dev"
    for name in SPLITS["davis17-test-dev"]:
        write_sequence(home, name, {0: blob(1, 2)})
    dataset = open_dataset("davis17-test-dev", plugins, (tmp_path,))
    assert dataset.root == home
    assert not dataset.annotated
    assert dataset.sequences[0].objects == {1: 0, 2: 0}


def test_folder_of_2016_is_preferred_for_2016(tmp_path: Path, plugins: Plugins) -> None:
    for home in ("DAVIS/2017", "DAVIS/2016"):
        for name in SPLITS["davis16-val"]:
            (tmp_path / home / "JPEGImages" / "480p" / name).mkdir(parents=True)
    (tmp_path / "DAVIS/2017/ImageSets/2017").mkdir(parents=True)
    spec = plugins.datasets["davis16-val"]
    assert find(spec, (tmp_path,)) == tmp_path / "DAVIS/2016"
    assert find(spec, (tmp_path / "DAVIS/2017",)) == tmp_path / "DAVIS/2017"


def test_masks_of_0_and_255(
    tmp_path: Path, plugins: Plugins, write_sequence: Callable[..., None]
) -> None:
    for name in SPLITS["davis16-dev"]:
        write_sequence(tmp_path, name, {i: blob(1) for i in range(4)})
        for i in range(4):
            path = tmp_path / "Annotations/480p" / name / f"{i:05d}.png"
            Image.fromarray(blob(255) if i else np.zeros_like(blob())).save(path)
    sequence = open_dataset("davis16-dev", plugins, (tmp_path,)).sequence("tennis")
    assert sequence.objects == {1: 1}, "the first mask is empty: the object starts in the second"
    assert sequence.targets(0) == {}
    assert np.array_equal(sequence.targets(1)[1], blob(1) == 1)


def test_object_that_davis_counts_but_never_shows(
    tmp_path: Path, plugins: Plugins, write_sequence: Callable[..., None]
) -> None:
    for name in SPLITS["davis17-val"]:
        write_sequence(tmp_path, name, {0: blob(1, 3)}, frames=2)
    sequence = open_dataset("davis17-val", plugins, (tmp_path,)).sequences[0]
    assert set(sequence.objects) == {1, 2, 3}
    assert set(sequence.targets(0)) == {1, 3}


def test_missing_sequences_are_all_named(
    tmp_path: Path, plugins: Plugins, write_sequence: Callable[..., None]
) -> None:
    for name in SPLITS["davis17-val"]:
        if name not in ("pigs", "judo"):
            write_sequence(tmp_path, name, {0: blob(1)}, frames=2)
    with pytest.raises(BrokenSequencesError, match=r"judo[\s\S]*pigs") as error:
        open_dataset("davis17-val", plugins, (tmp_path,))
    assert len(error.value.readable) == 28
