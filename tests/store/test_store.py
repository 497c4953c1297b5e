"""Run directories: names, records, timing."""

from __future__ import annotations

import json
import math

import pytest

from vosbench.errors import RunError
from vosbench.store import Run, RunRecord, SequenceRecord, find_runs, run_name


def make_run(folder, sequences=("a", "b"), **changes):
    values = {
        "tracker": "t",
        "dataset": "d",
        "options": {"x": 1},
        "changed": {},
        "seed": 0,
        "device": "cpu",
        "fingerprint": "f",
        "protocol": "davis2017",
        "sequences": list(sequences),
    }
    run = Run(folder, RunRecord(**values | changes))
    run.save()
    return run


def done(name, frames=3, objects=1, init=1.0, track=(0.5, 0.5), update=(), **more):
    measured = {
        "frames": frames,
        "objects": objects,
        "init_seconds": init,
        "track_seconds": track,
        "update_seconds": update,
    }
    return SequenceRecord.success(name, measured | more)


@pytest.mark.parametrize(
    ("changed", "seed", "name"),
    [
        ({}, 0, "t"),
        ({"b": 1, "a": "x"}, 0, "t+a=x+b=1"),
        ({"lr": 0.001, "on": True}, 7, "t+lr=0.001+on=True+seed=7"),
    ],
)
def test_run_names(changed, seed, name):
    assert run_name("t", changed, seed) == name


def test_values_that_are_no_file_names_stay_inside_the_folder_and_apart():
    values = ["../../etc/passwd", "a/b", "a_b", "", "..", "x" * 300, "a\nb", "ä"]
    names = [run_name("t", {"k": value}, 0) for value in values]
    assert len(set(names)) == len(values)
    for name in names:
        assert "/" not in name
        assert len(name) < 100
        assert name.isascii()
        assert name.isprintable()


def test_records_come_back_as_they_were(tmp_path):
    run = make_run(tmp_path / "r", versions={"numpy": "2"}, files={"w": "0" * 64})
    record = done("a", update=(0.1, 0.2), marks={"iterations=1": 0.5}, peak_memory_bytes=5)
    run.save_sequence(record)
    run.save_sequence(SequenceRecord.failure("b", "track, frame 00001: bad", "Traceback"))
    again = Run.open(run.folder)
    assert again.record == run.record
    assert again.sequences() == {
        "a": record,
        "b": SequenceRecord.failure("b", "track, frame 00001: bad", "Traceback"),
    }
    assert again.done() == ["a"]
    assert not again.complete


def test_an_unreadable_sequence_record_counts_as_not_done(tmp_path):
    run = make_run(tmp_path / "r")
    run.save_sequence(done("a"))
    (run.folder / "sequences/b.json").write_text('{"sequence": "b", "sta')
    assert list(run.sequences()) == ["a"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "nonsense": 2}'])
def test_an_unreadable_run_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunError, match=r"run\.json cannot be read"):
        Run.open(tmp_path)


def test_a_folder_without_run_is_named(tmp_path):
    with pytest.raises(RunError, match="is not a run"):
        Run.open(tmp_path)


def test_find_runs(tmp_path):
    make_run(tmp_path / "d" / "t")
    make_run(tmp_path / "d" / "s")
    make_run(tmp_path / "e" / "t")
    (tmp_path / "e" / "broken").mkdir()
    (tmp_path / "e" / "broken" / "run.json").write_text("{")
    assert [run.name for run in find_runs(tmp_path, "d")] == ["s", "t"]
    assert len(find_runs(tmp_path)) == 3
    assert find_runs(tmp_path / "nothing") == []


