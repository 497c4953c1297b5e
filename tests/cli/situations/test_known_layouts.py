"""A known benchmark given by its path is read by the same rules as by its name."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from .conftest import FRAMES, squares, write_frames, write_masks


def every_fifth(t: int) -> str:
    return f"{5 * t:05d}"


def youtube_vos(root: Path, masks: dict[int, object]) -> None:
    write_frames(root / "JPEGImages/0a", name=every_fifth)
    write_masks(root / "Annotations/0a", masks, every_fifth)  # type: ignore[arg-type]
    objects = {
        "1": {"category": "dog", "frames": ["00000", "00005"]},
        "2": {"category": "unicorn", "frames": ["00010"]},
    }
    (root / "meta.json").write_text(json.dumps({"videos": {"0a": {"objects": objects}}}))


@pytest.mark.parametrize("place", ["YouTube-VOS/2019/valid", "ytvos/valid", "valid", "my-videos"])
def test_youtube_vos(tmp_path: Path, vosbench, scores, place: str) -> None:
    both = [squares(1)] * 2 + [squares(1, 2)] * 4
    given = {0: squares(1), 2: squares(0, 2)}
    youtube_vos(tmp_path / place, given)
    write_masks(tmp_path / "masks/0a", both, every_fifth)
    result = vosbench("pack", "--masks", "masks", "--dataset", place, "--output", "z.zip")
    assert result.exit_code == 0, result.output
    assert zipfile.ZipFile(tmp_path / "z.zip").namelist()[0] == "Annotations/0a/00000.png"
    result = vosbench("evaluate", "--masks", "masks", "--dataset", place)
    assert result.exit_code == 6
    write_masks(tmp_path / place / "Annotations/0a", both, every_fifth)
    document = scores("masks", place)
    assert document["protocol"] == "ytvos"
    assert [row["unseen"] for row in document["objects"]] == [False, True]


@pytest.mark.parametrize("place", ["LVOS/val", "lvos_v2/valid", "val"])
def test_lvos(tmp_path: Path, scores, place: str) -> None:
    root = tmp_path / place
    write_frames(root / "JPEGImages/AAAA")
    masks = [squares(1)] * 2 + [squares(1, 2)] * 4
    write_masks(root / "Annotations/AAAA", masks)
    ranges = {
        "1": {"frame_range": {"start": "00000", "end": "00005"}},
        "2": {"frame_range": {"start": "00002", "end": "00005"}},
    }
    meta = {"videos": {"AAAA": {"objects": ranges}}}
    (root / f"{root.name}_meta.json").write_text(json.dumps(meta))
    document = scores(root / "Annotations", place)
    assert document["protocol"] == "lvos"
    assert "V-Mean" in document["global"]


@pytest.mark.parametrize(
    ("place", "protocol"),
    [("MOSE/train", "davis2017"), ("MOSEv2/train", "mosev2"), ("mose_v2/train", "mosev2")],
)
def test_mose(tmp_path: Path, scores, place: str, protocol: str) -> None:
    write_frames(tmp_path / place / "JPEGImages/aaaa")
    write_masks(tmp_path / place / "Annotations/aaaa", [squares(1, 2)] * FRAMES)
    assert scores(f"{place}/Annotations", place)["protocol"] == protocol


def test_the_servers_sets_say_that_they_are_theirs(tmp_path: Path, vosbench) -> None:
    write_frames(tmp_path / "MOSE/valid/JPEGImages/aaaa")
    write_masks(tmp_path / "MOSE/valid/Annotations/aaaa", [squares(1, 2)])
    result = vosbench("evaluate", "--masks", "MOSE/valid/Annotations", "--dataset", "MOSE/valid")
    assert result.exit_code == 6
    assert "are not public" in result.output


def test_the_folder_above_shows_the_way(tmp_path: Path, vosbench) -> None:
    for split in ("train", "valid"):
        youtube_vos(tmp_path / "YouTube-VOS/2019" / split, {0: squares(1)})
    result = vosbench("datasets", "verify", "YouTube-VOS")
    assert result.exit_code == 3
    assert "YouTube-VOS/2019/train, YouTube-VOS/2019/valid" in result.output
    write_frames(tmp_path / "sav/sav_val/JPEGImages_24fps/a")
    result = vosbench("datasets", "verify", "sav")
    assert "Give one of those inside that have: sav/sav_val." in result.output


@pytest.mark.parametrize("text", ['{"name": "mine"}', "[]", '{"videos": [1]}'])
def test_another_meta_json_makes_no_youtube_vos(tmp_path: Path, vosbench, text: str) -> None:
    write_frames(tmp_path / "valid/JPEGImages/a")
    write_masks(tmp_path / "valid/Annotations/a", [squares(1)] * FRAMES)
    (tmp_path / "valid/meta.json").write_text(text)
    result = vosbench("datasets", "verify", "valid")
    assert result.exit_code == 0, result.output
    assert "meta.json names no objects of videos and is not read" in result.output
    (tmp_path / "valid/meta.json").write_text(text[:-1])
    result = vosbench("datasets", "verify", "valid")
    assert result.exit_code == 3
    assert "valid/meta.json is no metadata of videos" in result.output
