"""Environments of trackers: made, used, mixed, locked, removed; and those of the configuration.

No registry is asked: the packages are wheels made here. That of numpy holds a path file that leads
to ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy
import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.datasets.registry import open_dataset
from vosbench.plugins import Plugins
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs

PLUGIN = """
from vosbench import Option, Origin, TrackerSpec, hookimpl

@hookimpl
def vosbench_register_trackers(register):
    register(
        TrackerSpec(
            name="tiny",
            factory="tiny_plugin.tracker:Tiny",
            summary="Repeats the masks of its first frame.",
            options=(Option("shift", 0, "pixels to the right"),),
            origin=Origin(
                requirements=("tinypackage @ {wheel}",), repositories=("{repository}@{commit}",)
            ),
        )
    )
"""
TRACKER = """
import numpy as np

from vosbench import Prediction

class Tiny:
    def __init__(self, ctx):
        import clonedcode, tinypackage
        assert clonedcode.ANSWER == tinypackage.ANSWER == 42
        print("loaded")
        self.shift = ctx.options["shift"]
    def init(self, frame, targets, ctx):
        self.labels = np.zeros(frame.size, np.uint8)
        self.add(targets)
    def add(self, targets):
        for obj, mask in targets.items():
            self.labels[mask] = obj
    def track(self, frame, targets, ctx):
        self.add(targets)
        return Prediction.from_labels(np.roll(self.labels, self.shift, 1))
"""


def wheel(folder: Path, name: str, number: str, files: dict[str, str]) -> Path:
    """A wheel of pure Python."""
    path = folder / f"{name}-{number}-py3-none-any.whl"
    info = f"{name}-{number}.dist-info"
    files = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(file, text)
    return path


def repository(folder: Path) -> str:
    """A repository with one module; gives its commit."""
    folder.mkdir()
    (folder / "clonedcode.py").write_text("ANSWER = 42\n")

    def git(*arguments: str) -> str:
        who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        command = ["git", "-C", str(folder), *who, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "All of it")
    return git("rev-parse", "HEAD")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A plugin whose tracker needs a package and a repository, in a machine without a network."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    here = [sysconfig.get_path("purelib"), str(Path(numpy.__file__).parents[1])]
    paths = "".join(f"{path}\n" for path in dict.fromkeys(here))
    wheel(wheels, "numpy", version("numpy"), {"numpy_of_the_test.pth": paths})
    wheel(wheels, "pluggy", version("pluggy"), {"pluggy_of_the_test.txt": ""})
    tiny = wheel(wheels, "tinypackage", "1.0", {"tinypackage.py": "ANSWER = 42\n"})
    source = tmp_path / "source"
    commit = repository(source)
    plugin = tmp_path / "tiny_plugin"
    plugin.mkdir()
    (plugin / "tracker.py").write_text(TRACKER)
    (plugin / "__init__.py").write_text(
        PLUGIN.format(wheel=tiny.as_uri(), repository=source.as_uri(), commit=commit)
    )
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VOSBENCH_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # without uv, wherever this runs
    return plugin


@pytest.fixture
def videos(tmp_path):
    root = fakes.write_dataset(tmp_path / "tiny", [moving_discs("ant", (24, 32), 4)])
    return str(root)


def call(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_an_environment_is_made_used_beside_others_made_again_and_removed(
    home, videos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    plugin = ("--plugin", home)
    run = ("run", "--tracker", "tiny", "--tracker", "copy-first", "--dataset", videos, *plugin)
    refused = call(*run, code=4)
    assert "tracker 'tiny' needs tinypackage @ file://" in refused
    assert "vosbench trackers install tiny" in refused

    made = call("trackers", "install", "tiny", *plugin)
    assert "installing tinypackage" in made and "fetching file://" in made
    call(*run)
    (tiny,) = tmp_path.glob("results/*/tiny/run.json")
    (first,) = tmp_path.glob("results/*/copy-first/run.json")
    assert json.loads(tiny.read_text())["python"].startswith(str(tmp_path / "cache"))
    assert not json.loads(first.read_text())["python"]
    masks = [sorted(p.read_bytes() for p in f.parent.glob("masks/**/*.png")) for f in (tiny, first)]
    assert masks[0] == masks[1]

    tested = call("test-tracker", "tiny", "--case", "runs", "--case", "processes", *plugin)
    assert "tiny passes: 2 cases" in tested
    shown = "".join(call("trackers", "tiny", *plugin).split())
    assert f"runsin{tmp_path / 'cache'}" in shown
    assert "making" not in call("trackers", "install", "tiny", *plugin)

    (lock,) = (tmp_path / "cache" / "environments").glob("*.lock")
    assert "tinypackage @ file://" in lock.read_text()
    (lock.with_suffix("") / "vosbench.json").unlink()  # as if it had been interrupted
    assert f"installing what {lock} names" in call("trackers", "install", "tiny", *plugin)
    assert "is gone" in call("trackers", "remove", "tiny", *plugin)
    assert not lock.exists() and not lock.with_suffix("").exists()
    assert "has no environment" in call("trackers", "remove", "tiny", *plugin)


def test_what_cannot_be_fetched_is_named(home, tmp_path):
    text = (home / "__init__.py").read_text()
    (home / "__init__.py").write_text(text.replace("source@", "elsewhere@"))
    said = call("trackers", "install", "tiny", "--plugin", home, code=4)
    assert "failed: fatal:" in said and "elsewhere" in said
    assert "in [trackers.NAME] of the configuration" in said
    assert "needs" in call(
        "run", "--tracker", "tiny", "--dataset", "demo", "--plugin", home, code=4
    )


def test_the_configuration_maps_a_name_to_environment_plugin_and_options(
    videos, tmp_path, monkeypatch
):
    monkeypatch.setenv("VOSBENCH_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(
        f"""
[trackers.fake]
python = "{sys.executable}"
plugin = "{fakes.__file__}"

[trackers.eosvos-10]
options = {{ iterations = 3 }}
"""
    )
    plugins = Plugins()
    assert "fake" not in plugins.trackers
    monkeypatch.chdir(tmp_path)
    call("run", "--tracker", "fake", "--tracker", "copy-first", "--dataset", videos)
    (record,) = tmp_path.glob("results/*/fake/run.json")
    assert json.loads(record.read_text())["python"] == sys.executable
    assert "several objects" in call("trackers", "fake")
    from vosbench.running.environments import home_of

    assert home_of(plugins, "eosvos-10").options == {"iterations": "3"}
    assert open_dataset(videos, plugins, ()).sequences


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trackers = 3", "trackers must be tables"),
        ("[trackers.a]\npyhton = 'x'", "trackers.a: unknown key 'pyhton'"),
        ("[trackers.a]\npython = 3", "python must be a path"),
        ("[trackers.a]\nplugin = [3]", "plugin must be a path or a list"),
        ("[trackers.a]\noptions = { a = [1] }", "options must be a table of single values"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.setenv("VOSBENCH_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(text)
    assert message in call("trackers", code=2)
