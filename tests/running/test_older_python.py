"""Trackers that live in Python 3.9 or 3.10."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.testing import fakes, moving_discs

PLUGIN = """
import sys
from pathlib import Path

import numpy as np
from vosbench import Option, Prediction, TrackerSpec, hookimpl

class Still:
    def __init__(self, ctx):
        assert sys.version_info < (3, 11)
        ctx.used_file(Path(__file__))
    def init(self, frame, targets, ctx):
        self.labels = np.zeros(frame.size, np.uint8)
        self.add(targets)
    def add(self, targets):
        for obj, mask in targets.items():
            self.labels[mask] = obj
    def track(self, frame, targets, ctx):
        self.add(targets)
        return Prediction.from_labels(self.labels)

@hookimpl
def vosbench_register_trackers(register):
    option = Option("speed", 1, "is ignored")
    register(TrackerSpec(name="old", factory=Still, summary="stands still", options=(option,)))
"""
#: What lacks the argument before Python 3.10, and is taken from vosbench.backports therefore.
NEWER = {"dataclass": {"slots", "kw_only"}, "zip": {"strict"}}


def test_what_a_trackers_process_imports_is_python_3_9() -> None:
    program = (
        "import sys, vosbench.adapt, vosbench.testing.examiner, vosbench.running.executors.worker\n"
        "for name, module in sorted(sys.modules.items()):\n"
        "    if name.split('.')[0] == 'vosbench': print(module.__file__)"
    )
    listed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    files = [Path(line) for line in listed.stdout.split("\n") if line]
    assert len(files) > 20
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"), str(file), feature_version=(3, 9))
        nodes = list(ast.walk(tree))
        borrowed = {
            alias.name
            for node in nodes
            if isinstance(node, ast.ImportFrom) and node.module == "vosbench.backports"
            for alias in node.names
        }
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                newer = NEWER.get(node.func.id, set()) & {word.arg for word in node.keywords}
                assert not newer or node.func.id in borrowed, f"{file}:{node.lineno}"


@pytest.mark.slow
@pytest.mark.parametrize("python", ["python3.9", "python3.10"])
@pytest.mark.parametrize("installed", [True, False], ids=["installed", "file"])
def test_a_tracker_of_an_older_python_runs_and_is_examined(
    python, installed, tmp_path, monkeypatch
):
    found = shutil.which(python)
    works = found and subprocess.run([found, "--version"], capture_output=True).returncode == 0
    if not found or not works:
        pytest.skip(f"there is no {python} here")
    home = tmp_path / "environment"
    subprocess.run([found, "-m", "venv", str(home)], check=True)
    subprocess.run([home / "bin/pip", "install", "--quiet", "numpy", "pluggy"], check=True)
    (site,) = home.glob("lib/python3*/site-packages")
    file = tmp_path / "old_plugin.py"
    if installed:
        file = site / "old_plugin.py"
        facts = site / "old_plugin-1.2.dist-info"
        facts.mkdir()
        (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: old-plugin\nVersion: 1.2\n")
        (facts / "entry_points.txt").write_text("[vosbench]\nold = old_plugin\n")
    file.write_text(PLUGIN)
    plugin = "" if installed else f'plugin = "{file}"'
    config = tmp_path / "config.toml"
    config.write_text(f'[trackers.old]\npython = "{home}"\n{plugin}\n')
    monkeypatch.setenv("VOSBENCH_CONFIG", str(config))
    monkeypatch.chdir(tmp_path)
    clip = moving_discs("ant", (24, 32), 4, {1: 0, 7: 2})
    videos = str(fakes.write_dataset(tmp_path / "tiny", [clip]))

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    call("run", "--tracker", "old", "--dataset", videos, "-o", "speed=2")
    (record,) = tmp_path.glob("results/*/old*/run.json")
    noted = json.loads(record.read_text())
    assert noted["versions"]["python"].startswith(python.removeprefix("python"))
    assert "numpy" in noted["packages"]
    assert "old_plugin.py" in noted["files"]
    if installed:
        assert noted["versions"][noted["plugin"]] == "1.2"
    assert "old passes: 20 cases" in call("test-tracker", "old")
