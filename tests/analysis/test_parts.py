"""A number over a part of a dataset says so wherever it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vosbench.analysis import compare
from vosbench.analysis import scored as scoring
from vosbench.cli import main
from vosbench.datasets.base import Dataset
from vosbench.errors import RunError
from vosbench.export.plots import plane_plot
from vosbench.store import Run
from vosbench.testing import fakes

MakeRun = Callable[..., Run]
PART = "2 of 3 sequences"


def command(*arguments: object) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def part(toys: Dataset, results: Path) -> list[str]:
    """Two runs over two of three sequences, as users make them; arguments that name them."""
    place = ["--results", str(results), "--plugin", fakes.__file__]
    for options in ([], ["-o", "iterations=20"]):
        made = command(
            "run", *place, "--tracker", "fake", "--dataset", toys.root, "--limit", 2, *options
        )
        assert f"toys, {PART}" in made.stdout
    return [*place, "--dataset", str(toys.root)]


def test_every_format_of_a_table_says_how_much_of_the_dataset_it_is_over(
    part: list[str],
) -> None:
    for kind in ("text", "csv", "json", "markdown", "latex"):
        for more in ([], ["--per-sequence"], ["--against", "fake"]):
            shown = command("compare", *part, "--format", kind, *more).stdout
            assert shown.count(PART) >= 2 + bool(more), shown
    assert rf"\caption{{toys, {PART}.}}" in shown


def test_run_evaluate_and_scores_say_it(part: list[str], results: Path, toys: Dataset) -> None:
    folder = results / "toys" / "fake"
    assert f"toys, {PART}" in command("evaluate", folder).stdout
    assert json.loads((folder / "scores" / "scores.json").read_text())["part"] == PART
    again = ["run", *part, "--tracker", "fake", "--limit", "2", "--json"]
    (document,) = json.loads(command(*again).stdout)
    assert document["part"] == PART
    assert document["run"]["whole"] == 3


def test_the_report_says_it(part: list[str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command("report", *part, "--output", page, "--frames", 1)
    assert page.read_text().count(PART) >= 2


def test_a_whole_dataset_is_not_labelled(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    make_run("exact", whole=3)
    shown = command("compare", "--results", results, "--dataset", toys.root, "--per-sequence")
    assert " of 3 sequences" not in shown.stdout
    assert "Part" not in shown.stdout


def test_the_plot_has_the_label_of_its_table(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    make_run("half", sequences=["ant"], whole=3)
    runs = [scoring.score_run(run, lambda: toys) for run in scoring.select_runs(results, "toys")]
    table = compare.main_table(runs, "toys")
    figure = plane_plot(compare.plot_points(table), title=table.title)
    assert any("1 of 3 sequences" in text.get_text() for text in figure.findobj(match=_is_text))


def _is_text(artist: object) -> bool:
    return hasattr(artist, "get_text")


def test_incomplete_runs_do_not_say_what_is_usual(
    make_run: MakeRun, results: Path, toys: Dataset
) -> None:
    make_run("whole", whole=3)
    for name in ("a", "b"):
        make_run(name, sequences=["ant", "bee"], failed=("bee",), whole=3)
    runs = [scoring.score_run(run, lambda: toys) for run in scoring.select_runs(results, "toys")]
    assert set(compare.incomparable_reasons(runs)) == {"a", "b"}
    make_run("small", sequences=["ant"], whole=3)
    runs = [scoring.score_run(run, lambda: toys) for run in scoring.select_runs(results, "toys")]
    assert "whole" not in compare.incomparable_reasons(runs)


def test_common_compares_on_what_all_have(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    make_run("whole", shift=2, whole=3)
    make_run("failed", shift=1, failed=("cat",), whole=3)
    make_run("part", sequences=["bee", "cat"], whole=3)
    asked = ("compare", "--results", results, "--dataset", toys.root, "--common")
    shown = command(*asked, "--format", "json").stdout
    (table,) = json.loads(shown)
    assert table["title"] == "toys, 1 of 3 sequences"
    assert [row[0] for row in table["rows"]] == ["part", "failed", "whole"]
    runs = scoring.select_runs(results, "toys")
    scored = scoring.score_common(runs, lambda: toys)
    assert {one.sequences for one in scored} == {("bee",)}
    full = scoring.score_run(runs[-1], lambda: toys)
    assert full.evaluation is not None
    assert scored[-1].scores()["J"] == full.evaluation.sequences.loc["bee", "J"]
    make_run("other", sequences=["ant"], whole=3)
    with pytest.raises(RunError, match="no sequence that all"):
        scoring.score_common(scoring.select_runs(results, "toys"), lambda: toys)


def test_a_dataset_given_by_its_path_is_found_again(
    part: list[str], results: Path, toys: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    folder = results / "toys" / "fake"
    command("evaluate", folder)
    command("show", folder, "--sequence", "ant", "--frames", 2)
    command("show", "--results", results, "--dataset", "toys", "--tracker", "fake", "--frames", 1)
    page = tmp_path / "page.html"
    shown = command("report", "--results", results, "--output", page).stdout
    assert "2 sequences" in shown
    for scores in results.rglob("scores.json"):
        scores.unlink()
    command("compare", "--results", results)