def test_timing(tmp_path):
    run = make_run(tmp_path / "r", ("a", "b", "c"))
    assert run.timing() is None
    track = [0.01 * (i + 1) for i in range(100)]
    run.save_sequence(done("a", 101, 2, 3.0, track, [0.1] * 100, peak_memory_bytes=10))
    run.save_sequence(done("b", 11, 1, 1.0, [0.02] * 10, [0.1] * 10, peak_memory_bytes=30))
    run.save_sequence(SequenceRecord.failure("c", "died"))
    timing = run.timing()
    total = 3 + sum(track) + 10 + 1 + 0.2 + 1
    assert math.isclose(timing.fps, 112 / total)
    assert math.isclose(timing.object_fps, 213 / total)
    assert timing.init_seconds == 2.0
    assert math.isclose(
        timing.frame_median, 0.1 + sorted([*track, *[0.02] * 10])[54:56][0], rel_tol=0.02
    )
    assert math.isclose(timing.frame_p95, 1.05, rel_tol=0.02)
    assert timing.update_seconds == 0.1
    assert timing.peak_memory_bytes == 30
    assert timing.comparable


def test_speed_of_a_shared_machine_is_not_comparable(tmp_path):
    for flag in ("shared_machine", "derived_timing"):
        run = make_run(tmp_path / flag, ("a",), **{flag: True})
        run.save_sequence(done("a"))
        assert not run.timing().comparable


def test_a_variant_pays_until_its_mark_and_its_share(tmp_path):
    whole = done("a", 3, 1, 10.0, (0.6, 0.9), (0.3, 0.3), marks={"iterations=5": 2.0})
    part = whole.as_variant("iterations=5", 3)
    assert part.init_seconds == 2.0
    assert part.track_seconds == pytest.approx((0.2, 0.3))
    assert part.update_seconds == pytest.approx((0.1, 0.1))
    assert part.total_seconds == pytest.approx(2.7)
    assert whole.as_variant("", 3).init_seconds == 10.0


def test_a_cleared_sequence_loses_masks_record_and_scores(tmp_path):
    run = make_run(tmp_path / "r")
    for name in ("a", "b"):
        run.clear_sequence(name)
        (run.masks / name / "00000.png").write_text("x")
        run.save_sequence(done(name))
    run.scores.mkdir()
    (run.scores / "scores.json").write_text("{}")
    assert run.clear_sequence("a") == run.masks / "a"
    assert not list((run.masks / "a").iterdir())
    assert run.done() == ["b"]
    assert (run.masks / "b" / "00000.png").exists()
    assert not run.scores.exists()


def test_a_lock_is_given_back(tmp_path):
    run = make_run(tmp_path / "r")
    with run.locked(), pytest.raises(RunError, match="another process"), run.locked():
        pass
    with run.locked():
        pass


def test_run_json_is_what_the_documentation_says(tmp_path):
    run = make_run(tmp_path / "r")
    raw = json.loads((run.folder / "run.json").read_text())
    documented = (
        "format tracker options changed seed device dataset fingerprint protocol sequences "
        "versions files hardware jobs shared_machine wrapped started finished status"
    )
    assert set(documented.split()) <= set(raw)


@pytest.mark.parametrize(("count", "rank"), [(100, 95), (1, 1), (20, 19), (21, 20)])
def test_the_95th_percentile_is_that_of_the_nearest_rank(tmp_path, count, rank):
    run = make_run(tmp_path / "r", ("a",))
    run.save_sequence(done("a", count + 1, track=[float(i + 1) for i in range(count)]))
    assert run.timing().frame_p95 == rank


def test_what_a_late_object_cost_belongs_to_the_snapshot_that_learned_it(tmp_path):
    whole = done("a", 3, 2, 10.0, (0.6, 6.6), late_marks={"1": {"k=1": 1.0, "k=5": 6.0}})
    assert whole.as_variant("k=1", 2).track_seconds == pytest.approx((0.3, 1.0 + 0.3))
    assert whole.as_variant("k=5", 2).track_seconds == pytest.approx((0.3, 6.0 + 0.3))
    assert whole.as_variant("", 2).track_seconds == pytest.approx((0.3, 6.0 + 0.3))
    run = make_run(tmp_path / "r", ("a",))
    run.save_sequence(whole)
    assert Run.open(run.folder).sequences() == {"a": whole}
