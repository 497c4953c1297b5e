"""Real-time scores, and what a run cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from vosbench.analysis.cost import memory_slopes, run_cost
from vosbench.analysis.realtime import realtime, shown_frames
from vosbench.analysis.scored import score_run
from vosbench.cli import main
from vosbench.datasets.base import Dataset
from vosbench.evaluation import evaluate
from vosbench.store import Run, SequenceRecord

MakeRun = Callable[..., Run]


@pytest.mark.parametrize(
    ("seconds", "grace", "expected"),
    [
        ([0.5] * 4, 0, [0, 1, 2, 3]),  # in time
        ([2.5] * 7, 0, [0, 0, 0, 3, 3, 3, 6]),  # two and a half frames each: two are missed
        ([2.5] * 7, 2, [0, 1, 2, 2, 2, 5, 5]),  # forgiven twice
        ([1.0] * 3, 0, [0, 1, 2]),  # just in time
        ([9.0, 0.1, 0.1], 0, [0, 0, 0]),
        ([], 0, []),
    ],
)
def test_masks_are_held_while_the_tracker_is_busy(seconds, grace, expected) -> None:
    assert shown_frames(seconds, 1.0, grace) == expected


@given(st.lists(st.floats(0, 5), max_size=30), st.integers(0, 5))
def test_what_is_shown_is_never_newer_nor_older_than_before(seconds, grace) -> None:
    shown = shown_frames(seconds, 1.0, grace)
    assert len(shown) == len(seconds)
    assert all(source <= index for index, source in enumerate(shown))
    assert shown == sorted(shown)
    late = sum(taken > 1 for taken in seconds)
    if late <= grace:
        assert shown == list(range(len(seconds)))


def test_a_slow_tracker_is_scored_by_older_masks(make_run: MakeRun, toys: Dataset) -> None:
    run = make_run("exact")  # 0.1 seconds a frame
    scored = score_run(run, lambda: toys)
    fast = realtime(scored, toys, fps=5)
    assert fast.held == 0
    assert fast.evaluation.global_scores == evaluate(toys, run.masks).global_scores
    slow = realtime(scored, toys, fps=28, grace=0)
    # A frame takes 2.8 intervals: two of three show an older mask.
    assert slow.held == pytest.approx(4 / 7)
    assert slow.evaluation.global_scores["J-Mean"] < 1
    free = realtime(scored, toys, fps=28, grace=7)
    assert free.held == 0


def test_warm_up_stands_apart(make_run: MakeRun) -> None:
    run = make_run("slow")
    for name in run.done():
        measured = {
            "frames": 5, "objects": 2, "load_seconds": 2.0, "init_seconds": 0.5,
            "track_seconds": [3.0, 0.1, 0.1, 0.1], "update_seconds": [], "peak_memory_bytes": 10**8,
            "energy_joules": 20.0,
        }  # fmt: skip
        run.save_sequence(SequenceRecord.success(name, measured))
    cost = run_cost(Run.open(run.folder))
    assert cost["Warm-up s"] == pytest.approx(2.9)
    assert cost["Frame ms"] == pytest.approx(100)
    assert (cost["Load s"], cost["Init s"], cost["MB"]) == (2, 0.5, 100)
    assert cost["J/frame"] == pytest.approx(4)
    assert np.isnan(cost["MB/object"])  # all sequences are alike


def test_memory_over_frames_and_over_objects() -> None:
    def record(frames: int, objects: int) -> SequenceRecord:
        peak = 10**8 + 3000 * frames + 2 * 10**6 * objects
        counted = {"frames": frames, "objects": objects, "peak_memory_bytes": peak}
        return SequenceRecord.success("s", counted | {
            "track_seconds": [], "update_seconds": [], "init_seconds": 0.0,
        })  # fmt: skip

    records = [record(*facts) for facts in ((10, 1), (50, 1), (20, 3), (90, 2))]
    assert memory_slopes(records) == pytest.approx((3000, 2 * 10**6))
    assert np.isnan(memory_slopes(records[:2])).all()


def test_tables_of_the_command(make_run: MakeRun, results: Path, toys: Dataset) -> None:
    make_run("exact")
    given = ["compare", "--results", str(results), "--dataset", str(toys.root)]
    shown = CliRunner().invoke(main, [*given, "--cost", "--realtime", "30"])
    assert shown.exit_code == 0, shown.output
    assert "toys: cost" in shown.output
    assert "toys: real time" in shown.output
    assert "Warm-up s" in shown.output
    assert "Q real-time" in shown.output
