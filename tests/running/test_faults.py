"""A tracker that fails, hangs or dies costs its own sequence only."""

from __future__ import annotations

import re
import sys

import pytest

from vosbench.errors import PluginError

FAULTS = {
    "raise": "track, frame 00002: RuntimeError: no more ideas",
    "quit": "track, frame 00002: SystemExit: 0",
    "hang": r"track, frame 00002: no answer within 4 s \(--timeout\)",
    "exit": "track, frame 00002: the process ended with exit code 7",
    "segfault": "track, frame 00002: the process was killed by SIGSEGV",
    "ids": r"track, frame 00002: unknown object ids \[99\]; known are \[1, 2\]",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_costs_its_own_sequence_only(go, masks, sound, fault):
    options = {"fault": fault, "sequence": "bee"}
    run = go(options=options, timeout=4 if fault == "hang" else 60)
    records = run.sequences()
    assert {name: r.status for name, r in records.items()} == {
        "ant": "done",
        "bee": "failed",
        "cat": "done",
    }
    assert not run.complete
    assert run.record.status == "partial"
    assert re.match(FAULTS[fault], records["bee"].error)
    if fault in ("raise", "segfault"):
        assert "fakes.py" in records["bee"].traceback
    others = {name: data for name, data in sound.items() if not name.startswith("bee")}
    assert others.items() <= masks(run).items()


def test_whenever_a_tracker_dies_in_another_python_the_frame_is_named(go):
    """What it sent before it died is read, however soon its end is noticed."""
    for attempt in range(4):
        run = go(
            python=sys.executable, sequences=["bee"], results=str(attempt),
            options={"fault": "exit", "sequence": "bee"},
        )  # fmt: skip
        assert run.sequences()["bee"].error.startswith("track, frame 00002: ")


def test_a_tracker_that_cannot_be_loaded_is_a_plugin_error(go):
    with pytest.raises(PluginError, match="weights are missing"):
        go(options={"load": "raise"})
    with pytest.raises(PluginError, match="exit code 3"):
        go(options={"load": "exit"})


def test_what_the_tracker_prints_is_in_the_log(go):
    run = go(sequences=["ant"])
    assert "a tracker that prints" in (run.folder / "log.txt").read_text()


def test_jobs_do_not_change_the_masks(go, masks):
    one = go()
    two = go(jobs=2, results="two")
    assert masks(one) == masks(two)
    assert len(masks(one)) == 16
    assert two.record.shared_machine
    assert not two.timing().comparable


def test_a_broken_frame_costs_its_own_sequence_only(go, dataset):
    (dataset.root / "JPEGImages/480p/bee/00003.jpg").write_bytes(b"no image")
    records = go().sequences()
    assert records["bee"].status == "failed"
    assert "00003.jpg" in records["bee"].error
    assert records["cat"].status == records["ant"].status == "done"
