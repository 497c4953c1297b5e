"""Interrupt it anywhere: the same command goes on, and the result is that of one run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from vosbench.errors import PluginError, RunError
from vosbench.processes import MARK
from vosbench.store import Run
from vosbench.testing import fakes


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
    return result


@pytest.fixture
def command(dataset, tmp_path):
    """The command line of a run slow enough to be interrupted."""
    return [
        *(sys.executable, "-m", "vosbench", "run", "--no-evaluate"),
        *("--plugin", fakes.__file__, "--tracker", "fake", "-o", "sleep=0.15"),
        *("--dataset", str(dataset.root), "--results", str(tmp_path / "results")),
    ]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results" / "tiny" / "fake+sleep=0.15"


def start_and_wait(command, folder):
    """Start the command; gives the process and its worker in the midst of the second sequence."""
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # A shell's background job ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for((folder / "masks/bee/00001.png").exists, "the second sequence")
    (worker,) = [c for c in psutil.Process(process.pid).children() if MARK in c.environ()]
    # A thread writes the records, and the next sequence does not wait for it.
    wait_for((folder / "sequences/ant.json").exists, "the first sequence's record")
    return process, worker


def gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_killed_run_goes_on_where_it_stopped(command, folder, sound, masks):
    process, worker = start_and_wait(command, folder)
    process.kill()
    process.communicate()
    wait_for(lambda: gone(worker), "the end of the orphaned worker", 10)
    assert not Run.open(folder).complete
    before = (folder / "sequences/ant.json").stat().st_mtime_ns
    (folder / "masks/cat").mkdir()
    (folder / "masks/cat/stale.png").write_text("half of a mask")

    subprocess.run(command, check=True, capture_output=True)
    run = Run.open(folder)
    assert run.complete
    assert masks(run) == sound
    assert (folder / "sequences/ant.json").stat().st_mtime_ns == before
    assert not (folder / "scratch").exists()


def test_killed_worker_costs_one_sequence_which_is_tried_again(command, folder, sound, masks):
    process, worker = start_and_wait(command, folder)
    worker.kill()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 5
    assert b"killed by SIGKILL" in errors
    records = Run.open(folder).sequences()
    assert [record.status for record in records.values()] == ["done", "failed", "done"]

    subprocess.run(command, check=True, capture_output=True)
    run = Run.open(folder)
    assert run.complete
    assert masks(run) == sound


def test_ctrl_c_ends_at_once_and_leaves_no_process(command, folder):
    process, worker = start_and_wait(command, folder)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"run the same command again to resume" in errors
    wait_for(lambda: gone(worker), "the end of the worker", 10)
    assert not (folder / "sequences/bee.json").exists()


def test_two_processes_do_not_share_a_run(command, folder):
    process, _ = start_and_wait(command, folder)
    process.send_signal(signal.SIGSTOP)  # or it may be done before the second has started
    second = subprocess.run(command, capture_output=True, check=False)
    process.kill()
    process.communicate()
    assert second.returncode == RunError.exit_code
    assert b"another process is running" in second.stderr


def test_failed_sequences_are_tried_again(go, masks, sound, tmp_path):
    fault = {"fault": "raise", "sequence": "bee"}
    broken = go(options=fault)
    # What ended the sequence was no fault of the tracker's: no trace of it in the options.
    record = json.loads((broken.folder / "run.json").read_text())
    target = tmp_path / "results" / "tiny" / "fake"
    broken.folder.rename(target)
    (target / "run.json").write_text(json.dumps(record | plain_options(record)))
    run = go()
    assert run.complete
    assert masks(run) == sound


def plain_options(record):
    options = record["options"] | {"fault": "none", "sequence": ""}
    return {"options": options, "changed": {}}


def test_what_is_done_is_not_done_again(go):
    first = go(sequences=["bee"])
    stamp = (first.masks / "bee/00000.png").stat().st_mtime_ns
    whole = go()
    assert whole.complete
    assert whole.record.sequences == ["ant", "bee", "cat"]
    assert (first.masks / "bee/00000.png").stat().st_mtime_ns == stamp
    log = (first.folder / "log.txt").read_bytes()
    assert go().complete
    assert (first.folder / "log.txt").read_bytes() == log  # no process was started
    assert go(sequences=["ant"]).record.sequences == ["ant", "bee", "cat"]


def test_fresh_discards(go):
    first = go()
    (first.scores).mkdir()
    (first.scores / "scores.json").write_text("stale")
    again = go(fresh=True, sequences=["ant"])
    assert again.record.sequences == ["ant"]
    assert not again.scores.exists()
    assert not (again.masks / "bee").exists()


def test_a_tracker_that_cannot_be_loaded_discards_nothing(go, masks, monkeypatch):
    before = masks(go())
    monkeypatch.setattr(
        "vosbench.running.executors.launch._BOOTSTRAP", "raise SystemExit('broken')"
    )
    with pytest.raises(PluginError, match="broken"):
        go(fresh=True)
    monkeypatch.undo()
    run = go()
    assert run.complete
    assert masks(run) == before


def change_data(run, dataset):
    path = dataset.sequences[0].annotations[0]
    path.write_bytes(dataset.sequences[0].annotations[2].read_bytes())


def change_version(run, dataset):
    run.record.versions["fakes"] = "000000000000"
    run.save()


def change_device(run, dataset):
    run.record.device = "cuda"
    run.save()


def change_format(run, dataset):
    (run.folder / "run.json").write_text('{"format": 0}')


def truncate(run, dataset):
    (run.folder / "run.json").write_text('{"format": 1, ')


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_data, "fingerprint differs"),
        (change_version, "fakes was 0000"),
        (change_device, "made on cuda, this is cpu"),
        (change_format, "format is 0"),
        (truncate, "cannot be read"),
    ],
)
def test_a_run_of_something_else_is_refused(go, masks, dataset, change, message):
    run = go(sequences=["ant"])
    before = masks(run)
    change(run, dataset)
    with pytest.raises(RunError, match=message) as caught:
        go()
    assert "--fresh" in caught.value.hint
    assert masks(run) == before
    assert go(fresh=True).complete


def test_another_card_of_the_same_kind_is_no_other_device(go):
    run = go(sequences=["ant"])
    run.record.device = "cpu:1"
    run.save()
    assert go().complete


def test_other_weights_are_refused(go, tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"one")
    options = {"weights": str(weights)}
    run = go(options=options, sequences=["ant"])
    assert list(run.record.files) == ["weights.bin"]
    assert Path(run.folder).name.startswith("fake+weights=")
    assert "/" not in Path(run.folder).name
    weights.write_bytes(b"two")
    with pytest.raises(RunError, match=r"weights\.bin was"):
        go(options=options)
    assert not [path for path in run.masks.iterdir() if path.name != "ant"]


def test_a_run_with_nothing_to_do_stays_as_it_is(go):
    path = go().folder / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"finished": "2001-01-01T00:00:00+00:00"}))
    before = path.read_bytes(), path.stat().st_mtime_ns
    assert go().record.finished.startswith("2001")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
