"""Trackers in other environments, and what a worker's process looks like."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy
import pluggy
import pytest

from vosbench.errors import PluginError, UsageError
from vosbench.plugins import Plugins
from vosbench.running.runner import find_tracker, run
from vosbench.testing import check_apart, conformance_cases, fakes


@pytest.fixture
def bare_python(tmp_path):
    """An environment with numpy, pluggy and nothing else (links to ours)."""
    folder = tmp_path / "bare"
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = (folder / "lib").glob("python3*/site-packages")
    for package in (numpy, pluggy):
        source = Path(package.__file__).parent
        for path in source.parent.glob(f"{source.name}*"):
            (site / path.name).symlink_to(path)
    python = folder / "bin" / "python"
    missing = subprocess.run([python, "-c", "import cv2"], capture_output=True, check=False)
    assert b"ModuleNotFoundError" in missing.stderr
    return str(python)


def test_another_environment_gives_the_same_masks(go, masks, bare_python):
    here = go()
    there = go(python=bare_python, results="there")
    assert masks(there) == masks(here)
    assert there.complete
    assert "vosbench" in there.record.versions
    assert not any("opencv" in package for package in there.record.versions)


def test_a_wrapped_tracker_in_another_environment(go, masks, bare_python):
    single = go("fake-single")
    assert masks(go("fake-single", python=bare_python, results="there")) == masks(single)
    assert single.record.wrapped == "one session per object"


def test_a_tracker_is_described_by_its_own_environment(plugins, bare_python):
    spec = find_tracker(plugins, "fake", bare_python)
    here = plugins.tracker("fake")
    assert (spec.name, spec.options, spec.capabilities) == (
        here.name,
        here.options,
        here.capabilities,
    )
    with pytest.raises(PluginError, match="no tracker called 'fake-singel'"):
        find_tracker(plugins, "fake-singel", bare_python)


@pytest.mark.parametrize(
    ("python", "error", "message"),
    [
        ("/nowhere/python", UsageError, "--python /nowhere/python cannot be started"),
        ("/bin/true", PluginError, "--python /bin/true: .* exit code 0"),
    ],
)
def test_an_unusable_interpreter_is_named(plugins, python, error, message):
    with pytest.raises(error, match=message):
        find_tracker(plugins, "fake", python)


def test_the_conformance_suite_runs_there(plugins, bare_python, tmp_path, monkeypatch):
    monkeypatch.setenv("VOSBENCH_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text(f'[trackers.fake]\npython = "{bare_python}"\n')
    wanted = [case for case in conformance_cases() if case.name in ("runs", "processes", "finds")]
    outcomes = list(check_apart(plugins, "fake", wanted))
    assert [outcome.status for outcome in outcomes] == ["passed"] * 3, outcomes


def test_an_environment_without_numpy_is_explained(plugins, tmp_path):
    venv.create(tmp_path / "empty", with_pip=False, symlinks=True)
    python = str(tmp_path / "empty" / "bin" / "python")
    with pytest.raises(PluginError, match=r"No module named '(pluggy|numpy)'"):
        find_tracker(plugins, "fake", python)


def test_the_worker_opens_no_file_of_the_dataset(dataset, tmp_path):
    spy = tmp_path / "spy.py"
    opened = tmp_path / "opened.txt"
    spy.write_text(
        f"""
import os
import sys

def audit(event, args):
    if event == "open" and isinstance(args[0], str) and args[0] != {str(opened)!r}:
        with open({str(opened)!r}, "a") as log:
            print(args[0], file=log)

if os.getpid() != {os.getpid()}:  # in the worker, not in this process
    sys.addaudithook(audit)
"""
    )
    plugins = Plugins([Path(fakes.__file__), spy])
    assert run(plugins, dataset, "fake", results=tmp_path / "results")[0].complete
    paths = opened.read_text().splitlines()
    assert paths
    assert not [path for path in paths if str(dataset.root) in path]  # frames are sent to it


CURIOUS = """
import os
import numpy as np
from vosbench import Option, Prediction, TrackerSpec, hookimpl

class Curious:
    def __init__(self, ctx): pass
    def init(self, frame, targets, ctx):
        assert "VOSBENCH_DATA" not in os.environ and "VOSBENCH_CONFIG" not in os.environ
        try:
            ctx.options["rate"] = 2.0
        except TypeError:
            return
        raise AssertionError("options can be changed")
    def track(self, frame, targets, ctx):
        return Prediction.from_labels(np.zeros(frame.size, np.uint8))

@hookimpl
def vosbench_register_trackers(register):
    rate = Option("rate", 1.0, "")
    register(TrackerSpec(name="curious", factory=Curious, summary="", options=(rate,)))
"""


def test_a_tracker_is_not_told_where_data_are_and_cannot_change_its_options(
    dataset, tmp_path, monkeypatch
):
    monkeypatch.setenv("VOSBENCH_DATA", str(dataset.root.parent))
    (tmp_path / "curious.py").write_text(CURIOUS)
    plugins = Plugins([tmp_path / "curious.py"])
    made = run(plugins, dataset, "curious", results=tmp_path / "results")[0]
    assert made.complete, made.sequences()


def test_threads_are_the_workers_share(go, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    made = go(sequences=["ant"], jobs=cores)
    assert made.record.hardware["threads"] == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert go(sequences=["ant"], fresh=True).record.hardware["threads"] == 3
    assert made.record.versions["python"] == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize("policy", ["", "ACTIVE"])
def test_waiting_threads_sleep_soon_unless_told_otherwise(dataset, tmp_path, monkeypatch, policy):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.delenv(name, raising=False)
    if policy:
        monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    spy, seen = tmp_path / "spy.py", tmp_path / "seen.txt"
    spy.write_text(
        f"""
import os

if os.getpid() != {os.getpid()}:  # in the worker, not in this process
    with open({str(seen)!r}, "w") as file:
        print(os.environ.get("GOMP_SPINCOUNT"), os.environ.get("OMP_WAIT_POLICY"), file=file)
"""
    )
    run(Plugins([Path(fakes.__file__), spy]), dataset, "fake", results=tmp_path / "results")
    assert seen.read_text().split() == (["None", "ACTIVE"] if policy else ["5000", "None"])
