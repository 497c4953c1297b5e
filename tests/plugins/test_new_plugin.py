"""`vosbench new-plugin` writes a package that installs, passes its own tests and lint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.cli.new_plugin import LIKE
from vosbench.errors import UsageError


def generate(folder: Path, name: str = "my-tracker", like: str = "streaming") -> Path:
    arguments = ["new-plugin", name, "--like", like, "--output", str(folder)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return folder / f"vosbench-{name}"


def install(project: Path, site: Path) -> dict[str, str]:
    """Environment variables of a Python that has `project` as an editable install would leave it:
    its folder on the path, and the metadata that its pyproject.toml declares beside it."""
    about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    info.mkdir(parents=True)
    header = f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n"
    (info / "METADATA").write_text(header)
    entries = [f"{k} = {v}" for k, v in about["entry-points"]["vosbench"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[vosbench]", *entries, ""]))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(project), str(site)])}


@pytest.fixture(params=LIKE)
def like(request):
    return request.param


@pytest.fixture
def installed(tmp_path, like):
    project = generate(tmp_path, like=like)
    environment = install(project, tmp_path / "site")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_the_generated_tests_pass(installed):
    result = installed("pytest", "-q", "-p", "no:cacheprovider")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "21 passed" in result.stdout


@pytest.mark.parametrize("like", ["streaming"])
def test_the_generated_plugin_is_found_and_conforms(installed):
    listing = json.loads(installed("vosbench", "plugins", "--json").stdout)
    (info,) = [info for info in listing if info["name"] == "my-tracker"]
    assert info["source"] == "vosbench-my-tracker"
    assert info["version"] == "0.1.0"
    assert info["provides"] == {"trackers": ["my-tracker"]}
    result = installed("vosbench", "test-tracker", "my-tracker", "-o", "drift=3")
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_generated_code_is_clean(installed):
    assert installed("ruff", "check", "--isolated", ".").stdout.strip() == "All checks passed!"
    formatted = installed("ruff", "format", "--isolated", "--check", ".")
    assert formatted.returncode == 0, formatted.stdout


def test_nothing_is_overwritten(tmp_path):
    project = generate(tmp_path)
    readme = project / "README.md"
    readme.write_text("mine")
    result = CliRunner().invoke(main, ["new-plugin", "my-tracker", "--output", str(tmp_path)])
    assert result.exit_code == UsageError.exit_code
    assert f"{project} exists already" in result.output
    assert readme.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("My-Tracker", "cannot be the name of a tracker"),
        ("3d", "cannot be the name of a tracker"),
        ("../up", "cannot be the name of a tracker"),
        ("two--dashes", "cannot be the name of a tracker"),
        ("trailing\n", "cannot be the name of a tracker"),
        ("flow", "there is a tracker called 'flow' already"),
        ("baselines", "a package called 'vosbench_baselines' is installed already"),
    ],
)
def test_names_that_cannot_be_used_are_refused(tmp_path, name, message):
    result = CliRunner().invoke(main, ["new-plugin", name, "--output", str(tmp_path)])
    assert result.exit_code == UsageError.exit_code
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    result = CliRunner().invoke(
        main, ["new-plugin", "my-tracker", "--output", str(blocked / "below")]
    )
    assert result.exit_code == UsageError.exit_code
    assert "cannot be written: Not a directory" in result.output
