"""The front door for Python: light to open, and the same results as the commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import vosbench
from vosbench.errors import DatasetError, RunError, UsageError

ROOT = Path(__file__).parents[1]


def test_import_is_light() -> None:
    code = (
        "import sys, vosbench; dir(vosbench); "
        "print({'numpy', 'torch', 'pandas', 'rich', 'click'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_every_public_name_is_there() -> None:
    assert all(getattr(vosbench, name) is not None for name in vosbench.__all__)
    assert set(vosbench.__all__) <= set(dir(vosbench))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def still(results: Path):
    return vosbench.run("copy-first", "demo", limit=2, results=results)


def test_run_then_scores_then_table(still, results: Path) -> None:
    assert still.complete and still.folder == results / "demo" / "copy-first"
    scores = vosbench.evaluate(still)
    assert list(scores.table.index) == [*still.done(), "global"]
    assert scores.table.loc["global", "J"] == pytest.approx(100 * scores.global_scores["J-Mean"])
    shown = vosbench.compare([still])
    by_name = vosbench.compare("demo", results=results)
    assert shown.frame.equals(by_name.frame)
    assert shown.frame.loc["copy-first", "J"] == scores.global_scores["J-Mean"]
    assert "copy-first" in still._repr_html_()
    assert f"{scores.table.loc['global', 'J']:.1f}" in scores._repr_html_()
    assert f"{scores.table.loc['global', 'J']:.1f}" in shown._repr_html_()


def test_a_folder_of_masks_scores_as_its_run(still) -> None:
    part = vosbench.open_dataset("demo")
    with pytest.raises(vosbench.errors.EvaluationError):  # the run is over two sequences only
        vosbench.evaluate(still.masks, part)
    assert vosbench.evaluate(still.folder).table.equals(vosbench.evaluate(still).table)
    with pytest.raises(UsageError, match="is no run"):
        vosbench.evaluate(still.masks)


def test_errors_name_the_way_out(results: Path) -> None:
    with pytest.raises(DatasetError, match="no dataset"):
        vosbench.open_dataset("demmo")
    with pytest.raises(RunError, match="no run over"):
        vosbench.compare("davis17-val", results=results)
    with pytest.raises(UsageError, match="--jobs"):
        vosbench.run("copy-first", "demo", jobs=0, results=results)
    with pytest.raises(UsageError, match="no metric"):
        vosbench.evaluate(results, "demo", metrics=["nonsense"])


def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "docs" / "notebook.ipynb", as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where).execute()
    outputs = [str(output) for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("<progress" in text or "display_data" in text for text in outputs)
    assert any("<caption>demo" in text for text in outputs)
