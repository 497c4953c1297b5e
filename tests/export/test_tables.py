"""Tables to text: what is bold, what is escaped, what a program reads back."""

from __future__ import annotations

import io
import json
import math
import shutil
import subprocess
from pathlib import Path

import click
import pandas as pd
import pytest

from vosbench.errors import UsageError
from vosbench.export import Column, ExporterSpec, Table
from vosbench.plugins import Plugins

NASTY = r"a_b&c%d$e#f{g}h~i^j\k<l>m|n`o"


@pytest.fixture(scope="module")
def exporters() -> dict[str, ExporterSpec]:
    return Plugins(entry_points=False).exporters


def table(**changes: object) -> Table:
    frame = pd.DataFrame(
        {
            "J&F": [0.7012, 0.7014, 0.5],
            "J-Decay": [0.2, -0.05, math.nan],
            "FPS": [0.0123, 40.0, 12.0],
        },
        index=pd.Index(["copy_first", "flow", NASTY], name="Tracker"),
    )
    columns = {
        "J&F": Column(scale=100, best="max"),
        "J-Decay": Column(scale=100, best="min"),
        "FPS": Column(best="max", significant=2),
    }
    values = {"title": "davis_16", "frame": frame, "columns": columns, "sections": (2,)}
    return Table(**(values | changes))  # type: ignore[arg-type]


def bold(shown: Table) -> list[tuple[str, str]]:
    return [(row[0].text, cell.text) for row in shown.rows() for cell in row if cell.bold]


def test_best_is_judged_by_what_is_printed() -> None:
    assert bold(table()) == [
        ("copy_first", "70.1"),
        ("flow", "70.1"),
        ("flow", "-5.0"),
        ("flow", "40.0"),
    ]


def test_values_in_parentheses_and_unranked_ones_are_never_best() -> None:
    shown = table(parentheses=frozenset({(1, "FPS")}), unranked=frozenset({(1, "J-Decay")}))
    assert bold(shown) == [("copy_first", "70.1"), ("flow", "70.1"), (NASTY, "12.0")]
    assert shown.rows()[1][3].text == "(40.0)"


def test_best_along_rows() -> None:
    frame = pd.DataFrame({"a": [0.1, 0.9], "b": [0.2, 0.3]}, index=["x", "y"])
    column = Column(scale=100, best="max")
    columns = {"a": column, "b": column}
    shown = Table(title="", frame=frame, columns=columns, best_along="rows")
    assert bold(shown) == [("x", "20.0"), ("y", "90.0")]


def test_small_speeds_keep_two_digits_and_unknown_is_a_dash() -> None:
    rows = table().rows()
    assert rows[0][3].text == "0.012"
    assert rows[2][2].text == "-"


def test_text_is_aligned_and_bold(exporters: dict[str, ExporterSpec]) -> None:
    text = exporters["text"].export([table(notes=("* a note",))])
    assert "\x1b[1m70.1" in text
    lines = click.unstyle(text).splitlines()
    assert lines[0] == "davis_16"
    assert "* a note" in lines
    header = next(line for line in lines if "J-Decay" in line)
    row = next(line for line in lines if line.startswith("copy_first"))
    assert header.index("J&F") + len("J&F") == row.index("70.1") + len("70.1")


def test_long_names_are_neither_wrapped_nor_cut(exporters: dict[str, ExporterSpec]) -> None:
    name = "t" * 300
    frame = pd.DataFrame({"J": [1.0]}, index=[name])
    assert name in exporters["text"].export([Table(title="x", frame=frame)])


def test_csv_keeps_full_precision(exporters: dict[str, ExporterSpec]) -> None:
    text = exporters["csv"].export([table()])
    back = pd.read_csv(io.StringIO(text), index_col=0)
    pd.testing.assert_frame_equal(back, table().frame)


def test_json_is_valid_with_unknown_values(exporters: dict[str, ExporterSpec]) -> None:
    (document,) = json.loads(exporters["json"].export([table(notes=("n",))]))
    assert document["columns"] == ["Tracker", "J&F", "J-Decay", "FPS"]
    assert document["rows"][2] == [NASTY, 0.5, None, 12.0]
    assert document["notes"] == ["n"]


def test_markdown_is_a_table_whatever_the_names(exporters: dict[str, ExporterSpec]) -> None:
    lines = exporters["markdown"].export([table()]).splitlines()
    assert lines[0] == r"**davis\_16**"
    body = lines[2:]
    assert len(body) == 5
    # Four cells a line: an escaped bar is none.
    assert all(line.replace(r"\|", "").count("|") == 5 for line in body)
    assert "**70.1**" in body[2]
    assert r"copy\_first" in body[2]


