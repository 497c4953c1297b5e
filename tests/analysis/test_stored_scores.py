"""Stored scores are shown for exactly what they were made of, and for nothing else."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from vosbench.analysis import scored as scoring
from vosbench.cli import main
from vosbench.datasets.base import Dataset
from vosbench.datasets.reading import write_labels
from vosbench.datasets.registry import select
from vosbench.evaluation import evaluate
from vosbench.store import Run

MakeRun = Callable[..., Run]


@pytest.fixture
def run(make_run: MakeRun, toys: Dataset) -> Run:
    """Scored; its masks of `ant` are far better than those of the others."""
    run = make_run("mixed", shift=6)
    for index, path in toys.sequence("ant").annotations.items():
        labels = toys.sequence("ant").labels(index)
        assert labels is not None
        write_labels(run.masks / "ant" / path.name, labels)
    scoring.score_run(run, lambda: toys)
    return run


def compared(run: Run, toys: Dataset) -> float:
    """J as `vosbench compare` shows it: with scores stored or made anew."""
    return scoring.score_run(Run.open(run.folder), lambda: toys).scores()["J"]


def no_data() -> Dataset:
    pytest.fail("scores that hold need no dataset")


@pytest.mark.parametrize("asked", [["--sequence", "ant"], ["--protocol", "davis2016"]])
def test_scores_of_a_part_or_by_another_protocol_are_not_the_runs_own(
    run: Run, toys: Dataset, asked: list[str], tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in run.scores.iterdir()}
    whole = compared(run, toys)
    shown = CliRunner().invoke(main, ["evaluate", str(run.folder), *asked])
    assert shown.exit_code == 0, shown.output
    assert "not stored" in shown.stderr
    assert {path.name: path.read_bytes() for path in run.scores.iterdir()} == before
    assert scoring.score_run(run, no_data).scores()["J"] == whole
    # Even where they are put into the run's folder on purpose.
    into = ["--output", str(run.scores)]
    assert CliRunner().invoke(main, ["evaluate", str(run.folder), *asked, *into]).exit_code == 0
    assert (run.scores / "scores.json").read_bytes() != before["scores.json"]
    assert compared(run, toys) == whole


def test_masks_replaced_by_older_files_are_noticed(run: Run, toys: Dataset) -> None:
    better = compared(run, toys)
    for path in (run.masks / "ant").iterdir():
        shutil.copyfile(run.masks / "bee" / path.name, path)
        os.utime(path, (10**9, 10**9))
    assert compared(run, toys) < better
    assert compared(run, toys) == evaluate(toys, run.masks).global_scores["J-Mean"]


def test_a_mask_of_the_same_size_and_time_is_noticed(run: Run, toys: Dataset) -> None:
    time.sleep(2.1)  # masks that have lain there for so long are not read again
    before = compared(run, toys)
    assert (run.scores / "masks.json").is_file()
    first, second = (run.masks / name / "00004.png" for name in ("bee", "cat"))
    times = [(p.stat().st_atime_ns, p.stat().st_mtime_ns) for p in (first, second)]
    contents = first.read_bytes(), second.read_bytes()
    for path, content, stamp in zip((second, first), contents, times, strict=True):
        path.write_bytes(content)
        os.utime(path, ns=stamp)
    assert compared(run, toys) != before


def test_copied_runs_keep_their_scores(run: Run) -> None:
    for path in run.masks.rglob("*.png"):
        os.utime(path)
    assert scoring.score_run(run, no_data).evaluation is not None


def test_a_changed_evaluator_scores_anew(
    run: Run, toys: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vosbench.evaluation.key.evaluator_digest", lambda: "another")
    opened: list[Dataset] = []
    scoring.score_run(run, lambda: opened.append(toys) or toys)
    assert opened
    assert scoring.score_run(run, no_data).evaluation is not None


def test_more_sequences_score_anew(make_run: MakeRun, toys: Dataset) -> None:
    run = make_run("grows", shift=2, failed=("bee",))
    before = compared(run, toys)
    record = run.sequences()["ant"]
    make_run("whole", shift=4)
    shutil.copytree(run.folder.parent / "whole/masks/bee", run.masks / "bee", dirs_exist_ok=True)
    raw = {**{k: getattr(record, k) for k in record.__dataclass_fields__}, "sequence": "bee"}
    run.save_sequence(type(record)(**raw))
    assert compared(run, toys) < before
    direct = evaluate(select(toys, ("ant", "bee", "cat")), run.masks)
    assert compared(run, toys) == direct.global_scores["J-Mean"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "key": {}}', "null"])
def test_scores_that_cannot_be_read_are_made_anew(run: Run, toys: Dataset, text: str) -> None:
    before = compared(run, toys)
    (run.scores / "scores.json").write_text(text)
    assert compared(run, toys) == before
    frames = (run.scores / "per-frame.csv").read_text()
    (run.scores / "per-frame.csv").write_text("")
    assert compared(run, toys) == before
    whole = scoring.score_run(run, lambda: toys).evaluation
    assert whole is not None and len(whole.frames) == len(frames.splitlines()) - 1
    assert (run.scores / "per-frame.csv").read_text() == frames
