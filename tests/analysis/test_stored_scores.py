"""Stored scores are shown for exactly what they were made of, and for nothing else."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vosbench.analysis import scored as scoring
from vosbench.cli import main
from vosbench.datasets.base import Dataset
from vosbench.datasets.reading import write_labels
from vosbench.datasets.registry import select
from vosbench.evaluation import evaluate
from vosbench.evaluation.summary import Summary
from vosbench.plugins import KNOWN_METRICS, Plugins
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


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "key": {}}', "null", "[" * 99999])
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


METRIC = """
from vosbench import hookimpl
from vosbench.metrics import MetricSpec

def size(annotated, predicted):
    return float({value})

@hookimpl
def vosbench_register_metrics(register):
    register(MetricSpec(name="Size", function=size, summary="A number."))
"""


def test_an_edited_measure_is_taken_again(run: Run, toys: Dataset, tmp_path: Path) -> None:
    plugin = tmp_path / "size.py"

    def shown(*plugins: Path, open_data: Callable[[], Dataset] = lambda: toys) -> float:
        Plugins(plugins)
        evaluation = scoring.score_run(run, open_data).evaluation
        assert evaluation is not None
        return float(evaluation.frames["Size"].mean())

    plugin.write_text(METRIC.format(value=0.25))
    command = ["evaluate", run.folder, "--metrics", "Size", "--plugin", plugin]
    result = CliRunner().invoke(main, list(map(str, command)))
    assert result.exit_code == 0, result.output
    assert shown(plugin, open_data=no_data) == 0.25
    plugin.write_text(METRIC.format(value=0.75))
    assert shown(open_data=no_data) == 0.25  # what is not loaded cannot be asked
    assert shown(plugin) == 0.75
    shutil.copyfile(run.masks / "bee/00003.png", run.masks / "ant/00003.png")
    assert shown(plugin) == 0.75  # of the new masks


def test_measures_of_the_box_belong_to_the_evaluator(run: Run, toys: Dataset) -> None:
    metrics = [KNOWN_METRICS["success"]]
    assert scoring.key_of(run, metrics).metrics == (("success", ""),)


PROTOCOL = """
from vosbench import hookimpl
from vosbench.metrics import ProtocolSpec
from vosbench.metrics.protocols.davis import Davis2017

class Mine(Davis2017):
    name = "mine"
{edit}
@hookimpl
def vosbench_register_protocols(register):
    register(ProtocolSpec(name="mine", protocol=Mine, summary="As DAVIS has it."))
"""


def test_an_edited_protocol_scores_anew(run: Run, toys: Dataset, tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    run.record.protocol = "mine"
    run.save()
    keys = []
    for edit in ("", "", "    # another state\n"):
        plugin.write_text(PROTOCOL.format(edit=edit))
        Plugins([plugin])
        scoring.score_run(run, lambda: toys)
        stored = Summary.read(run.scores)
        keys.append(stored and stored.key)
    assert keys[0] == keys[1] != keys[2]
    Plugins()
    assert scoring.score_run(run, no_data).evaluation is not None  # not loaded


@pytest.mark.parametrize("edited", ["copy", "original"])
def test_a_copied_project_is_scored_against_its_own_dataset(
    toys: Dataset, tmp_path: Path, edited: str
) -> None:
    """`toys` lies beside the results; the copy of both finds the copy of the dataset."""
    project = tmp_path / "project"
    project.mkdir()
    toys.root.rename(project / "toys")

    def command(*arguments: object) -> Result:
        return CliRunner().invoke(main, list(map(str, arguments)))

    place = ("--results", project / "results", "--dataset", project / "toys")
    assert command("run", "--tracker", "copy-first", *place).exit_code == 0
    shutil.copytree(project, tmp_path / "copy")
    changed = {"copy": tmp_path / "copy", "original": project}[edited]
    mask = changed / "toys/Annotations/ant/00004.png"
    shutil.copyfile(mask.with_name("00000.png"), mask)
    for home in (project, tmp_path / "copy"):
        (home / "results/toys/copy-first/scores/scores.json").unlink()
        result = command("evaluate", home / "results/toys/copy-first")
        # an edited copy is passed over for the original, which holds what the run was made on
        assert result.exit_code == (6 if home == changed == project else 0), result.output
    unchanged = tmp_path / "copy" if edited == "original" else project
    shutil.rmtree(unchanged / "toys")
    result = command("evaluate", changed / "results/toys/copy-first")
    assert result.exit_code == 6
    assert f"was made on other data than {changed / 'toys'} holds now" in result.output