def test_latex_escapes_all_special_characters(exporters: dict[str, ExporterSpec]) -> None:
    text = exporters["latex"].export([table()])
    assert r"\textbf{70.1}" in text
    assert r"copy\_first" in text
    assert r"davis\_16" in text
    assert (
        r"a\_b\&c\%d\$e\#f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k"
        r"\textless{}l\textgreater{}m\textbar{}n\textasciigrave{}o"
    ) in text
    assert r"\textbf{$-$5.0}" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(exporters: dict[str, ExporterSpec], tmp_path: Path) -> None:
    shown = table(marks={(2, ""): "†", (0, "J&F"): "**"}, notes=(f"† {NASTY} 'a' \"b\" ± –",))
    body = exporters["latex"].export([shown, shown])
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
        f"{body}\\end{{document}}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "t.log").read_text(errors="replace")


def test_a_plugin_adds_a_format() -> None:
    spec = ExporterSpec(name="titles", render=lambda tables: ",".join(t.title for t in tables))
    assert spec.export([table(), table(title="b")]) == "davis_16,b"


def three(**changes: object) -> Table:
    frame = pd.DataFrame(
        {"J": [0.5, 0.9, 0.7, 0.8], "J-Decay": [0.1, 0.3, 0.1, math.nan]},
        index=pd.Index(["b", "a", "c", "STM"], name="Tracker"),
    )
    columns = {"J": Column(scale=100, best="max"), "J-Decay": Column(scale=100, best="min")}
    values = {"title": "davis, 3 of 6", "frame": frame, "columns": columns, "sections": (3,)}
    return Table(**(values | changes))  # type: ignore[arg-type]


def test_the_second_best_of_three_is_marked(exporters: dict[str, ExporterSpec]) -> None:
    shown = three()
    assert [row[1].text for row in shown.rows() if row[1].second] == ["80.0"]
    assert [row[2].text for row in shown.rows() if row[2].second] == ["30.0"]
    assert "\x1b[4m80.0" in exporters["text"].export([shown])
    assert "_80.0_" in exporters["markdown"].export([shown])
    assert r"\underline{80.0}" in exporters["latex"].export([shown])
    assert "<u>80.0</u>" in exporters["html"].export([shown])


def test_rows_are_sorted_inside_of_their_sections_with_all_that_belongs_to_them() -> None:
    shown = three(marks={(0, ""): "*"}, parentheses=frozenset({(1, "J")}))
    assert shown.leading == "J"
    by_score = shown.sorted_by("J")
    assert list(by_score.frame.index) == ["a", "c", "b", "STM"]
    assert by_score.marks == {(2, ""): "*"} and by_score.parentheses == {(0, "J")}
    assert list(shown.sorted_by("J-Decay").frame.index) == ["b", "c", "a", "STM"]
    assert list(shown.sorted_by("name").frame.index) == ["a", "b", "c", "STM"]
    with pytest.raises(UsageError, match="no such column"):
        shown.sorted_by("K")


def test_latex_has_caption_and_label(exporters: dict[str, ExporterSpec]) -> None:
    text = exporters["latex"].export([three()])
    assert r"\caption{davis, 3 of 6.}" in text and r"\label{tab:davis-3-of-6}" in text


def test_html_escapes_names(exporters: dict[str, ExporterSpec]) -> None:
    frame = pd.DataFrame({"<i>": [1.0]}, index=["<b>x</b>"])
    text = exporters["html"].export([Table(title="&<", frame=frame, notes=("<script>",))])
    assert "<i>" not in text and "<b>x" not in text and "<script>" not in text
    assert "&lt;b&gt;x" in text


def test_csv_defuses_formulas(exporters: dict[str, ExporterSpec]) -> None:
    frame = pd.DataFrame({"J": [-0.5, 1.0]}, index=pd.Index(["=1+1", "@x"], name="Tracker"))
    text = exporters["csv"].export([Table(title="t", frame=frame)])
    assert text.splitlines() == ["Tracker,J", "'=1+1,-0.5", "'@x,1.0"]


def test_text_is_never_cut_at_80_columns(
    exporters: dict[str, ExporterSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name = "a-tracker-of-a-very-long-name+option=value+another=" + "x" * 60
    frame = pd.DataFrame({"J": [0.5]}, index=[name])
    assert name in exporters["text"].export([Table(title="t", frame=frame)])
