"""YouTube-VOS, MOSE and LVOS: late objects, metadata, what is given away and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vosbench.datasets.registry import find, open_dataset
from vosbench.errors import DatasetError
from vosbench.plugins import Plugins

from .conftest import blob

Write = Callable[..., None]


@pytest.fixture
def write_ytvos(write_sequence: Write) -> Callable[..., Path]:
    """A validation set of one video: object 1 from the start, object 2 from frame 10."""

    def write(root: Path, meta: dict[str, Any] | None = None, folder: str = "2019") -> Path:
        valid = root / "YouTube-VOS" / folder / "valid"
        masks = {0: blob(1), 2: blob(2)}
        write_sequence(valid, "video", masks, resolution="", frames=5, step=5)
        every = valid.parent / "valid_all_frames"
        write_sequence(every, "video", {}, resolution="", frames=21)
        if meta is not None:
            (valid / "meta.json").write_text(json.dumps({"videos": {"video": {"objects": meta}}}))
        return valid

    return write


def objects(second: str = "00010") -> dict[str, Any]:
    return {
        "1": {"category": "dog", "frames": ["00000", "00005"]},
        "2": {"category": "ant eater", "frames": [second]},
    }


@pytest.mark.parametrize("meta", [None, objects(), objects("00003")])
def test_late_objects(
    tmp_path: Path, plugins: Plugins, write_ytvos: Callable[..., Path], meta: dict[str, Any] | None
) -> None:
    valid = write_ytvos(tmp_path, meta)
    dataset = open_dataset("ytvos19-valid", plugins, (tmp_path,))
    assert dataset.root == valid
    assert dataset.protocol == "ytvos"
    assert not dataset.annotated
    sequence = dataset.sequences[0]
    assert sequence.objects == {1: 0, 2: 2}
    assert set(sequence.targets(2)) == {2}
    assert sequence.output == ()


def test_unseen_categories(
    tmp_path: Path, plugins: Plugins, write_ytvos: Callable[..., Path]
) -> None:
    write_ytvos(tmp_path, objects())
    meta = open_dataset("ytvos19-valid", plugins, (tmp_path,)).sequences[0].meta
    assert meta["unseen"] == [2]
    assert meta["categories"] == {1: "dog", 2: "ant_eater"}


@pytest.mark.parametrize("sparse_images", [True, False])
def test_all_frames_are_read_and_some_written(
    tmp_path: Path, plugins: Plugins, write_ytvos: Callable[..., Path], sparse_images: bool
) -> None:
    valid = write_ytvos(tmp_path, objects())
    if not sparse_images:
        (valid / "JPEGImages").rename(valid / "elsewhere")
        (valid / "Annotations").rename(valid.parent / "valid_all_frames" / "Annotations")
        (valid / "meta.json").rename(valid.parent / "valid_all_frames" / "meta.json")
    sequence = open_dataset("ytvos19-valid-all-frames", plugins, (tmp_path,)).sequences[0]
    assert len(sequence) == 21
    assert sequence.objects == {1: 0, 2: 10}
    assert sequence.output == (0, 5, 10, 15, 20)


def test_editions_are_told_apart(
    tmp_path: Path, plugins: Plugins, write_ytvos: Callable[..., Path]
) -> None:
    write_ytvos(tmp_path, folder="2018")
    assert find(plugins.datasets["ytvos18-valid"], (tmp_path,)) is not None
    assert find(plugins.datasets["ytvos19-valid"], (tmp_path,)) is None
    for i in range(474):
        (tmp_path / "other/youtube/valid/JPEGImages" / str(i)).mkdir(parents=True)
    assert find(plugins.datasets["ytvos18-valid"], (tmp_path / "other",)) is not None
    assert find(plugins.datasets["ytvos19-valid"], (tmp_path / "other",)) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"videos": 3}', '{"videos": {"video": 1}}'])
def test_broken_metadata_is_named(
    tmp_path: Path, plugins: Plugins, write_ytvos: Callable[..., Path], text: str
) -> None:
    (write_ytvos(tmp_path) / "meta.json").write_text(text)
    with pytest.raises(DatasetError, match=r"meta\.json"):
        open_dataset("ytvos19-valid", plugins, (tmp_path,))


def test_train_is_annotated(tmp_path: Path, plugins: Plugins, write_sequence: Write) -> None:
    home = tmp_path / "YouTube" / "train"
    masks = {i: blob(1) for i in range(4)}
    write_sequence(home, "video", masks, resolution="", step=5)
    dataset = open_dataset("ytvos-train", plugins, (tmp_path,))
    assert dataset.annotated
    assert len(dataset.sequences[0].annotations) == 4


def test_mose_and_its_second_edition(
    tmp_path: Path, plugins: Plugins, write_sequence: Write
) -> None:
    write_sequence(tmp_path / "MOSE/valid", "a", {0: blob(1, 2)}, resolution="")
    write_sequence(tmp_path / "MOSEv2/valid", "b", {0: blob(1), 2: blob(2)}, resolution="")
    first = open_dataset("mose-valid", plugins, (tmp_path,))
    second = open_dataset("mosev2-valid", plugins, (tmp_path,))
    assert (first.sequences[0].objects, first.protocol) == ({1: 0, 2: 0}, "davis2017")
    assert (second.sequences[0].objects, second.protocol) == ({1: 0, 2: 2}, "mosev2")
    assert not first.annotated
    assert find(plugins.datasets["ytvos19-valid"], (tmp_path,)) is None


@pytest.mark.parametrize("place", ["val/val_meta.json", "val_meta.json", None])
def test_lvos(tmp_path: Path, plugins: Plugins, write_sequence: Write, place: str | None) -> None:
    home = tmp_path / "LVOS"
    masks = {i: blob(1) if i < 2 else blob(1, 2) for i in range(4)}
    for name in ("known", "AyYrqCpE"):
        write_sequence(home / "val", name, masks, resolution="", step=5, digits=8)
    ranges = {
        "1": {"frame_range": {"start": "00000000", "end": "00000015", "frame_nums": "4"}},
        "2": {"frame_range": {"start": "00000010", "end": "00000015", "frame_nums": "2"}},
    }
    if place:
        videos = {name: {"objects": ranges} for name in ("known", "AyYrqCpE")}
        (home / place).write_text(json.dumps({"videos": videos}))
    dataset = open_dataset("lvos-val", plugins, (tmp_path,))
    assert dataset.protocol == "lvos"
    assert dataset.annotated
    known, unseen = dataset.sequence("known"), dataset.sequence("AyYrqCpE")
    assert known.objects == {1: 0, 2: 2}
    assert known.meta["unseen"] == []
    assert unseen.meta["unseen"] == [1, 2]
    assert known.meta["ranges"] == ({1: (0, 3), 2: (2, 3)} if place else {})
