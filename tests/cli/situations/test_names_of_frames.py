"""Frames and masks are paired and ordered by the numbers that people write into their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import FRAMES, SHIFTED, squares, write_frames, write_masks, write_sequence


@pytest.mark.parametrize(
    "name",
    [
        lambda t: f"frame{t}",
        lambda t: f"{t}",
        lambda t: f"cam2_frame{t}_left",
        lambda t: f"{9 + 0.5 * t}",  # seconds: 9.0 to 14.5
        lambda t: f"2026-01-0{1 + t // 6}_12-{t % 6}-5",
    ],
    ids=["frame10", "10", "text around", "seconds", "dates"],
)
def test_frames_are_in_order_of_number(tmp_path: Path, scores, name) -> None:
    count = 12
    write_frames(tmp_path / "data/JPEGImages/a", count, name)
    write_masks(tmp_path / "data/Annotations/a", [squares(1)] * count, name)
    write_masks(tmp_path / "masks/a", [squares(1, shift=2)] * count, name)
    scores("masks", "data", "--output", "scores")
    rows = (tmp_path / "scores/per-frame.csv").read_text().splitlines()[1:]
    assert [row.split(",")[2] for row in rows] == [name(t) for t in range(1, count - 1)]


@pytest.mark.parametrize(("ours", "theirs"), [(0, 1), (1, 0), (0, 1000)])
def test_masks_that_are_counted_from_another_number_are_refused(
    tmp_path: Path, vosbench, ours: int, theirs: int
) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES, lambda t: f"{t + ours:05d}")
    write_masks(tmp_path / "masks/a", [squares(1)] * FRAMES, lambda t: f"{t + theirs:05d}")
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 6
    assert f"every number is off by {theirs - ours:+d}" in result.output
    assert "vosbench import --by-order" in result.output


def test_annotations_that_are_counted_from_another_number_are_refused(
    tmp_path: Path, vosbench
) -> None:
    write_frames(tmp_path / "data/JPEGImages/a")
    write_masks(tmp_path / "data/Annotations/a", [squares(1)] * FRAMES, lambda t: f"{t + 1:05d}")
    for command in (
        ("datasets", "verify", "data"),
        ("evaluate", "--masks", "m", "--dataset", "data"),
    ):
        result = vosbench(*command)
        assert result.exit_code == 3
        assert "off by +1" in result.output


@pytest.mark.parametrize("name", [lambda t: f"{t}", lambda t: f"frame_{t:05d}_mask"])
def test_masks_with_the_same_numbers_in_other_names(tmp_path: Path, scores, name) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1, shift=t) for t in range(FRAMES)])
    write_masks(tmp_path / "masks/a", [squares(1, shift=t + 2) for t in range(FRAMES)], name)
    assert scores("masks", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)


def test_masks_with_names_that_say_nothing_are_refused(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(1)] * FRAMES, lambda t: f"mask-{'abcdef'[t]}")
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 6
    assert "masks mask-a to mask-f in masks/a do not fit frames 00000 to 00005" in result.output


def test_suffixes_in_capitals(tmp_path: Path, scores) -> None:
    write_frames(tmp_path / "data/JPEGImages/a", suffix=".JPG")
    for root, shift in (("data/Annotations", 0), ("masks", 2)):
        for path in sorted(
            write_masks(tmp_path / root / "a", [squares(1, shift=shift)] * FRAMES).iterdir()
        ):
            path.rename(path.with_suffix(".PNG"))
    assert scores("masks", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)


def test_two_images_of_one_frame_are_refused(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    write_frames(tmp_path / "data/JPEGImages/480p/a", 2, lambda t: f"{t}")
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "two images of one frame: 0.jpg, 00000.jpg" in result.output


def test_a_first_mask_of_the_second_frame_is_doubted(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", {1: squares(1)})
    result = vosbench("datasets", "verify", "data")
    assert "the first mask is of the second frame, in a" in result.output


def test_masks_one_folder_further_down_are_pointed_to(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    write_masks(tmp_path / "masks/Annotations/a", [squares(1)] * FRAMES)
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 6
    assert "masks/Annotations holds one" in result.output
    (tmp_path / "masks.zip").write_bytes(b"PK")
    result = vosbench("evaluate", "--masks", "masks.zip", "--dataset", "data")
    assert result.exit_code == 6
    assert "masks.zip is neither a folder nor a .json file" in result.output


def test_masks_of_no_frame_are_named(tmp_path: Path, vosbench, scores) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(1, shift=2)] * (FRAMES + 2))
    document = scores("masks", "data")
    assert document["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)
    assert "a: 2 masks of no frame (00006.png, 00007.png), in masks/a" in document["warnings"]
    write_masks(tmp_path / "data/Annotations/480p/a", {6: squares(1)})
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 0
    assert "masks of no frame of a: 00006.png" in result.output


def test_numbers_below_zero_are_in_order(tmp_path: Path, vosbench) -> None:
    def name(t: int) -> str:
        return f"{t - 3}.{5 * (t % 2)}"

    moving = [squares(1, shift=t) for t in range(FRAMES)]
    write_sequence(tmp_path / "data", "a", moving, name=name)
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "data")
    assert result.exit_code == 0, result.output
    given, later = (
        (tmp_path / "data/Annotations/480p/a" / f"{name(t)}.png").read_bytes() for t in (0, 4)
    )
    masks = tmp_path / "results/data/copy-first/masks/a"
    assert (masks / f"{name(4)}.png").read_bytes() == given != later
