"""The whole way with real video and a real tracker: run, compare, show, pack."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from click.testing import CliRunner, Result
from PIL import Image

from vosbench.cli import main


def test_run_compare_show_pack(data_root: Path, tmp_path: Path) -> None:
    data, results = str(data_root / "DAVIS-2017-240p"), str(tmp_path / "results")

    def vosbench(*arguments: str) -> Result:
        where = ["--dataset", data, "--results", results]
        result = CliRunner().invoke(main, [arguments[0], *where, *arguments[1:]])
        assert result.exit_code == 0, result.output
        return result

    vosbench("run", "--tracker", "copy-first")
    vosbench("run", "--tracker", "copy-first", "--seed", "1")
    names = ["copy-first", "copy-first+seed=1"]
    (seeds,) = json.loads(vosbench("compare", "--format", "json").stdout)[0]["rows"]
    assert seeds[0] == "copy-first"

    shown = vosbench("compare", "--format", "json", "--each-seed")
    rows = json.loads(shown.stdout)[0]["rows"]
    assert [row[0] for row in rows] == names
    assert 0 < rows[0][1] < 1
    assert rows[0][1:-1] == rows[1][1:-1]
    table = vosbench("compare", "--against", names[0], "--unit", "object", "--each-seed")
    assert "+0.0" in table.stdout
    assert "Pairs: objects of each sequence together" in table.stdout

    sheets = vosbench("show", "--tracker", names[1], "--what", "both").stdout.split("\n")[:-1]
    assert [Path(path).name for path in sheets] == ["dogs-jump.png", "schoolgirls.png"]
    with Image.open(sheets[0]) as sheet:
        assert sheet.width > 1600

    vosbench("pack", "--tracker", names[0], "--output", str(tmp_path / "out.zip"))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert len(archive.namelist()) == 66 + 80
