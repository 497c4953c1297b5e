"""Submission archives: the layout of each server, and every problem named before it is written."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vosbench.cli import main
from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.reading import read_labels, write_labels
from vosbench.errors import EvaluationError
from vosbench.pack import LAYOUTS, layout_of, pack, problems

SIZE = (12, 20)
LATE = 2


def labels(index: int) -> np.ndarray:
    map_ = np.zeros(SIZE, np.uint8)
    map_[2:6, 1 + index : 6 + index] = 1
    if index >= LATE:
        map_[7:10, 3:9] = 4
    return map_


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Two sequences of five frames; object 4 appears in the third; four frames are asked for."""
    root = tmp_path / "data"
    sequences = []
    for name in ("bear", "camel"):
        frames = []
        for index in range(5):
            frame = root / "JPEGImages" / name / f"{index:05d}.jpg"
            frame.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE[::-1], (index, 9, 9)).save(frame)
            frames.append(frame)
        annotation = root / "Annotations" / name / "00000.png"
        write_labels(annotation, labels(0))
        sequences.append(
            VideoSequence(
                name=name,
                frames=tuple(frames),
                annotations={0: annotation},
                objects={1: 0, 4: LATE},
                output=(0, 2, 3, 4),
            )
        )
    return Dataset(
        name="ytvos18-valid", root=root, sequences=tuple(sequences), protocol="ytvos",
        annotated=False,
    )  # fmt: skip


@pytest.fixture
def masks(dataset: Dataset, tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "masks"
    for sequence in dataset.sequences:
        for index, frame in enumerate(sequence.frames):
            write_labels(folder / sequence.name / f"{frame.stem}.png", labels(index))
    return folder


def names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return archive.namelist()


def test_youtube_vos_layout_holds_the_required_frames_only(
    dataset: Dataset, masks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.zip"
    assert pack(dataset, masks, out, layout_of(dataset)) == 8
    assert names(out) == [
        f"Annotations/{name}/0000{index}.png"
        for name in ("bear", "camel")
        for index in (0, 2, 3, 4)
    ]
    with zipfile.ZipFile(out) as archive:
        packed = archive.read("Annotations/bear/00003.png")
    assert packed == (masks / "bear" / "00003.png").read_bytes()


@pytest.mark.parametrize(
    ("protocol", "first"),
    [
        ("davis2017", "bear/00000.png"),
        ("mosev2", "bear/00000.png"),
        ("lvos", "Annotations/bear/00000.png"),
        ("sav", "bear/001/00000.png"),
    ],
)
def test_each_server_gets_its_layout(
    dataset: Dataset, masks: Path, tmp_path: Path, protocol: str, first: str
) -> None:
    changed = dataclasses.replace(dataset, protocol=protocol)
    pack(changed, masks, tmp_path / "out.zip", layout_of(changed))
    assert names(tmp_path / "out.zip")[0] == first


def test_sa_v_layout_has_a_binary_mask_for_each_object(
    dataset: Dataset, masks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.zip"
    assert pack(dataset, masks, out, LAYOUTS["sav"]) == 16
    with zipfile.ZipFile(out) as archive:
        for obj in (1, 4):
            data = archive.read(f"camel/{obj:03d}/00003.png")
            mask = np.asarray(Image.open(io.BytesIO(data)))
            np.testing.assert_array_equal(mask, labels(3) == obj)


def test_the_same_masks_give_the_same_bytes(dataset: Dataset, masks: Path, tmp_path: Path) -> None:
    pack(dataset, masks, tmp_path / "a.zip", LAYOUTS["davis"])
    copy = tmp_path / "copy"
    shutil.copytree(masks, copy)
    for path in copy.rglob("*.png"):
        os.utime(path, (1, 1))
    pack(dataset, copy, tmp_path / "b.zip", LAYOUTS["davis"])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_all_problems_are_listed_and_nothing_is_written(
    dataset: Dataset, masks: Path, tmp_path: Path
) -> None:
    shutil.rmtree(masks / "camel")
    bear = masks / "bear"
    (bear / "00000.png").unlink()
    write_labels(bear / "00002.png", np.zeros((5, 5), np.uint8))
    (bear / "00004.png").write_bytes((bear / "00004.png").read_bytes()[:40])
    with pytest.raises(EvaluationError) as caught:
        pack(dataset, masks, tmp_path / "out.zip", LAYOUTS["ytvos"])
    found = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    for piece in (
        "camel: no masks",
        "bear: 1 frames missing (00000)",
        "bear/00002.png: is 5x5, its frame 20x12",
        "bear/00004.png:",
    ):
        assert piece in found
    assert not list(tmp_path.glob("*out.zip*"))


def test_unknown_and_early_ids_are_problems(dataset: Dataset, masks: Path) -> None:
    early = labels(0)
    early[0, 0] = 4
    write_labels(masks / "bear" / "00000.png", early)
    strange = labels(3)
    strange[0, 0] = 9
    write_labels(masks / "bear" / "00003.png", strange)
    assert problems(dataset, masks, LAYOUTS["ytvos"]) == [
        "bear/00000.png: has ids [4]; known in this frame are [1]",
        "bear/00003.png: has ids [9]; known in this frame are [1, 4]",
    ]


def test_an_archive_that_is_there_survives_a_failure(
    dataset: Dataset, masks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.zip"
    pack(dataset, masks, out, LAYOUTS["davis"])
    before = out.read_bytes()
    (masks / "bear" / "00000.png").unlink()
    with pytest.raises(EvaluationError):
        pack(dataset, masks, out, LAYOUTS["davis"])
    assert out.read_bytes() == before


def test_command_packs_a_folder_of_masks(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    for index in range(3):
        frame = root / "JPEGImages" / "bear" / f"{index:05d}.jpg"
        frame.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1]).save(frame)
        write_labels(root / "Annotations" / "bear" / f"{index:05d}.png", labels(0))
    masks = root / "Annotations"
    out = tmp_path / "sub" / "x.zip"
    arguments = ["pack", "--dataset", str(root), "--masks", str(masks), "--output", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "3 masks" in result.output
    assert "layout davis" in result.output
    assert names(out)[0] == "bear/00000.png"
    (masks / "bear" / "00001.png").write_bytes(b"")
    broken = tmp_path / "broken"
    shutil.copytree(masks, broken)
    write_labels(masks / "bear" / "00001.png", labels(1))
    arguments[4] = str(broken)
    failed = CliRunner().invoke(main, arguments)
    assert failed.exit_code == 6
    assert "bear/00001.png" in failed.output


def test_command_needs_to_know_what_to_pack() -> None:
    result = CliRunner().invoke(main, ["pack", "--dataset", "demo"])
    assert result.exit_code == 2
    assert "--tracker or --masks" in result.output


def test_packed_masks_read_back(dataset: Dataset, masks: Path, tmp_path: Path) -> None:
    pack(dataset, masks, tmp_path / "out.zip", LAYOUTS["davis"])
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path / "back")
    np.testing.assert_array_equal(read_labels(tmp_path / "back/camel/00002.png"), labels(2))
