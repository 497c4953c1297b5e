"""Any folder in DAVIS layout as a dataset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.datasets.registry import open_dataset
from vosbench.errors import DatasetError
from vosbench.plugins import Plugins

from .conftest import blob, write_frame

Write = Callable[..., None]


def test_davis_2017_sequences(data_root: Path, plugins: Plugins) -> None:
    dataset = open_dataset(str(data_root / "DAVIS-2017-240p"), plugins, ())
    assert dataset.name == "DAVIS-2017-240p"
    assert dataset.protocol == "davis2017"
    assert dataset.annotated
    dogs, girls = dataset.sequences
    assert (dogs.name, len(dogs), set(dogs.objects)) == ("dogs-jump", 66, {1, 2, 3})
    assert (girls.name, len(girls), set(girls.objects)) == ("schoolgirls", 80, set(range(1, 8)))
    assert set(dogs.targets(0)) == {1, 2, 3}


@pytest.mark.parametrize("resolution", ["", "480p", "1080p", "tiny"])
def test_with_and_without_a_resolution(
    tmp_path: Path, plugins: Plugins, write_sequence: Write, resolution: str
) -> None:
    write_sequence(tmp_path, "a", {0: blob(1)}, resolution=resolution)
    write_sequence(tmp_path, "b", {0: blob(1), 3: blob(1)}, resolution=resolution)
    dataset = open_dataset(str(tmp_path), plugins, ())
    assert [s.name for s in dataset.sequences] == ["a", "b"]


def test_480p_is_preferred(tmp_path: Path, plugins: Plugins, write_sequence: Write) -> None:
    write_sequence(tmp_path, "a", {0: blob(1)}, resolution="Full-Resolution")
    write_sequence(tmp_path, "a", {0: blob(1)}, resolution="480p")
    sequence = open_dataset(str(tmp_path), plugins, ()).sequences[0]
    assert sequence.frames[0].parts[-3] == "480p"


def test_one_list_gives_sequences_and_order(
    tmp_path: Path, plugins: Plugins, write_sequence: Write
) -> None:
    for name in "abc":
        write_sequence(tmp_path, name, {0: blob(1)})
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/mine.txt").write_text("c\na\n\n")
    dataset = open_dataset(str(tmp_path), plugins, ())
    assert [s.name for s in dataset.sequences] == ["c", "a"]
    (tmp_path / "ImageSets/2017/mine.txt").write_text(
        "/JPEGImages/480p/b/00000.jpg /Annotations/480p/b/00000.png\n"
        "/JPEGImages/480p/b/00001.jpg /Annotations/480p/b/00001.png\n"
    )
    assert [s.name for s in open_dataset(str(tmp_path), plugins, ()).sequences] == ["b"]


@pytest.mark.parametrize("name", ["../a", "..", "x/y", "..\\a"])
def test_list_cannot_leave_the_folder(
    tmp_path: Path, plugins: Plugins, write_sequence: Write, name: str
) -> None:
    write_sequence(tmp_path, "a", {0: blob(1)})
    (tmp_path / "ImageSets").mkdir()
    (tmp_path / "ImageSets/all.txt").write_text(name)
    with pytest.raises(DatasetError, match="no sequence name"):
        open_dataset(str(tmp_path), plugins, ())


def test_objects_start_where_they_first_show(
    tmp_path: Path, plugins: Plugins, write_sequence: Write
) -> None:
    masks = {0: blob(), 1: blob(2), 2: blob(2, 7), 3: blob(7)}
    write_sequence(tmp_path, "late", masks)
    sequence = open_dataset(str(tmp_path), plugins, ()).sequences[0]
    assert sequence.objects == {2: 1, 7: 2}
    assert sequence.targets(0) == {}
    assert set(sequence.targets(2)) == {7}


def test_frames_without_annotation(tmp_path: Path, plugins: Plugins, write_sequence: Write) -> None:
    write_sequence(tmp_path, "sparse", {0: blob(1), 2: blob(1)}, frames=5)
    write_sequence(tmp_path, "first", {0: blob(1)}, frames=5)
    dataset = open_dataset(str(tmp_path), plugins, ())
    sparse = dataset.sequence("sparse")
    assert sorted(sparse.annotations) == [0, 2]
    assert sparse.labels(1) is None
    assert dataset.annotated
    (tmp_path / "Annotations/480p/sparse/00002.png").unlink()
    assert not open_dataset(str(tmp_path), plugins, ()).annotated


def test_void_is_no_object(tmp_path: Path, plugins: Plugins, write_sequence: Write) -> None:
    write_sequence(tmp_path, "a", {0: blob(1, 255), 1: blob(1), 2: blob(1)})
    dataset = open_dataset(str(tmp_path), plugins, ())
    assert dataset.sequences[0].objects == {1: 0}
    assert dataset.protocol == "davis2017"
    labels = dataset.sequences[0].labels(0)
    assert labels is not None
    assert 255 in labels


def test_0_255_is_davis_2016(tmp_path: Path, plugins: Plugins, write_sequence: Write) -> None:
    write_sequence(tmp_path, "a", {0: blob(255), 1: blob(255), 2: blob(255)})
    dataset = open_dataset(str(tmp_path), plugins, ())
    assert dataset.protocol == "davis2016"
    assert dataset.sequences[0].objects == {1: 0}
    assert np.array_equal(dataset.sequences[0].labels(1), blob(1))


def test_one_bit_masks(tmp_path: Path, plugins: Plugins, write_sequence: Write) -> None:
    write_sequence(tmp_path, "a", {0: blob(1)})
    path = tmp_path / "Annotations/480p/a/00000.png"
    Image.fromarray(blob(255)).convert("1").save(path)
    sequence = open_dataset(str(tmp_path), plugins, ()).sequences[0]
    assert np.array_equal(sequence.targets(0)[1], blob(1) == 1)


def test_frames_sort_by_number(tmp_path: Path, plugins: Plugins, write_sequence: Write) -> None:
    write_sequence(tmp_path, "a", {0: blob(1)}, frames=12, digits=1)
    sequence = open_dataset(str(tmp_path), plugins, ()).sequences[0]
    assert [frame.stem for frame in sequence.frames] == [str(i) for i in range(12)]


def test_png_frames_and_stray_files(
    tmp_path: Path, plugins: Plugins, write_sequence: Write
) -> None:
    write_sequence(tmp_path, "a", {0: blob(1)})
    folder = tmp_path / "JPEGImages/480p/a"
    write_frame(folder / "00004.png")
    for stray in (".00001.jpg.part", "Thumbs.db", ".DS_Store", "._00002.jpg"):
        (folder / stray).write_text("stray")
    assert len(open_dataset(str(tmp_path), plugins, ()).sequences[0]) == 5


def test_what_is_wrong_is_said_with_names(
    tmp_path: Path, plugins: Plugins, write_sequence: Write
) -> None:
    with pytest.raises(DatasetError, match="not in DAVIS layout"):
        open_dataset(str(tmp_path), plugins, ())
    write_sequence(tmp_path, "empty-masks", {0: blob()})
    write_sequence(tmp_path, "no-masks", {})
    write_sequence(tmp_path, "broken", {0: blob(1)})
    (tmp_path / "Annotations/480p/broken/00000.png").write_bytes(b"\x89PNG")
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / kind / "480p/no-frames").mkdir()
    with pytest.raises(DatasetError) as error:
        open_dataset(str(tmp_path), plugins, ())
    for name in ("empty-masks", "no-masks", "broken", "no-frames"):
        assert name in error.value.message
