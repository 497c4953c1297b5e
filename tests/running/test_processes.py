"""Nothing hangs and no process stays, however a command, its worker or a tracker's child ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from vosbench.plugins import Plugins
from vosbench.processes import MARK
from vosbench.running.runner import RunSettings, run
from vosbench.store import Run

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")

TRACKER = """
import os, signal, subprocess, sys, time
import numpy as np
from vosbench import Option, Prediction, TrackerSpec, hookimpl

class Odd:
    def __init__(self, ctx):
        pass
    def init(self, frame, targets, ctx):
        self.labels = np.zeros(frame.size, np.uint8)
        for obj, mask in targets.items():
            self.labels[mask] = obj
        if ctx.options["what"] == "steps":
            for step in range(12):
                time.sleep(0.25)
                ctx.progress(step)
        if ctx.options["what"] == "stuck":
            while True:
                time.sleep(0.1)
                ctx.progress(3)
    def track(self, frame, targets, ctx):
        for obj, mask in targets.items():
            self.labels[mask] = obj
        if ctx.sequence == "bee" and frame.index == 2:
            getattr(self, ctx.options["what"], lambda: None)()
        time.sleep(ctx.options["sleep"])
        return Prediction.from_labels(self.labels)
    def close(self, ctx):
        if ctx.options["what"] == "close":
            os._exit(9)
    def fork(self):  # a child that holds the pipe, in the group or out of it
        if os.fork() == 0:
            time.sleep(60)
        os._exit(3)
    def fork_apart(self):
        if os.fork() == 0:
            os.setsid()
            time.sleep(60)
        os._exit(3)
    def helper(self):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"],
                         start_new_session=True)
    def garbage(self):
        for descriptor in range(3, 20):
            try:
                os.write(descriptor, (30).to_bytes(8, "little") + b'{"type": 5, "arrays": []}     ')
            except OSError:
                pass
        time.sleep(60)
    def chatter(self):
        for n in range(600):
            print("x" * 100_000, flush=True)
            if n % 60 == 59:
                time.sleep(0.15)
    def clock(self):
        real, now = time.perf_counter, time.perf_counter()
        time.perf_counter = lambda: now + (real() - now) / 1000
        time.sleep(1.5)

@hookimpl
def vosbench_register_trackers(register):
    options = (Option("what", "none", "what it does"), Option("sleep", 0.0, "seconds a frame"))
    register(TrackerSpec(name="odd", factory=Odd, summary="Odd.", options=options))
"""


@pytest.fixture
def odd(tmp_path, dataset):
    """Run the odd tracker; gives the run and how long it took."""
    file = tmp_path / "odd.py"
    file.write_text(TRACKER)

    def odd(what, sequences=(), **settings):
        began = time.monotonic()
        made = run(
            Plugins([file]),
            dataset,
            "odd",
            RunSettings(options={"what": what}, **settings),
            results=tmp_path / "results",
            sequences=sequences,
        )[0]
        return made, time.monotonic() - began

    return odd


def wait_for(condition, what, seconds=20):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return result


def carriers(pid):
    """Processes that carry the mark of workers of command `pid`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK, "").startswith(f"{pid}-"):
                found.append(process)
    return found


def status(run):
    return [record.status for record in run.sequences().values()]


@pytest.mark.parametrize("what", ["fork", "fork_apart"])
def test_a_forked_child_that_holds_the_pipe_does_not_keep_us_waiting(odd, what):
    made, seconds = odd(what, timeout=30)
    assert seconds < 20
    assert status(made) == ["done", "failed", "done"]
    assert "track, frame 00002: the process ended with exit code 3" in made.sequences()["bee"].error


@LINUX
@pytest.mark.parametrize("what", ["helper", "fork_apart"])
def test_helpers_in_sessions_of_their_own_end_with_their_worker(odd, what):
    odd(what)
    assert not carriers(os.getpid())


def test_a_call_that_gets_on_outlives_the_timeout(odd):
    made, _ = odd("steps", timeout=2.5, sequences=["ant"])
    assert made.complete
    stuck, seconds = odd("stuck", timeout=2.5, sequences=["ant"])
    assert "init, frame 00000: no answer within 2.5 s" in stuck.sequences()["ant"].error
    assert seconds < 20


def test_a_crash_in_close_is_blamed_on_close(odd):
    made, _ = odd("close", sequences=["ant"])
    assert made.sequences()["ant"].error == (
        "close, frame 00004: the process ended with exit code 9"
    )


