"""Lists of sequences, names of sequences, and folders that are none."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from .conftest import FRAMES, SHIFTED, squares, write_frames, write_masks, write_sequence


def names(document: dict) -> list[str]:
    return document["sequences"]


@pytest.mark.parametrize(
    "text",
    [
        b"my video\n",
        b"\xef\xbb\xbfmy video\r\n",
        "my video\n".encode("utf-16"),
        b"/JPEGImages/480p/my video/00000.jpg /Annotations/480p/my video/00000.png\n",
        b"  my video  \n\n",
    ],
)
def test_a_list_names_sequences_with_blanks(tmp_path: Path, scores, text: bytes) -> None:
    for name in ("my", "my video"):
        write_sequence(tmp_path / "data", name, [squares(1)] * FRAMES)
    (tmp_path / "data/ImageSets").mkdir()
    (tmp_path / "data/ImageSets/val.txt").write_bytes(text)
    assert names(scores("data/Annotations/480p", "data")) == ["my video"]


def test_metadata_may_start_with_a_byte_order_mark(tmp_path: Path, scores) -> None:
    write_frames(tmp_path / "data/JPEGImages/a")
    write_masks(tmp_path / "data/Annotations/a", [squares(1, 2)] * FRAMES)
    objects = '{"1": {"category": "dog", "frames": ["00002"]}}'
    text = f'{{"videos": {{"a": {{"objects": {objects}}}}}}}'
    (tmp_path / "data/meta.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    document = scores("data/Annotations", "data")
    assert document["protocol"] == "ytvos"
    assert [row["object"] for row in document["objects"]] == [1]


def test_of_several_lists_one_is_chosen(tmp_path: Path, vosbench, scores) -> None:
    for name in "abc":
        write_sequence(tmp_path / "data", name, [squares(1)] * FRAMES)
    lists = tmp_path / "data/ImageSets/2017"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\n")
    (lists / "val.txt").write_text("b\nc\n")
    (lists / "._val.txt").write_bytes(b"left by a Mac")
    masks = "data/Annotations/480p"
    result = vosbench("evaluate", "--masks", masks, "--dataset", "data")
    assert result.exit_code == 0
    assert "ImageSets holds 2 lists (2017/train.txt, 2017/val.txt) and none is followed" in (
        result.output
    )
    assert "--list" in result.output
    one = ("--list", str(lists / "val.txt"))
    assert names(scores(masks, "data", *one)) == ["b", "c"]
    for both in ((*one, "--sequence", "a"), ("--sequence", "a", *one)):
        assert names(scores(masks, "data", *both)) == ["a", "b", "c"]


def test_run_takes_a_list(tmp_path: Path, vosbench) -> None:
    for name in ("a", "b b"):
        write_sequence(tmp_path / "data", name, [squares(1)] * FRAMES)
    (tmp_path / "mine.txt").write_text("b b\n")
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "data", "--list", "mine.txt")
    assert result.exit_code == 0, result.output
    assert [p.name for p in (tmp_path / "results/data/copy-first/masks").iterdir()] == ["b b"]


@pytest.mark.parametrize(
    "junk",
    [
        "JPEGImages/480p/@eaDir/a.jpg",
        "JPEGImages/480p/__MACOSX/a/._00000.jpg",
        "JPEGImages/480p/a/vis/00000.jpg",
        "JPEGImages/a/vis/00000.jpg",
        "JPEGImages/@eaDir/a/00000.jpg",
        "Annotations/480p/a/@eaDir/00000.png",
        "Annotations/480p/a/vis/00000.png",
        "JPEGImages/480p/.thumbnails/00000.jpg",
        "JPEGImages/480p/empty/notes.txt",
        "JPEGImages/480p/$RECYCLE.BIN/a/00000.jpg",
    ],
)
def test_folders_that_are_no_sequences(tmp_path: Path, scores, junk: str) -> None:
    resolution = "" if junk.startswith("JPEGImages/a") else "480p"
    write_frames(tmp_path / "data/JPEGImages" / resolution / "a")
    write_masks(tmp_path / "data/Annotations" / resolution / "a", [squares(1)] * FRAMES)
    path = tmp_path / "data" / junk
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"junk")
    assert names(scores(tmp_path / "data/Annotations" / resolution, "data")) == ["a"]


def test_several_folders_of_sequences_are_not_guessed_between(tmp_path: Path, vosbench) -> None:
    for split in ("train", "val"):
        write_frames(tmp_path / "data/JPEGImages" / split / "a")
        write_masks(tmp_path / "data/Annotations" / split / "a", [squares(1)] * FRAMES)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "data/JPEGImages holds several folders of sequences: train, val" in result.output


def test_commas_and_quotation_marks_in_names(tmp_path: Path, scores) -> None:
    for name in ("a,b", 'c"d', "[red]e"):
        write_sequence(tmp_path / "data", name, [squares(1)] * FRAMES)
        write_masks(tmp_path / "masks" / name, [squares(1, shift=2)] * FRAMES)
    scores("masks", "data", "--output", "scores")
    with (tmp_path / "scores/per-sequence_results-val.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert [row[0] for row in rows] == ["Sequence", "[red]e_1", "a,b_1", 'c"d_1']
    assert all(row[1] == f"{SHIFTED:.3f}" for row in rows[1:])
    scores("masks", "data", "--protocol", "sav", "--output", "sav")
    with (tmp_path / "sav/results.csv").open(newline="") as stream:
        assert {len(row) for row in csv.reader(stream)} == {5}


def test_only_the_first_masks_are_there(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)])
    result = vosbench("evaluate", "--masks", "data/Annotations/480p", "--dataset", "data")
    assert result.exit_code == 6
    assert "only the first mask of each object" in result.output
    assert "server" not in result.output


def test_brackets_in_names_are_no_markup(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "[bold]", "[b]", [squares(1)] * FRAMES)
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "[bold]")
    assert result.exit_code == 0, result.output
    assert "[bold]" in result.stdout.splitlines()[0]
    latex = vosbench("compare", "--dataset", "[bold]", "--per-sequence", "--format", "latex").stdout
    assert "{[}b]" in latex


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_lists_in_utf_16_without_a_mark(tmp_path: Path, vosbench, encoding: str) -> None:
    for name in ("a", "b"):
        write_sequence(tmp_path / "data", name, [squares(1)] * FRAMES)
    (tmp_path / "data/ImageSets").mkdir()
    (tmp_path / "data/ImageSets/val.txt").write_bytes("b\r\n".encode(encoding))
    result = vosbench("datasets", "verify", "data")
    assert (result.exit_code, "1 sequences" in result.output) == (0, True), result.output


def test_letters_that_are_composed_otherwise_are_the_same(tmp_path: Path, vosbench, scores) -> None:
    """A Mac writes an accent as a letter of its own."""
    write_sequence(tmp_path / "data", "cafe\u0301", [squares(1)] * FRAMES)
    (tmp_path / "data/ImageSets").mkdir()
    (tmp_path / "data/ImageSets/val.txt").write_text("caf\u00e9\n")
    write_masks(tmp_path / "masks/caf\u00e9", [squares(1, shift=2)] * FRAMES)
    assert scores("masks", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)


def test_a_list_that_names_what_is_not_there(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "bear", [squares(1)] * FRAMES)
    (tmp_path / "data/ImageSets").mkdir()
    (tmp_path / "data/ImageSets/val.txt").write_text("bear,\nbear\n")
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "there is no data/JPEGImages/480p/bear,, but bear" in result.output


def test_links_that_lead_nowhere_cost_their_sequence_only(tmp_path: Path, vosbench) -> None:
    for name in ("a", "b", "real"):
        write_sequence(tmp_path / "data", name, [squares(1)] * FRAMES)
    frames = tmp_path / "data/JPEGImages/480p"
    (frames / "real").rename(tmp_path / "real")
    (frames / "real").symlink_to(tmp_path / "real")
    (frames / "b/00003.jpg").unlink()
    (frames / "b/00003.jpg").symlink_to("gone")
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "data", "--no-evaluate")
    assert result.exit_code == 3
    assert "b: data/JPEGImages/480p/b/00003.jpg is a link that leads nowhere" in result.output
    assert "data, 2 of 3 sequences" in result.output


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("jpegimages", "Rename data/jpegimages: capitals count."),
        ("images", "Frames (or SEQUENCE.mp4) belong there"),
    ],
)
def test_other_names_of_the_folder_of_frames(tmp_path: Path, vosbench, name, what: str) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    (tmp_path / "data/JPEGImages").rename(tmp_path / "data" / name)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "it has no JPEGImages/SEQUENCE/" in result.output
    assert what in result.output


def test_an_archive_is_no_folder(tmp_path: Path, vosbench) -> None:
    (tmp_path / "data.zip").write_bytes(b"PK")
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "data.zip")
    assert result.exit_code == 3
    assert "data.zip is a file, not a folder" in result.output


def test_a_preview_among_the_frames_is_doubted(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    frames = tmp_path / "data/JPEGImages/480p/a"
    shutil.copyfile(frames / "00000.jpg", frames / "preview.jpg")
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "data", "--no-evaluate")
    assert (
        "preview.jpg in data/JPEGImages/480p/a: is it a frame? Others have a number"
        in result.output
    )


def test_masks_without_frames_are_named(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    write_masks(tmp_path / "data/Annotations/480p/b", [squares(1)] * FRAMES)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 0
    assert "b in data/Annotations/480p: masks without frames, left out" in result.output
