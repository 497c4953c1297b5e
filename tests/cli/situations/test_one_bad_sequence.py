"""A sequence that is too short, missing, broken or starts empty costs itself only; a scoring
process that is killed is one clear line."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path

import pytest

from vosbench import evaluation

from .conftest import FRAMES, SHIFTED, squares, write_frames, write_masks, write_sequence

DAVIS = ("--protocol", "davis2017")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A dataset with one good sequence, a, and predictions of it."""
    write_sequence(tmp_path / "data", "a", [squares(1, 2)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(1, 2, shift=2)] * FRAMES)
    return tmp_path / "data"


def scored(output: str) -> dict:
    return json.loads(output)[0]["scores"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_short_sequence_is_named_and_the_others_are_scored(
    good: Path, vosbench, count: int
) -> None:
    write_frames(good / "JPEGImages/480p/b", count)
    write_masks(good / "Annotations/480p/b", [squares(1)] * count)
    write_masks(good.parent / "masks/b", [squares(1)] * count)
    command = ("evaluate", "--masks", "masks", "--dataset", "data", *DAVIS)
    result = vosbench(*command)
    assert result.exit_code == 6
    assert "data, 1 of 2 sequences, protocol davis2017, without b" in result.stdout
    assert f"b: {count} annotated frames leave none to score" in result.output
    assert "--skip b" in result.output
    scores = scored(vosbench(*command, "--json").stdout.partition("\nwarning")[0])
    assert scores["missing"] == ["b"]
    assert scores["global"]["J-Mean"] == pytest.approx(SHIFTED)
    skipped = vosbench(*command, "--skip", "b")
    assert skipped.exit_code == 0
    assert "data, 1 of 2 sequences, protocol davis2017\n" in skipped.stdout


def test_a_run_goes_on_where_a_first_mask_is_empty(good: Path, vosbench) -> None:
    write_sequence(good, "b", [squares(), *[squares(1)] * (FRAMES - 1)])
    command = ("run", "--tracker", "copy-first", "--dataset", "data")
    assert vosbench(*command).exit_code == 0  # folders: scored from the first mask on
    result = vosbench(*command, *DAVIS, "--results", "official")
    assert result.exit_code == 6
    assert "data, 1 of 2 sequences, without b" in result.stdout
    assert "b: there is no object in the first annotation" in result.output
    shown = vosbench("evaluate", "official/data/copy-first", "--skip", "b")
    assert shown.exit_code == 0
    assert "data, 1 of 2 sequences" in shown.stdout


@pytest.mark.parametrize("broken", ["no masks", "no frames", "damaged"])
def test_a_broken_sequence_does_not_stop_the_others(good: Path, vosbench, broken: str) -> None:
    write_sequence(good, "b", [squares(1)] * FRAMES)
    masks = good / "Annotations/480p/b"
    if broken == "damaged":
        (masks / "00000.png").write_bytes(b"no picture")
    else:
        shutil.rmtree(masks if broken == "no masks" else good / "JPEGImages/480p/b")
    (good / "ImageSets").mkdir()
    (good / "ImageSets/val.txt").write_text("a\nb\n")
    run = ("run", "--tracker", "copy-first", "--dataset", "data")
    score = ("evaluate", "--masks", "masks", "--dataset", "data")
    for part in (("--sequence", "a"), ("--skip", "b")):
        for command in (run, score):
            result = vosbench(*command, *part)
            assert result.exit_code == 0, result.output
            assert "data, 1 of 2 sequences" in result.stdout
    result = vosbench(*run, "--fresh")
    assert result.exit_code == 3
    assert "data, 1 of 2 sequences" in result.stdout
    assert "not run, 1 broken sequence(s):\n  - b: " in result.output
    assert vosbench("evaluate", "results/data/copy-first").exit_code == 0
    result = vosbench(*score)
    assert result.exit_code == 6
    assert "without b" in result.stdout
    asked = vosbench(*run, "--sequence", "b")
    assert asked.exit_code == 3
    assert "error: b: " in asked.output


def test_a_badly_named_sequence_does_not_stop_the_others(good: Path, vosbench) -> None:
    names = {"b\\c": "b\\c", "b\x1b[31m": r"b\x1b[31m", "b\udcff": r"b\udcff", 241 * "b": 241 * "b"}
    for name in names:
        write_sequence(good, name, [squares(1)] * FRAMES)
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "data")
    assert result.exit_code == 3
    assert "data, 1 of 5 sequences" in result.stdout
    assert "not run, 4 broken sequence(s):" in result.output
    for shown in names.values():
        assert f"- {shown}: its name " in result.output
    assert "b: its name is longer than 240 bytes; rename it" in result.output
    scored = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert scored.exit_code == 6
    assert "data, 1 of 5 sequences" in scored.stdout
    skips = [word for shown in names.values() for word in ("--skip", shown)]
    assert vosbench("run", "--tracker", "copy-first", "--dataset", "data", *skips).exit_code == 0
    verified = vosbench("datasets", "verify", "data")
    assert verified.exit_code == 3
    assert r"b\x1b[31m: its name cannot name a folder" in verified.output


