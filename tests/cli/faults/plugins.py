"""Plugins that cannot be loaded, and trackers that fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .fault import Fault

PLUGIN = """
from vosbench import Prediction, TrackerSpec, hookimpl

class Mine:
    def __init__(self, ctx): {build}
    def init(self, frame, targets, ctx): pass
    def track(self, frame, targets, ctx): {track}

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="{name}", factory=Mine, summary="mine"))
"""


def plugin(
    name: str = "mine", build: str = "pass", track: str = "return None"
) -> Callable[[], int]:
    text = PLUGIN.format(name=name, build=build, track=track)
    return lambda: Path("mine.py").write_text(text)


FAULTS = (
    Fault(
        "a tracker by others whose environment was not made yet",
        "run --tracker csrt --dataset data",
        4,
        "error: tracker 'csrt' needs opencv-contrib-python-headless==5.0.0.93, which our own "
        "environment lacks",
        "`vosbench trackers install csrt` puts it into an environment of its own.",
    ),
    Fault(
        "a plugin file that is not there",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: the file does not exist",
    ),
    Fault(
        "a plugin file with a syntax error",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: SyntaxError: invalid syntax (mine.py, line 1)",
        "`vosbench plugins --verbose --plugin mine.py` shows the traceback.",
        lambda: Path("mine.py").write_text("def f(:\n"),
    ),
    Fault(
        "a plugin file that raises when imported",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: ValueError: no licence",
        "`vosbench plugins --verbose --plugin mine.py` shows the traceback.",
        lambda: Path("mine.py").write_text("raise ValueError('no licence')"),
    ),
    Fault(
        "a plugin that takes a name twice",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: tracker 'copy-first' is registered twice",
        prepare=plugin(name="copy-first"),
    ),
    Fault(
        "a plugin disabled that is not there",
        "run --tracker flow --dataset data --disable baseline",
        2,
        "error: --disable baseline: there is no such plugin",
    ),
    Fault(
        "a tracker that cannot be built",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "tracker mine cannot be loaded: OSError: no weights",
        prepare=plugin(build="raise OSError('no weights')"),
    ),
    Fault(
        "a tracker that raises",
        "run --tracker mine --dataset data --plugin mine.py --sequence discs",
        5,
        "discs: track, frame 00001: ZeroDivisionError: division by zero",
        "Tracebacks are in results/data/mine/sequences; the same command tries them again.",
        prepare=plugin(track="return 1 / 0"),
    ),
    Fault(
        "a tracker that answers with nothing",
        "run --tracker mine --dataset data --plugin mine.py --sequence discs",
        5,
        "discs: track, frame 00001: track returned NoneType, not a Prediction",
        "Tracebacks are in results/data/mine/sequences; the same command tries them again.",
        prepare=plugin(),
    ),
    Fault(
        "a tracker that ends its process",
        "test-tracker mine --plugin mine.py --case runs",
        4,
        "the process ended with exit code 3",
        "error: mine fails 1 of 1 cases: runs",
        prepare=plugin(track="__import__('os')._exit(3)"),
    ),
    Fault(
        "an option whose default is no value",
        "run --tracker mine --dataset data --plugin mine.py",
        4,
        "error: plugin mine.py cannot be loaded: option rate: nan is no value of an option",
        "`vosbench plugins --verbose --plugin mine.py` shows the traceback.",
        lambda: Path("mine.py").write_text(
            "from vosbench import Option\nOption('rate', float('nan'), '')\n"
        ),
    ),
    Fault(
        "a tracker whose name leads out of the results",
        "run --tracker ../../out --dataset data --plugin mine.py",
        5,
        "run '../../out' cannot name a folder",
        "Rename it.",
        plugin(name="../../out"),
    ),
    Fault(
        "a tracker that does not come back",
        "run --tracker mine --dataset data --plugin mine.py --sequence discs --timeout 6",
        5,
        "discs: track, frame 00001: no answer within 6 s (--timeout), so it was ended",
        prepare=plugin(track="__import__('time').sleep(60)"),
    ),
    Fault(
        "labels that are no whole numbers",
        "run --tracker mine --dataset data --plugin mine.py --sequence discs",
        5,
        "discs: track, frame 00001: ValueError: labels must be integers (object ids), not float64",
        prepare=plugin(
            track="return Prediction.from_labels(__import__('numpy').zeros(frame.size))"
        ),
    ),
    Fault(
        "an error with control characters in its text: they are shown as text",
        "run --tracker mine --dataset data --plugin mine.py --sequence discs",
        5,
        "discs: track, frame 00001: ValueError: \\x1b[31mred",
        prepare=plugin(track="raise ValueError('\\x1b[31mred')"),
    ),
    Fault(
        "a tracker that puts the clock back",
        "run --tracker mine --dataset data --plugin mine.py --sequence discs",
        5,
        "the tracker's process sent a malformed message: track_seconds is",
        "not a list of numbers from 0 on",
        plugin(
            track="import time; time.perf_counter = lambda: 0.0; "
            "return Prediction.from_labels(__import__('numpy').zeros(frame.size, 'uint8'))"
        ),
    ),
)
