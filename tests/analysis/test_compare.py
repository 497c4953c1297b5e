"""What may stand in one table, and what the table then says."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from vosbench.analysis import compare
from vosbench.analysis import scored as scoring
from vosbench.analysis.paired import paired_table
from vosbench.analysis.published import published
from vosbench.analysis.ranks import mean_ranks
from vosbench.analysis.success import success_curves
from vosbench.cli import main
from vosbench.datasets.base import Dataset
from vosbench.datasets.reading import write_labels
from vosbench.errors import EvaluationError, RunError
from vosbench.evaluation import evaluate
from vosbench.evaluation.summary import Summary
from vosbench.store import Run

MakeRun = Callable[..., Run]


def scored(results: Path, toys: Dataset, *trackers: str) -> list[scoring.ScoredRun]:
    runs = scoring.select_runs(results, "toys", trackers)
    return [scoring.score_run(run, lambda: toys) for run in runs]


def command(results: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["compare", "--results", str(results), *arguments])


def test_table_holds_the_scores_of_the_evaluator(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    run = make_run("shifted", shift=3)
    direct = evaluate(toys, run.masks)
    table = compare.main_table(scored(results, toys), "toys")
    row = table.frame.loc["shifted"]
    for name in ("J&F", "J", "F"):
        assert row[name] == direct.global_scores[f"{name}-Mean"]
    for name in ("J-Recall", "J-Decay"):
        assert row[name] == direct.global_scores[name]
    assert row["FPS"] == pytest.approx(10)
    expected = ["J&F", "95% low", "95% high", "J", "J-Recall", "J-Decay", "F", "FPS"]
    assert list(table.frame.columns) == expected
    assert row["95% low"] <= row["J&F"] <= row["95% high"]


def test_seeds_of_one_tracker_are_one_row(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    shifts = {0: 2, 1: 4, 2: 5}
    for seed, shift in shifts.items():
        make_run("noisy", shift=shift, seed=seed)
    make_run("exact")
    runs = scored(results, toys)
    table = compare.main_table(runs, "toys")
    assert list(table.frame.index) == ["exact", "noisy"]
    each = [s.scores()["J&F"] for s in runs if s.name.startswith("noisy")]
    assert table.frame.loc["noisy", "J&F"] == pytest.approx(np.mean(each))
    assert table.frame.loc["noisy", "±"] == pytest.approx(np.std(each, ddof=1))
    assert table.frame.loc["noisy", "Seeds"] == 3
    apart = compare.main_table(runs, "toys", each_seed=True, intervals=True)
    assert list(apart.frame.index) == ["exact", "noisy", "noisy+seed=1", "noisy+seed=2"]
    assert {"J low", "J high", "F high"} <= set(apart.frame.columns)


def test_seeds_of_different_codes_are_not_averaged(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    for seed, code in enumerate(("1a2b", "1a2b", "3c4d")):
        make_run("net", shift=seed, seed=seed, code=code, packages={"torch": "2"})
    make_run("other", seed=0, packages={"torch": "2"})
    make_run("other", seed=1, packages={"torch": "3"})
    make_run("same", seed=0, code="1a2b", packages={"torch": "2"})
    make_run("same", seed=1, code="1a2b", packages={"torch": "2", "numpy": "1"})
    table = compare.main_table(scored(results, toys), "toys")
    assert sorted(table.frame.index) == [
        *("net", "net+seed=1", "net+seed=2"),
        *("other", "other+seed=1", "same"),
    ]
    notes = "\n".join(table.notes)
    assert "net: seeds are not averaged, for the plugin's code was not the same for all." in notes
    assert "other: seeds are not averaged, for torch was not the same for all." in notes


def test_success_curves_fall_and_are_drawn(
    make_run: MakeRun, results: Path, toys: Dataset, tmp_path: Path
) -> None:
    make_run("exact")
    make_run("shifted", shift=3)
    curves = success_curves(scored(results, toys))
    assert curves["exact"].tolist() == [1.0] * 100
    assert (np.diff(curves["shifted"]) <= 0).all()
    j = scored(results, toys)[1].scores()["J"]
    assert np.mean(curves["shifted"]) == pytest.approx(j, abs=0.02)
    plot = tmp_path / "success.svg"
    result = command(results, "--dataset", str(toys.root), "--plot-success", str(plot))
    assert result.exit_code == 0, result.output
    assert "exact  100.0" in plot.read_text()


def test_ranks_and_their_critical_difference(
    make_run: MakeRun, results: Path, toys: Dataset, tmp_path: Path
) -> None:
    for name, shift in {"worst": 6, "best": 0, "middle": 3, "twin": 3}.items():
        make_run(name, shift=shift)
    ranks = mean_ranks(scored(results, toys), "J")
    assert ranks.mean.to_dict() == {"best": 1, "middle": 2.5, "twin": 2.5, "worst": 4}
    # Demsar's table 5: q for four is 2.569.
    assert ranks.critical == pytest.approx(2.569 * (4 * 5 / 18) ** 0.5, abs=1e-3)
    assert ranks.alike() == [("best", "twin"), ("middle", "worst")]
    plot = tmp_path / "ranks.svg"
    result = command(results, "--dataset", str(toys.root), "--plot-ranks", str(plot))
    assert result.exit_code == 0, result.output
    assert "2.50" in plot.read_text()
    with pytest.raises(RunError, match="three runs or more"):
        mean_ranks(scored(results, toys, "best", "worst"))


def test_scores_are_stored_and_stale_ones_are_made_anew(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    run = make_run("exact")
    assert scored(results, toys)[0].scores()["J"] == 1
    assert (run.scores / "scores.json").is_file()
    stored = scoring.score_run(run, lambda: pytest.fail("fresh scores need no dataset"))
    assert stored.scores()["J"] == 1
    path = run.masks / "ant" / "00004.png"
    write_labels(path, np.zeros((48, 64), np.uint8))
    later = (run.scores / "scores.json").stat().st_mtime_ns + 10_000_000
    os.utime(path, ns=(later, later))
    assert scored(results, toys)[0].scores()["J"] < 1


def test_scores_that_cannot_be_made_anew_are_refused(make_run: MakeRun, results: Path) -> None:
    make_run("exact", source="")
    result = command(results, "--dataset", "toys")
    assert result.exit_code == 6
    assert "run exact: it has no scores" in result.output
    assert "vosbench evaluate" in result.output


def test_masks_of_other_data_are_refused(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    run = make_run("exact")
    write_labels(toys.root / "Annotations" / "ant" / "00003.png", np.ones((48, 64), np.uint8))
    with pytest.raises(EvaluationError, match="other data"):
        scoring.score_run(run, lambda: toys)


def test_incomplete_and_different_runs_are_refused_with_all_reasons(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    make_run("good")
    make_run("fine", shift=2)
    make_run("failing", failed=("bee",))
    make_run("short", sequences=["ant", "cat"])
    runs = scored(results, toys)
    with pytest.raises(RunError) as caught:
        compare.require_comparable(runs)
    message = caught.value.message
    assert "failing: incomplete: 1 failed (bee)" in message
    assert "short: other dataset fingerprint" in message
    assert "2 sequences, where most have 3 sequences" in message
    assert "good" not in message
    table = compare.main_table(runs, "toys")
    marks = {table.frame.index[row]: mark for (row, _), mark in table.marks.items()}
    assert marks == {"failing": "*", "short": "**"}
    assert any(note.startswith("* Not comparable: incomplete") for note in table.notes)
    kept = Summary.read(results / "toys" / "failing" / "scores")
    assert kept is not None and kept.key is not None and kept.key.sequences == ("ant", "cat")


def test_other_protocols_are_refused(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    for name in ("a", "b"):
        make_run(name)
    make_run("merged", protocol="davis2016")
    reasons = compare.incomparable_reasons(scored(results, toys))
    assert list(reasons) == ["merged"]
    assert reasons["merged"] == ["other protocol: davis2016, where most have davis2017"]


def test_speed_of_a_shared_machine_is_not_ranked(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    for name in ("alone", "alike"):
        make_run(name)
    make_run("shared", shared_machine=True)
    table = compare.main_table(scored(results, toys), "toys")
    speeds = {row[0].text: row[-1] for row in table.rows()}
    assert speeds["shared"].text == "(10.0)"
    assert not speeds["shared"].bold
    assert speeds["alone"].bold
    assert any("other work" in note for note in table.notes)


def test_published_numbers_follow_the_runs(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    make_run("exact")
    numbers = published("davis17-val", "all")
    assert numbers is not None
    table = compare.main_table(scored(results, toys), "toys", numbers)
    assert table.frame.index[0] == "exact"
    assert table.sections == (1,)
    assert table.frame.loc["STM", "J&F"] == pytest.approx(0.817)
    assert pd.isna(table.frame.loc["STM", "J-Recall"])
    rows = {row[0].text: row for row in table.rows()}
    sign = rows["e-OSVOS-50-OnA"][0].mark.strip()
    assert any(note.startswith(f"{sign} ") and "NeurIPS 2020" in note for note in table.notes)
    assert rows["exact"][1].bold
    assert not any(row[-1].bold for row in table.rows())
    points = compare.plot_points(table)
    assert not points.set_index("name").loc["exact", "published"]
    assert points["published"].sum() == numbers.rows["FPS"].notna().sum()


def test_published_numbers_alone_where_there_is_no_run(results: Path) -> None:
    arguments = ("--dataset", "davis17-val", "--published", "recent")
    result = command(results, *arguments)
    assert result.exit_code == 0, result.output
    for name in ("SAM 2.1 large", "Cutie-base", "XMem", "e-OSVOS-50-OnA"):
        assert name in result.stdout
    assert "facebookresearch/EdgeTAM" in result.stdout
    assert "LiVOS" not in result.stdout
    assert command(results, *arguments[:2], "--published", "none").exit_code == 5


def test_published_numbers_need_the_whole_dataset(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    make_run("exact")
    runs = scored(results, toys)
    assert compare.published_beside("toys", runs)[0] is None
    numbers, remarks = compare.published_beside("davis17-val", runs)
    assert numbers is None
    assert "all 30 sequences" in remarks[0]


def test_by_sequence(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    make_run("exact")
    run = make_run("shifted", shift=3)
    table = compare.sequence_table(scored(results, toys), "toys", "J")
    assert list(table.frame.index) == ["ant", "bee", "cat", "mean over sequences"]
    direct = evaluate(toys, run.masks).sequences["J"]
    assert table.frame.loc["bee", "shifted"] == direct["bee"]
    assert table.frame.loc["mean over sequences", "shifted"] == pytest.approx(direct.mean())
    assert all(row[1].bold and not row[2].bold for row in table.rows())
    with pytest.raises(RunError, match="no measure 'K'"):
        compare.sequence_table(scored(results, toys), "toys", "K")


def test_differences_to_one_tracker(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    make_run("base", shift=3)
    make_run("better", shift=1)
    make_run("base", shift=9, changed={"steps": 2})
    runs = scored(results, toys)
    table = paired_table(runs, "base", "toys", unit="object")
    assert list(table.frame.index) == ["base+steps=2", "better"]
    row = table.frame.loc["better"]
    scores = {s.name: s.scores()["J&F"] for s in runs}
    assert row["Difference"] == pytest.approx(scores["better"] - scores["base"])
    assert row["95% low"] <= row["Difference"] <= row["95% high"]
    assert (row["Better"], row["Worse"], row["Pairs"]) == (3, 0, 3)  # sequences
    assert row["p"] == pytest.approx(2 / 2**3)
    assert table.frame.loc["base+steps=2", "Difference"] < 0
    with pytest.raises(RunError, match="no run fits --against nobody"):
        paired_table(runs, "nobody", "toys")


def test_runs_are_chosen_by_tracker_or_name(make_run: MakeRun, results: Path) -> None:
    make_run("flow")
    make_run("flow", changed={"scale": 2})
    make_run("other")
    make_run("slow", changed={"scale": 2})
    make_run("slow", changed={"scale": 3})

    def chosen(*trackers: str, exclude: tuple[str, ...] = ()) -> list[str]:
        return [run.name for run in scoring.select_runs(results, "toys", trackers, exclude)]

    assert chosen("flow") == ["flow"]  # the exact name of a run wins
    assert chosen("slow") == ["slow+scale=2", "slow+scale=3"]
    assert chosen("flow", "flow+scale=2") == ["flow", "flow+scale=2"]
    assert chosen(exclude=("slow", "flow")) == ["flow+scale=2", "other"]
    with pytest.raises(RunError, match="leaves no run"):
        chosen("slow", exclude=("slow",))
    with pytest.raises(RunError, match="no run of gone"):
        chosen(exclude=("gone",))
    one = scoring.select_runs(results, "toys", ("flow+scale=2",))
    assert [run.name for run in one] == ["flow+scale=2"]
    with pytest.raises(RunError, match="no run of flaw over toys"):
        scoring.select_runs(results, "toys", ("flow", "flaw"))
    with pytest.raises(RunError, match="no run over elsewhere"):
        scoring.select_runs(results, "elsewhere")


def test_command_prints_every_table_asked_for(
    make_run: MakeRun, results: Path, toys: Dataset, tmp_path: Path
) -> None:
    make_run("exact")
    make_run("shifted", shift=3)
    plot = tmp_path / "plane.svg"
    arguments = ["--dataset", str(toys.root), "--per-sequence", "--against", "exact"]
    arguments += ["--published-for", "davis17-val", "--plot", str(plot)]
    result = command(results, *arguments)
    assert result.exit_code == 0, result.output
    for piece in ("toys", "J&F by sequence", "minus that of exact"):
        assert piece in result.output
    assert re.search(r"^e-OSVOS-50-OnA \[\d+\] ", result.output, re.MULTILINE)
    assert "\x1b[" not in result.stdout  # no terminal, no escapes
    assert "shifted" in plot.read_text()
    assert re.search(r"^shifted +-\d+\.\d", result.output, re.MULTILINE)


def test_command_writes_files_and_json(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    make_run("exact")
    data = ["--dataset", str(toys.root)]
    result = command(results, *data, "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["rows"][0][0] == "exact"
    out = results / "deep" / "table.md"
    result = command(results, *data, "--format", "markdown", "--output", str(out))
    assert result.exit_code == 0, result.output
    assert "| exact" in out.read_text()


def test_command_refuses_unless_told_to_mix(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    make_run("good")
    make_run("fine")
    make_run("short", sequences=["ant"])
    data = ["--dataset", str(toys.root)]
    refused = command(results, *data)
    assert refused.exit_code == 5
    assert "short: other dataset fingerprint" in refused.output
    mixed = command(results, *data, "--mix")
    assert mixed.exit_code == 0, mixed.output
    assert "short*" in mixed.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "there is no run in"),
        (["--dataset", "toys"], 5, "there is no run over toys"),
        (["--format", "word"], 4, "no format 'word'"),
        (["--plot", "x.bmp"], 2, "unknown kind of picture"),
        (["--published", "Nobody"], 2, "there is no such method"),
        (["--published-for", "demo"], 2, "davis17-val"),
    ],
)
def test_bad_input_is_named(results: Path, arguments: list[str], code: int, message: str) -> None:
    result = command(results, *arguments)
    assert result.exit_code == code, result.output
    assert message in result.output
