"""A run belongs to the versions of the packages that its tracker wraps, to the modules beside it
and to its weights."""

from __future__ import annotations

import json
import sys

import pytest

from vosbench.errors import RunError
from vosbench.plugins import Plugins
from vosbench.running.runner import RunSettings, run

PLUGIN = """
from pathlib import Path
import numpy as np
from vosbench import Option, Prediction, TrackerSpec, hookimpl

class Wrapper:
    def __init__(self, ctx):
        import beside
        if ctx.options["weights"]:
            ctx.used_file(Path(ctx.options["weights"]))
    def init(self, frame, targets, ctx): pass
    def track(self, frame, targets, ctx):
        from wrapped import net  # as late as can be
        return Prediction.from_labels(np.full(frame.size, net.ANSWER, np.uint8))

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="wrapper", factory=Wrapper, summary="Of a package.",
                         options=(Option("weights", "", "file"),)))
"""


def install(site, version):
    facts = site / "Wrapped.Net-1.dist-info"
    facts.mkdir(parents=True, exist_ok=True)
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: Wrapped.Net\nVersion: {version}\n"
    )
    (facts / "RECORD").write_text("wrapped/__init__.py,,\nwrapped/net.py,,\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Where a package is installed that the tracker wraps, under another name than its module's."""
    site = tmp_path / "lib/site-packages"
    (site / "wrapped").mkdir(parents=True)
    (site / "wrapped/__init__.py").write_text("")
    (site / "wrapped/net.py").write_text("ANSWER = 0\n")
    install(site, "1.0")
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "beside.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", f"{site}:{clone}")
    monkeypatch.syspath_prepend(site)
    return site


@pytest.fixture
def wrapper(tmp_path, dataset, site):
    """Run the tracker as it is now; gives the run."""
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)

    def wrapper(*, sequences=("ant",), results="results", **settings):
        there = {"results": tmp_path / results, "sequences": sequences}
        made = run(Plugins([file]), dataset, "wrapper", RunSettings(**settings), **there)[0]
        assert made.complete, [record.error for record in made.sequences().values()]
        return made

    return wrapper


@pytest.fixture
def elsewhere(tmp_path):
    """Another environment, for all that the harness knows."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return str(python)


@pytest.mark.parametrize("other", [False, True])
def test_a_wrapped_package_of_another_version_is_another_run(wrapper, site, elsewhere, other):
    python = elsewhere if other else ""
    made = wrapper(python=python)
    assert made.record.packages["Wrapped.Net"] == "1.0"
    assert "numpy" in made.record.packages
    assert not {"vosbench", "click", "pluggy"} & made.record.packages.keys()
    before, log = (made.folder / "run.json").read_bytes(), (made.folder / "log.txt").stat()
    assert wrapper(python=python).record == made.record
    install(site, "1.1")
    for sequences in (["ant"], ["ant", "bee"]):
        with pytest.raises(RunError, match=r"package Wrapped.Net was 1.0, it is 1.1 now") as caught:
            wrapper(python=python, sequences=sequences)
        assert "--fresh" in caught.value.hint
    (site / "Wrapped.Net-1.dist-info/METADATA").unlink()
    (site / "Wrapped.Net-1.dist-info/RECORD").unlink()
    (site / "Wrapped.Net-1.dist-info").rmdir()
    with pytest.raises(RunError, match=r"Wrapped.Net was 1.0, it is not installed now"):
        wrapper(python=python)
    assert (made.folder / "run.json").read_bytes() == before
    assert (made.folder / "log.txt").stat() == log  # no process was started to track


def test_a_record_without_packages_is_accepted(wrapper, site):
    path = wrapper().folder / "run.json"
    record = json.loads(path.read_text())
    del record["packages"], record["places"]
    path.write_text(json.dumps(record))
    install(site, "1.1")
    before = path.read_bytes()
    assert wrapper().complete
    assert path.read_bytes() == before


def test_a_module_that_no_package_holds_counts_by_its_contents(wrapper, tmp_path):
    made = wrapper()
    assert list(made.record.files) == ["beside.py"]
    (tmp_path / "clone/beside.py").write_text("# edited\n")
    with pytest.raises(RunError, match=r"beside.py was e3b0c44298fc, it is [0-9a-f]{12} now"):
        wrapper()


def test_weights_that_were_changed_after_the_run_are_noticed(wrapper, tmp_path, monkeypatch):
    weights = tmp_path / "weights.bin"
    weights.write_text("one")
    wrapper(options={"weights": str(weights)})
    wrapper(options={"weights": str(weights)})
    weights.write_text("two")
    with pytest.raises(RunError, match=r"weights.bin was [0-9a-f]{12}, it is [0-9a-f]{12} now"):
        wrapper(options={"weights": str(weights)})
    monkeypatch.chdir(tmp_path)
    wrapper(options={"weights": "weights.bin"})
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    (tmp_path / "project/weights.bin").write_text("three")
    with pytest.raises(RunError, match=r"it is [0-9a-f]{12} now: .*/project/weights.bin"):
        wrapper(options={"weights": "weights.bin"})  # the same words, another file
