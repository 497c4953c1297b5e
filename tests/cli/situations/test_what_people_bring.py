"""Masks in other forms: a folder for each object, run-length codes, probabilities, a video."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from vosbench.datasets import rle

from .conftest import FRAMES, SHIFTED, SIZE, squares, write_frames, write_masks, write_sequence

GOLDEN = Path(__file__).parents[2] / "golden/coco_rle/expected.json"
CODES = json.loads(GOLDEN.read_text())["masks"]


def overlapping(shift: int = 0) -> dict[str, np.ndarray]:
    """Two objects of which the second covers half of the first."""
    one, two = squares(1, shift=shift), np.zeros(SIZE, np.uint8)
    two[16:32, 12 + shift : 28 + shift] = 1
    return {"000": one, "001": two}


def write_apart(root: Path, sequence: str, shift: int = 0, value: int = 255) -> None:
    for name, mask in overlapping(shift).items():
        write_masks(root / sequence / name, [mask * value] * FRAMES)


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    """A dataset with one folder for each object, as SA-V is distributed."""
    write_frames(tmp_path / "sav_val/JPEGImages_24fps/sav_1")
    write_apart(tmp_path / "sav_val/Annotations_6fps", "sav_1")
    write_apart(tmp_path / "masks", "sav_1", shift=2, value=1)
    return tmp_path / "sav_val"


def test_a_folder_for_each_object_is_read_and_scored(apart: Path, scores) -> None:
    document = scores("masks", "sav_val")
    assert document["protocol"] == "sav"
    assert [row["J-Mean"] for row in document["objects"]] == pytest.approx([SHIFTED] * 2)
    assert [row["name"] for row in document["objects"]] == ["000", "001"]


def test_such_datasets_are_run_and_imported(apart: Path, vosbench, tmp_path: Path) -> None:
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "sav_val")
    assert result.exit_code == 0, result.output
    result = vosbench("import", "masks", "--name", "theirs", "--dataset", "sav_val", "--fps", "20")
    assert result.exit_code == 0, result.output
    assert f"J {SHIFTED:.3f}" in result.stdout
    table = vosbench("compare", "--dataset", "sav_val", "--format", "json").stdout
    assert "theirs" in table
    assert "copy-first" in table
    shown = vosbench("show", "--dataset", "sav_val", "--tracker", "theirs", "--frames", "2")
    assert shown.exit_code == 0, shown.output
    packed = vosbench("pack", "--dataset", "sav_val", "--tracker", "theirs", "--output", "sav.zip")
    assert packed.exit_code == 0, packed.output
    refused = vosbench("pack", "--dataset", "sav_val", "--tracker", "theirs", "--layout", "davis")
    assert refused.exit_code == 6
    assert "has objects that overlap, and the layout davis cannot hold them" in refused.output


@pytest.mark.parametrize("layout", ["sav", "coco"])
def test_what_pack_wrote_is_read_back(tmp_path: Path, vosbench, scores, layout: str) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1, 2)] * 3 + [squares(1, 2, 7)] * 3)
    truth = {t: squares(1, 2, *((7,) if t >= 3 else ()), shift=2) for t in range(FRAMES)}
    write_masks(tmp_path / "masks/a", truth)
    before = scores("masks", "data")
    output = tmp_path / ("packed.json" if layout == "coco" else "packed.zip")
    result = vosbench(
        *("pack", "--masks", "masks", "--dataset", "data", "--layout", layout, "--output", output)
    )
    assert result.exit_code == 0, result.output
    back = output
    if layout == "sav":
        back = tmp_path / "back"
        zipfile.ZipFile(output).extractall(back)
    assert scores(back, "data")["objects"] == before["objects"]


def test_objects_that_nobody_gave_and_masks_that_are_missing_are_named(
    apart: Path, vosbench, tmp_path: Path
) -> None:
    (tmp_path / "masks/sav_1/001/00003.png").unlink()
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "sav_val")
    assert result.exit_code == 6
    assert "1 frame (00003) of object 001 missing" in result.output
    shutil.copytree(tmp_path / "masks/sav_1/000", tmp_path / "masks/sav_1/002")
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "sav_val")
    assert "folders of unknown objects: 002" in result.output


@pytest.mark.parametrize("name", CODES)
def test_run_length_codes_are_those_of_coco(name: str) -> None:
    expected = CODES[name]
    mask = rle.decode({"size": expected["size"], "counts": expected["counts_uncompressed"]})
    assert mask.shape == tuple(expected["size"])
    assert int(mask.sum()) == expected["area"]
    assert np.array_equal(rle.decode(expected), mask)
    assert rle.encode(mask) == {"size": expected["size"], "counts": expected["counts"]}


def codes_of(masks: list[np.ndarray]) -> list[dict]:
    return [rle.encode(mask) for mask in masks]


def test_results_of_youtube_vis_and_of_coco(tmp_path: Path, scores) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1, 2)] * FRAMES)
    codes = {o: codes_of([squares(1, 2, shift=2) == o] * FRAMES) for o in (1, 2)}
    videos = [{"video_id": "a", "object_id": o, "segmentations": codes[o]} for o in (1, 2)]
    images = [
        {"image_id": f"a/{t:05d}", "object_id": o, "segmentation": codes[o][t]}
        for o in (1, 2)
        for t in range(FRAMES)
    ]
    for entries in (videos, images):
        (tmp_path / "theirs.json").write_text(json.dumps(entries))
        assert scores("theirs.json", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED)
        (tmp_path / "theirs.json").unlink()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ({"size": [48, 96], "counts": [1, 2]}, "its runs do not fill 96x48 pixels"),
        ({"size": [48, 96], "counts": "zzzz"}, "it is no run-length code"),
        ({"size": [48, 96], "counts": [5000, -392]}, "its runs do not fill 96x48 pixels"),
        ({"counts": [1]}, "it is no run-length code"),
        ([[0, 0, 5, 5, 0, 5]], "it is no run-length code"),
    ],
)
def test_codes_that_are_broken_are_refused(tmp_path: Path, vosbench, code, what: str) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    entries = [{"video_id": "a", "segmentations": [code] * FRAMES}]
    (tmp_path / "theirs.json").write_text(json.dumps(entries))
    result = vosbench("evaluate", "--masks", "theirs.json", "--dataset", "data")
    assert result.exit_code == 6
    assert what in result.output


def test_probabilities_are_cut_by_threshold(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(255)] * FRAMES)
    noise = np.random.default_rng(0).integers(0, 20, SIZE)
    soft = [(np.where(squares(1, shift=2), 230, 6) + noise).astype(np.uint8)] * FRAMES
    for t, values in enumerate(soft):
        (tmp_path / "soft/a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(tmp_path / f"soft/a/{t:05d}.png")
    command = ("import", "soft", "--name", "theirs", "--dataset", "data")
    result = vosbench(*command)
    assert result.exit_code == 6
    assert "--threshold 0.5" in result.output
    assert not (tmp_path / "results/data/theirs").exists()
    result = vosbench(*command, "--threshold", "0.5")
    assert result.exit_code == 0, result.output
    assert f"J {SHIFTED:.3f}" in result.stdout


def test_masks_in_another_order_of_names_are_imported(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1, shift=t) for t in range(FRAMES)])
    masks = [squares(1, shift=t + 2) for t in range(FRAMES)]
    write_masks(tmp_path / "masks/a", masks, lambda t: f"{t + 1}")
    command = ("import", "masks", "--name", "theirs", "--dataset", "data", "--by-order")
    result = vosbench(*command)
    assert result.exit_code == 0, result.output
    assert f"J {SHIFTED:.3f}" in result.stdout
    result = vosbench(*command)
    assert result.exit_code == 5
    assert "there is a run results/data/theirs already" in result.output
    assert vosbench(*command, "--fresh").exit_code == 0


def test_stated_speed_is_shown_and_not_ranked(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(1, shift=2)] * FRAMES)
    for name, more in (("slow", ("--fps", "12.5")), ("unknown", ())):
        result = vosbench("import", "masks", "--name", name, "--dataset", "data", *more)
        assert result.exit_code == 0, result.output
    table = vosbench("compare", "--dataset", "data").stdout
    assert "(12.5)" in table
    assert "stated when the masks were imported, not measured" in table
    report = vosbench("report", "--dataset", "data", "--output", "page.html")
    assert report.exit_code == 0, report.output


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (("--name", "a/b"), "make the name of a run"),
        (("--name", ".."), "make the name of a run"),
        (("--name", "x", "--fps", "0"), "--fps must be above 0"),
        (("--name", "x", "--fps", "nan"), "--fps must be above 0"),
        (("--name", "x", "--threshold", "128"), "--threshold must lie in 0..1"),
    ],
)
def test_what_import_cannot_take(tmp_path: Path, vosbench, more, what: str) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    result = vosbench("import", "data/Annotations/480p", "--dataset", "data", *more)
    assert result.exit_code == 2
    assert what in result.output


def test_everything_wrong_with_imported_masks_is_named_at_once(tmp_path: Path, vosbench) -> None:
    for name in "abc":
        write_sequence(tmp_path / "data", name, [squares(1)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(1)] * 3)
    write_masks(tmp_path / "masks/b", [squares(9)] * FRAMES)
    result = vosbench("import", "masks", "--name", "theirs", "--dataset", "data")
    assert result.exit_code == 6
    assert "a: 2 frames missing (00003, 00004)" in result.output
    assert "b: mask of frame 00000 has ids that no object has: 9; its objects are [1]" in (
        result.output
    )
    assert "c: there are no masks of it in masks" in result.output
    assert not list((tmp_path / "results/data").iterdir())


def test_pack_turns_grey_into_palette(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1, 2)] * FRAMES)
    (tmp_path / "masks/a").mkdir(parents=True)
    for t in range(FRAMES):
        Image.fromarray(squares(1, 2)).save(tmp_path / f"masks/a/{t:05d}.png")
    result = vosbench("pack", "--masks", "masks", "--dataset", "data", "--output", "s.zip")
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(tmp_path / "s.zip") as archive, archive.open("a/00003.png") as stream:
        image = Image.open(stream)
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), squares(1, 2))


def write_video(path: Path, frames: int = FRAMES) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (96, 48))
    for t in range(frames):
        writer.write(np.full((48, 96, 3), 40 * t, np.uint8))
    writer.release()


@pytest.mark.parametrize("place", ["480p/a.mp4", "a.mp4", "480p/a/film.mp4", "480p/a.MP4"])
def test_a_video_is_the_frames_of_a_sequence(
    tmp_path: Path, vosbench, scores, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    write_video(tmp_path / "film.mp4")
    target = tmp_path / "data/JPEGImages" / place
    target.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "film.mp4").rename(target)
    write_masks(tmp_path / "data/Annotations/a", [squares(1, shift=t) for t in range(FRAMES)])
    write_masks(tmp_path / "masks/a", [squares(1, shift=t + 2) for t in range(FRAMES)])
    assert scores("masks", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED)
    (frames,) = (tmp_path / "cache/videos").iterdir()
    written = {path: path.stat().st_mtime_ns for path in frames.iterdir()}
    assert len(written) == FRAMES
    assert vosbench("datasets", "verify", "data").exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in frames.iterdir()} == written


def test_a_video_that_cannot_be_decoded_is_refused(tmp_path: Path, vosbench) -> None:
    path = tmp_path / "data/JPEGImages/480p/a.mp4"
    write_video(path)
    write_masks(tmp_path / "data/Annotations/480p/a", [squares(1)])
    path.write_bytes(path.read_bytes()[:200])
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "a.mp4 cannot be decoded as a video" in result.output
    result = vosbench("run", "--tracker", "copy-first", "--dataset", path)
    assert result.exit_code == 3
    assert "is a video, not a dataset" in result.output


def test_masks_of_annotated_frames_alone_are_imported_in_order(tmp_path: Path, vosbench) -> None:
    write_frames(tmp_path / "data/JPEGImages/a", 11)
    write_masks(tmp_path / "data/Annotations/a", {t: squares(1, shift=t) for t in (0, 5, 7, 10)})
    masks = {i: squares(1, shift=t + 2) for i, t in enumerate((0, 5, 7, 10))}
    write_masks(tmp_path / "masks/a", masks)
    command = ("import", "masks", "--name", "theirs", "--dataset", "data", "--by-order")
    result = vosbench(*command)
    assert result.exit_code == 0, result.output
    assert f"J {SHIFTED:.3f}" in result.stdout


def test_annotations_as_run_length_codes(tmp_path: Path, vosbench, scores) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1, 2)] * 3 + [squares(1)] * 3)
    masks = tmp_path / "data/Annotations/480p"
    write_masks(tmp_path / "masks/a", [squares(1, 2, shift=2)] * 3 + [squares(1, shift=2)] * 3)
    before = scores("masks", "data", "--protocol", "objects")
    command = ("pack", "--masks", masks, "--dataset", "data", "--layout", "coco")
    assert vosbench(*command, "--output", tmp_path / "data/annotations.json").exit_code == 0
    shutil.rmtree(tmp_path / "data/Annotations")
    assert scores("masks", "data", "--protocol", "objects")["objects"] == before["objects"]
    assert vosbench("datasets", "verify", "data").exit_code == 0
    (tmp_path / "data/annotations.json").write_text('{"annotations": [{"video_id": 1}]}')
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "holds no masks as COCO's run-length codes" in result.output


@pytest.mark.parametrize("name", ["..", "../a", "a/b"])
def test_names_in_codes_stay_inside(tmp_path: Path, vosbench, name: str) -> None:
    write_frames(tmp_path / "data/JPEGImages/480p/a")
    entry = {"image_id": f"{name}/00000", "segmentation": rle.encode(squares(1))}
    (tmp_path / "data/annotations.json").write_text(json.dumps([entry]))
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert f"{name!r} is no name of a video" in result.output


def test_two_codes_of_one_object_are_refused(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    code = {"size": [48, 96], "counts": [0, 48, 48 * 95]}
    entry = {"video_id": "a", "object_id": 1, "segmentations": [code] * FRAMES}
    for entries, expected in ([entry], 0), ([entry, entry], 6):
        (tmp_path / "masks.json").write_text(json.dumps(entries))
        result = vosbench("evaluate", "--masks", "masks.json", "--dataset", "data")
        assert result.exit_code == expected, result.output
    assert "two masks of object 1 in frame 0" in result.output


def test_a_video_beside_frames_of_its_name_is_refused(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    (tmp_path / "data/JPEGImages/480p/a.mp4").write_bytes(b"")
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "data/JPEGImages/480p holds a more than once: a, a.mp4" in result.output
