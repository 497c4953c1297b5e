"""A run belongs to one state of its plugin's code."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import vosbench.provenance
from vosbench.errors import RunError
from vosbench.plugins import Plugins
from vosbench.provenance import harness_commit, source_digest
from vosbench.running.recorder import Progress
from vosbench.running.runner import RunSettings, find_tracker, run

TRACKER = """
from vosbench.types import Prediction
import numpy as np

class Empty:
    def __init__(self, ctx): pass
    def init(self, frame, targets, ctx): pass
    def track(self, frame, targets, ctx):
        return Prediction.from_labels(np.zeros(frame.image.shape[:2], np.uint8))
"""
HOOK = """
from vosbench import TrackerSpec, hookimpl

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="finds-nothing", factory={factory}, summary="Background."))
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "empty.py"
    path.write_text(TRACKER + HOOK.format(factory="Empty"))
    return path


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A plugin's package as an editable installation shows it: its version stays."""
    folder = tmp_path / "source"
    (folder / "empties").mkdir(parents=True)
    (folder / "empties/__init__.py").write_text(HOOK.format(factory="'empties.net:Empty'"))
    (folder / "empties/net.py").write_text(TRACKER)
    (folder / "empties/settings.yaml").write_text("width: 3\n")
    facts = folder / "empties-0.1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: empties\nVersion: 0.1.0\n")
    (facts / "entry_points.txt").write_text("[vosbench]\nempties = empties\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    yield folder / "empties"
    for name in [name for name in sys.modules if name.partition(".")[0] == "empties"]:
        del sys.modules[name]


@pytest.fixture
def empty(tmp_path, dataset):
    """Run the tracker as it is now; gives the run."""

    def empty(*files, progress=None, sequences=("ant",), **settings):
        there = {"results": tmp_path / "results", "sequences": sequences, "progress": progress}
        made = run(Plugins(files), dataset, "finds-nothing", RunSettings(**settings), **there)[0]
        assert made.complete, [record.error for record in made.sequences().values()]
        return made

    return empty


def edit(path):
    path.write_text(path.read_text() + "# a comment\n")


def refused(made):
    digest = made.record.code[:12]
    return pytest.raises(RunError, match=f"code has changed since: was {digest}, is [0-9a-f]{{12}}")


def test_a_complete_run_of_a_plugin_file_that_was_edited_is_refused(empty, file):
    made = empty(file)
    before = (made.folder / "run.json").read_bytes()
    edit(file)
    with refused(made) as caught:
        empty(file)
    assert "--fresh" in caught.value.hint
    assert "--results" in caught.value.hint
    assert (made.folder / "run.json").read_bytes() == before
    again = empty(file, fresh=True)
    assert again.complete
    assert again.record.code != made.record.code


@pytest.mark.parametrize("name", ["net.py", "__init__.py", "settings.yaml"])
def test_a_package_keeps_its_version_when_it_is_edited(empty, package, name):
    made = empty()
    log = (made.folder / "log.txt").stat()
    assert empty().record == made.record
    edit(package / name)
    with refused(made):
        empty()
    with refused(made):
        empty(sequences=["ant", "bee"])  # nor is it mixed from two codes
    assert (made.folder / "log.txt").stat() == log  # no process was started


def test_code_that_is_edited_while_it_runs_is_refused(empty, file):
    class Edit(Progress):
        def finished(self, record):
            edit(file)

    with pytest.raises(RunError, match="code has changed since"):
        empty(file, progress=Edit(), sequences=["ant", "bee", "cat"], isolate=True)


def test_another_environment_tells_its_own_code(empty, file, tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    made = empty(file, python=str(python))
    assert made.record.code == find_tracker(Plugins([file]), "finds-nothing").code
    assert empty(file, python=str(python)).record.started == made.record.started
    edit(file)
    with refused(made):
        empty(file, python=str(python))


def test_a_record_of_an_earlier_version_is_accepted(empty, file):
    path = empty(file).folder / "run.json"
    record = json.loads(path.read_text())
    del record["code"], record["commit"]
    path.write_text(json.dumps(record))
    before = path.read_bytes()
    assert empty(file).complete
    assert path.read_bytes() == before
    assert empty(file, sequences=["ant", "bee"]).record.code


def test_weights_of_one_name_are_told_apart(empty, file, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.bin").write_text(name)
    use = f"[ctx.used_file(__import__('pathlib').Path({str(tmp_path)!r}, n, 'weights.bin'))"
    text = file.read_text().replace("ctx): pass", f"ctx): {use} for n in ('one', 'two')]", 1)
    file.write_text(text)
    assert sorted(empty(file).record.files) == ["one/weights.bin", "two/weights.bin"]


def test_weights_that_are_called_like_published_ones_but_differ_are_named(
    empty, file, tmp_path, caplog
):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"as published")
    digest = hashlib.sha256(b"as published").hexdigest()
    use = f"ctx.used_file(__import__('pathlib').Path({str(weights)!r}))"
    text = file.read_text().replace("ctx): pass", f"ctx): {use}", 1)
    text = text.replace('summary="Background."', "summary='', origin=ORIGIN")
    origin = f"ORIGIN = Origin(digests={{'weights.bin': {digest!r}}})\n"
    file.write_text(text.replace("@hookimpl", f"from vosbench import Origin\n{origin}@hookimpl"))
    assert empty(file).record.files["weights.bin"] == digest
    assert not caplog.records
    weights.write_bytes(b"damaged")
    made = empty(file, fresh=True)
    assert made.record.files["weights.bin"] != digest
    (warning,) = caplog.messages
    assert "SHA-256 of weights.bin is" in warning and digest in warning


def test_a_package_that_is_imported_counts(package):
    before = source_digest("empties", "empties.net:Empty")
    lent = package.parent / "vosbench_lent"
    lent.mkdir()
    (lent / "__init__.py").write_text("")
    assert source_digest("empties", "empties.net:Empty") == before
    (package / "net.py").write_text("    from vosbench_lent import x\n")
    importing = source_digest("empties", "empties.net:Empty")
    edit(lent / "__init__.py")
    assert source_digest("empties", "empties.net:Empty") not in (before, importing)


def test_it_takes_milliseconds():
    plugins = Plugins()
    spec = plugins.tracker("flow")
    began = time.process_time()
    plugins.digest(spec)
    assert time.process_time() - began < 0.2


def test_the_commit_says_whether_files_differ_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr(vosbench.provenance, "__file__", str(tmp_path / "vosbench/provenance.py"))
    assert harness_commit() == ""

    def git(*arguments):
        names = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "code.py").write_text("1")
    git("init")
    git("add", "code.py")
    git("commit", "-m", "first")
    commit = harness_commit()
    assert len(commit) == 40
    Path(tmp_path, "code.py").write_text("2")
    assert harness_commit() == f"{commit}-dirty"