def test_malformed_messages_cost_their_sequence_only(odd):
    made, _ = odd("garbage", timeout=20)
    assert status(made) == ["done", "failed", "done"]
    assert "malformed message: type is '5', not str" in made.sequences()["bee"].error


def test_each_worker_has_a_log_that_does_not_grow_for_ever(odd):
    made, _ = odd("chatter", jobs=2)
    assert made.complete
    logs = sorted(made.folder.glob("log*.txt"))
    assert [log.name for log in logs] == ["log-2.txt", "log.txt"]
    # It is shortened every twentieth of a second: what came meanwhile may exceed the limit.
    assert sum(log.stat().st_size for log in logs) < 50e6


def test_a_clock_that_was_changed_is_noticed(odd):
    honest, _ = odd("none")
    assert honest.timing().fps > 0
    assert all(record.clock_agrees for record in honest.sequences().values())
    made, _ = odd("clock")
    assert not made.sequences()["bee"].clock_agrees
    assert not made.timing().comparable


def test_each_sequence_in_a_process_of_its_own(odd, tmp_path):
    log = tmp_path / "pids.txt"
    file = tmp_path / "odd.py"
    file.write_text(f"import os\nopen({str(log)!r}, 'a').write(f'{{os.getpid()}}\\n')\n" + TRACKER)
    odd("none", isolate=True)
    assert len(set(log.read_text().split()) - {str(os.getpid())}) == 3


@pytest.fixture
def command(tmp_path, dataset):
    """A command line that runs the odd tracker slowly, with a helper in a session of its own."""
    file = tmp_path / "odd.py"
    file.write_text(TRACKER)
    return [
        *(sys.executable, "-m", "vosbench", "run", "--no-evaluate", "--plugin", str(file)),
        *("--tracker", "odd", "-o", "what=helper", "-o", "sleep=0.1"),
        *("--dataset", str(dataset.root), "--results", str(tmp_path / "results")),
    ]


def start(command):
    def defaults():  # a shell's background job ignores some of them, and so would what it starts
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=defaults
    )


@LINUX
@pytest.mark.parametrize(
    ("name", "whom", "code"),
    [
        ("SIGHUP", "main", 129),
        ("SIGKILL", "both", -9),
    ],
)
def test_no_process_outlives_the_command(command, tmp_path, name, whom, code):
    folder = tmp_path / "results/tiny/odd+sleep=0.1+what=helper"
    process = start(command)
    wait_for((folder / "masks/bee/00003.png").exists, "the second sequence")
    workers = wait_for(lambda: len(found := carriers(process.pid)) == 2 and found, "the helper")
    for each in workers if whom == "both" else ():
        if each.ppid() == process.pid:
            each.send_signal(signal.SIGKILL)
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    if code > 0:
        assert b"run the same command again to resume" in errors
    wait_for(lambda: not carriers(process.pid), "the end of all processes", 10)

    subprocess.run(command, check=True, capture_output=True)
    assert Run.open(folder).complete
    assert not (folder / "scratch").exists()
    assert not list(folder.rglob("*.part"))


@LINUX
def test_suspended_time_is_not_the_trackers(command, tmp_path):
    folder = tmp_path / "results/tiny/odd+sleep=0.1+what=helper"
    process = start([*command, "--timeout", "3"])
    wait_for((folder / "masks/ant/00001.png").exists, "the first sequence")
    workers = wait_for(lambda: carriers(process.pid), "the worker")
    for each in (psutil.Process(process.pid), *workers):
        each.suspend()
    time.sleep(3.5)
    for each in (*workers, psutil.Process(process.pid)):
        each.resume()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert Run.open(folder).complete


@LINUX
def test_processes_that_score_end_with_the_command(tmp_path):
    script = tmp_path / "score.py"
    script.write_text(
        """
import multiprocessing, sys, time
from concurrent.futures import ProcessPoolExecutor
from vosbench.processes import end_with_parent

if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(2, mp_context=spawn, initializer=end_with_parent)
    futures = [pool.submit(time.sleep, 60) for _ in range(2)]
    while not all(future.running() for future in futures):
        time.sleep(0.1)
    print("ready", flush=True)
    time.sleep(60)
"""
    )
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.kill()
    process.wait()
    wait_for(lambda: not any(c.is_running() for c in children), "the end of the pool", 10)


def test_records_hold_what_was_watched(odd):
    made, _ = odd("none", sequences=["ant"])
    record = json.loads((made.folder / "sequences/ant.json").read_text())
    assert record["watched_seconds"] > 0
    assert sorted(record["masks"]) == [f"{i:05d}.png" for i in range(5)]
    assert all(size > 0 for size in record["masks"].values())