def test_a_part_of_a_known_dataset_is_enough(tmp_path: Path, vosbench) -> None:
    root = tmp_path / "YouTube-VOS/2019/valid"
    write_frames(root / "JPEGImages/00aa")
    write_masks(root / "Annotations/00aa", [squares(1)])
    objects = {"1": {"category": "dog", "frames": ["00000"]}}
    videos = {name: {"objects": objects} for name in ("00aa", "00bb")}
    (root / "meta.json").write_text(json.dumps({"videos": videos}))
    run = ("run", "--tracker", "copy-first", "--dataset", "ytvos19-valid", "--data-root", tmp_path)
    assert vosbench(*run, "--sequence", "00aa").exit_code == 0
    assert "JPEGImages/00bb" in vosbench(*run).output


def test_what_is_skipped_must_be_there(good: Path, vosbench) -> None:
    score = ("evaluate", "--masks", "masks", "--dataset", "data")
    assert "has no sequence 'c'" in vosbench(*score, "--skip", "c").output
    result = vosbench(*score, "--skip", "a")
    assert result.exit_code == 3
    assert "--skip leaves no sequence of data" in result.output


def test_missing_predictions_still_refuse_the_score(good: Path, vosbench) -> None:
    write_sequence(good, "b", [squares(1)] * FRAMES)
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 6
    assert "J&F" not in result.stdout
    assert "--skip NAME leaves a sequence out" in result.output


def test_a_killed_scoring_process_is_one_line(
    good: Path, vosbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_sequence(good, "b", [squares(1)] * FRAMES)
    write_masks(good.parent / "masks/b", [squares(1)] * FRAMES)
    (good.parent / "deadly.py").write_text(
        "import multiprocessing, os, signal\n"
        "from vosbench import hookimpl\n"
        "from vosbench.metrics import MetricSpec\n"
        "def deadly(annotation, prediction):\n"
        "    assert multiprocessing.parent_process() is not None\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "@hookimpl\n"
        "def vosbench_register_metrics(register):\n"
        "    register(MetricSpec(name='Deadly', function=deadly, summary='kills'))\n"
    )
    monkeypatch.setattr(
        evaluation, "FRAME_OBJECTS_PER_PROCESS", 1
    )  # two processes for a few frames
    result = vosbench(
        "evaluate", "--masks", "masks", "--dataset", "data", "--jobs", "2",
        "--plugin", "deadly.py", "--metrics", "Deadly",
    )  # fmt: skip
    assert result.exit_code == 6
    assert "error: one of 2 scoring processes was killed" in result.output
    assert "fewer --jobs" in result.output
    assert not multiprocessing.active_children()


def test_a_dataset_that_grew_is_counted_anew(good: Path, vosbench) -> None:
    run = ("run", "--tracker", "copy-first", "--dataset", "data")
    assert vosbench(*run).exit_code == 0
    before = len(list((good / "JPEGImages/480p").iterdir()))
    write_sequence(good, "late", [squares(1)] * FRAMES)
    assert f"data, {before} of" not in vosbench("compare", "--dataset", "data").stdout
    result = vosbench(*run)
    assert result.exit_code == 0
    assert " sequences" not in result.stdout
    document = json.loads(Path("results/data/copy-first/run.json").read_text())
    assert document["whole"] == len(document["sequences"]) == before + 1


def test_tables_that_look_at_data_refuse_other_data(good: Path, vosbench) -> None:
    assert vosbench("run", "--tracker", "copy-first", "--dataset", "data").exit_code == 0
    first = sorted((good / "Annotations/480p").iterdir())[0]
    write_masks(first, {4: squares(1, shift=30)})
    assert vosbench("compare", "--dataset", "data").exit_code == 0  # of the data as it was
    for more in (("compare", "--by", "size"), ("report", "--output", "page.html")):
        result = vosbench(*more, "--dataset", "data")
        assert result.exit_code == 6, result.output
        assert "was made on other data than" in result.output
