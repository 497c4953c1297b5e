"""Masks with grey levels are smoothed masks or probabilities, never dozens of objects."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from .conftest import FRAMES, squares, write_masks, write_sequence

SOFT = {
    "blurred": cv2.GaussianBlur(squares(255), (0, 0), 3),
    "halved": cv2.resize(
        cv2.resize(squares(255), (67, 33), interpolation=cv2.INTER_AREA), (96, 48)
    ),
    "four levels": cv2.blur(squares(255), (2, 2)),
    "no white": cv2.blur(squares(200), (5, 5)),
    "compressed": cv2.imdecode(
        cv2.imencode(".jpg", squares(255, shift=1), [cv2.IMWRITE_JPEG_QUALITY, 60])[1],
        cv2.IMREAD_GRAYSCALE,
    ),
    "smoothed ids": cv2.blur(squares(5, 9), (5, 5)),
    "noise": (
        np.where(squares(1), 230, 6) + np.random.default_rng(0).integers(0, 20, (48, 96))
    ).astype(np.uint8),
}


@pytest.mark.parametrize("kind", SOFT)
def test_annotations_in_grey_levels_are_refused(tmp_path: Path, vosbench, kind: str) -> None:
    write_sequence(tmp_path / "data", "a", [SOFT[kind]] * FRAMES)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "data/Annotations/480p/a/00000.png holds" in result.output
    assert "grey levels" in result.output


@pytest.mark.parametrize("kind", [kind for kind in SOFT if kind != "smoothed ids"])
def test_predictions_in_grey_levels_are_doubted(tmp_path: Path, vosbench, kind: str) -> None:
    write_sequence(tmp_path / "data", "a", [squares(255)] * FRAMES)
    write_masks(tmp_path / "masks/a", [SOFT[kind]] * FRAMES)
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 0
    assert "grey levels: probabilities, or a smoothed mask?" in result.output
    assert "--threshold" in result.output


def test_ids_are_no_grey_levels(tmp_path: Path, vosbench) -> None:
    rows = np.repeat(np.arange(48)[:, None] // 8, 96, 1)
    many = (rows * 24 + np.arange(96) // 4 + 1).astype(np.uint8)  # 144 objects of 8x4
    border = squares(1, 2)
    border[15, 4:20] = 255
    for name, labels in {"many": many, "border": border, "gaps": squares(38, 75, 113)}.items():
        write_sequence(tmp_path / "data", name, [labels] * FRAMES)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 0, result.output
    assert "many has 144 objects" in result.output


def test_slivers_beside_each_other_are_no_grey_levels(tmp_path: Path, vosbench) -> None:
    labels = squares(1, 2, 3)
    for obj, column in enumerate((40, 44, 60, 82), 4):
        labels[20:30, column] = obj
    write_sequence(tmp_path / "data", "a", [labels] * FRAMES)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 0, result.output


def test_annotations_with_loss_are_called_what_they_are(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(255)] * FRAMES)
    for path in sorted((tmp_path / "data/Annotations/480p/a").iterdir()):
        path.rename(path.with_suffix(".jpg"))
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "but 6 files such as 00000.jpg: masks are PNGs, without loss" in result.output


def test_values_of_a_threshold_map_are_doubted(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(255)] * FRAMES)
    trimap = squares(255)
    trimap[12:36, 0:24][trimap[12:36, 0:24] == 0] = 128
    write_masks(tmp_path / "masks/a", [trimap] * FRAMES)
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert "a: mask 00003 holds the values 128, 255, and all count as the object" in result.output
