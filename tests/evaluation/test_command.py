"""`vosbench evaluate` as users type it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vosbench.cli import main
from vosbench.datasets import folder as folder_layout
from vosbench.evaluation import Evaluation, evaluate
from vosbench.store import Run, RunRecord, SequenceRecord

Write = Callable[..., Path]


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


@pytest.fixture
def make_run(dataset_folder: Path, write_masks: Write, tmp_path: Path) -> Callable[..., Run]:
    """A run over the tiny dataset; sequences not in `done` failed."""
    dataset = folder_layout.load(dataset_folder)

    def make(name: str, shift: int = 2, done: tuple[str, ...] = ("alpha", "beta")) -> Run:
        write_masks(f"{name}/masks", shift, names=done)
        record = RunRecord(
            tracker=name,
            dataset=str(dataset_folder),
            options={},
            changed={},
            seed=0,
            device="cpu",
            fingerprint=dataset.fingerprint(),
            protocol=dataset.protocol,
            sequences=["alpha", "beta"],
            status="complete" if len(done) == 2 else "partial",
        )
        run = Run(tmp_path / name, record)
        run.save()
        for sequence in record.sequences:
            if sequence in done:
                run.save_sequence(SequenceRecord(sequence=sequence, status="done"))
            else:
                run.save_sequence(SequenceRecord.failure(sequence, "it raised"))
        return run

    return make


def test_folder_of_masks(dataset_folder: Path, write_masks: Write, tmp_path: Path) -> None:
    masks, scores = write_masks("masks"), tmp_path / "scores"
    result = command(
        "--masks", masks, "--dataset", dataset_folder, "--output", scores, "--per-sequence"
    )
    assert result.exit_code == 0, result.output
    expected = evaluate(folder_layout.load(dataset_folder), masks)
    assert Evaluation.read(scores).files() == expected.files()
    assert f"{100 * expected.global_scores['J&F-Mean']:.1f}" in result.stdout
    assert "by sequence" in result.stdout
    assert "alpha" in result.stdout
    assert str(scores) in result.stderr


def test_json_is_one_document_and_nothing_is_written(
    dataset_folder: Path, write_masks: Write
) -> None:
    masks = write_masks("masks")
    before = sorted(masks.parent.rglob("*"))
    result = command("--masks", masks, "--dataset", dataset_folder, "--json", "--sequence", "beta")
    (document,) = json.loads(result.stdout)
    assert document["scores"]["sequences"] == ["beta"]
    assert document["scores"]["protocol"] == "davis2017"
    assert document["error"] is None
    assert sorted(masks.parent.rglob("*")) == before


def test_every_problem_is_printed_and_old_tables_go(
    dataset_folder: Path, write_masks: Write, tmp_path: Path
) -> None:
    masks, scores = write_masks("masks"), tmp_path / "scores"
    asked = ("--masks", masks, "--dataset", dataset_folder, "--output", scores)
    assert command(*asked).exit_code == 0
    (masks / "alpha" / "00002.png").unlink()
    (masks / "beta" / "00003.png").write_bytes(b"")
    result = command(*asked)
    assert result.exit_code == 6
    assert "alpha: 1 frame (00002) missing" in result.stderr
    assert "00003.png" in result.stderr
    assert list(scores.iterdir()) == []
    (document,) = json.loads(command(*asked, "--json").stdout)
    assert document["scores"] is None
    assert len(document["problems"]) == 2


def test_several_runs_at_once(make_run: Callable[..., Run]) -> None:
    near, far = make_run("near", 1), make_run("far", 5)
    result = command(near.folder, far.folder)
    assert result.exit_code == 0, result.output
    scores = [Evaluation.read(run.scores).global_scores["J-Mean"] for run in (near, far)]
    assert scores[0] > scores[1]
    for run, score in zip((near, far), scores, strict=True):
        (line,) = (line for line in result.stdout.splitlines() if line.split()[:1] == [run.name])
        assert f"{100 * score:.1f}" in line


def test_one_bad_run_does_not_keep_the_others_from_their_scores(
    make_run: Callable[..., Run],
) -> None:
    good, bad = make_run("good"), make_run("bad")
    (bad.masks / "alpha" / "00001.png").unlink()
    result = command(good.folder, bad.folder)
    assert result.exit_code == 6
    assert "1 of 2 could not be scored" in result.stderr
    assert (good.scores / "scores.json").is_file()
    assert not (bad.scores / "scores.json").exists()


def test_incomplete_run_is_scored_in_part_and_says_what_is_missing(
    make_run: Callable[..., Run],
) -> None:
    run = make_run("half", done=("alpha",))
    result = command(run.folder)
    assert result.exit_code == 5
    assert "half is incomplete, not scored: beta" in result.stderr
    assert Evaluation.read(run.scores).missing == ["beta"]
    assert command(make_run("nothing", done=()).folder).exit_code == 5


def test_run_over_other_data_is_refused(make_run: Callable[..., Run], dataset_folder: Path) -> None:
    run = make_run("older")
    annotation = dataset_folder / "Annotations" / "480p" / "alpha" / "00003.png"
    annotation.write_bytes((annotation.parent / "00004.png").read_bytes())
    result = command(run.folder)
    assert result.exit_code == 6
    assert "was made on other data" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "name what to score"),
        (("--masks", "."), 2, "need --dataset"),
        (("--masks", ".", "--tracker", "x", "--dataset", "y"), 2, "name what to score"),
        (("nowhere",), 5, "is not a run"),
        (("--masks", ".", "--dataset", "no-such-dataset"), 3, "no dataset called"),
        (("--masks", ".", "--dataset", "FOLDER", "--protocol", "x"), 2, "no protocol 'x'"),
        (("--masks", ".", "--dataset", "FOLDER", "--metric", "x"), 2, "no metric 'x'"),
        (("--masks", ".", "--dataset", "FOLDER", "--sequence", "alpa"), 3, "Did you mean alpha"),
        (("--masks", "gone", "--dataset", "FOLDER"), 6, "gone does not exist"),
    ],
)
def test_what_cannot_be_asked(
    arguments: tuple[str, ...], code: int, message: str, dataset_folder: Path
) -> None:
    given = [str(dataset_folder) if word == "FOLDER" else word for word in arguments]
    result = command(*given)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output
