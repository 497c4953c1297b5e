"""Several values of an option answered in one run become runs of their own."""

from __future__ import annotations

import pytest

from vosbench.errors import UsageError
from vosbench.running.runner import RunSettings, run

ITERATIONS = {"iterations": ("8", "16", "1000")}


@pytest.fixture
def sweep(tmp_path, plugins, dataset):
    def sweep(snapshots=ITERATIONS, sequences=()):
        how = RunSettings(snapshots=snapshots)
        folder = tmp_path / "sweep"
        return run(plugins, dataset, "fake", how, results=folder, sequences=sequences)

    return sweep


def test_each_value_is_a_run_as_if_run_alone(sweep, go, masks):
    runs = sweep()
    assert [r.name for r in runs] == ["fake", "fake+iterations=8", "fake+iterations=16"]
    alone = go(options={"iterations": "8"})
    assert masks(runs[1]) == masks(alone)
    assert masks(runs[0]) != masks(runs[1])
    same = ("options", "changed", "fingerprint", "sequences", "versions", "status")
    for key in same:
        assert getattr(runs[1].record, key) == getattr(alone.record, key)
    assert all(r.record.derived_timing for r in runs)
    assert not alone.record.derived_timing


def test_the_sweep_goes_on_where_it_stopped(sweep, masks):
    runs = sweep(sequences=["ant"])
    (runs[1].folder / "sequences" / "ant.json").unlink()
    stamp = (runs[0].masks / "ant/00001.png").stat().st_mtime_ns
    again = sweep()
    assert all(r.complete for r in again)
    assert (runs[0].masks / "ant/00001.png").stat().st_mtime_ns == stamp


def test_a_run_that_was_timed_keeps_its_times(sweep, tmp_path, plugins, dataset):
    first = run(plugins, dataset, "fake", results=tmp_path / "sweep")[0]
    times = first.sequences()
    runs = sweep()
    assert runs[0].sequences() == times
    assert not runs[0].record.derived_timing
    assert runs[1].record.derived_timing


def test_only_declared_options_can_be_swept(sweep):
    with pytest.raises(UsageError, match="several values of 'sleep'"):
        sweep(snapshots={"sleep": ("0", "1")})


def test_what_late_objects_cost_is_marked_too(go):
    records = go().sequences()
    marks = records["cat"].late_marks["1"]  # one object of `cat` is given in frame 2
    assert list(marks) == ["iterations=1", "iterations=10", "iterations=50"]
    assert 0 < marks["iterations=50"] <= records["cat"].track_seconds[1]
    assert not records["bee"].late_marks
