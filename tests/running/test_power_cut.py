"""What a record vouches for was on the disk before it; what a power cut took back is done again.

Two ways to cut the power: a disk of our own whose image is copied without a sync, where the system
allows that, and a note of what was synced when, everywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest

from vosbench.durable import written_whole
from vosbench.running.recorder import Progress
from vosbench.running.runner import RunSettings, run
from vosbench.store import Run


class AtWork(Progress):
    """Does something each time that a sequence is noted."""

    def __init__(self, then):
        self.then = then

    def finished(self, record):
        self.then()


def test_what_a_run_recorded_is_on_the_disk_when_the_power_fails(disk, plugins, dataset, go, masks):
    sound = masks(go())
    results, cuts = disk.folder / "results", []
    how = {"settings": RunSettings(jobs=2), "progress": AtWork(lambda: cuts.append(disk.cut()))}
    whole = run(plugins, dataset, "fake", results=results, **how)[0]
    cuts.append(disk.cut())
    assert masks(whole) == sound
    recorded = []
    for cut in cuts:
        left = Run.open(cut / "results/tiny/fake")
        recorded.append(len(left.done()))
        for record in left.sequences().values():
            assert left.intact(record), f"{record.sequence} is not what was recorded"
            for name in record.masks:
                path = f"{record.sequence}/{name}"
                assert (left.masks / path).read_bytes() == sound[path]
    assert recorded == sorted(recorded), "what was recorded is lost again"
    assert recorded[0] >= 1
    assert recorded[-1] == 3
    assert Run.open(cuts[-1] / "results/tiny/fake").complete


def test_without_a_sync_the_power_cut_of_these_tests_loses_masks(disk, go, monkeypatch, tmp_path):
    monkeypatch.setattr("vosbench.store.run.sync_files", lambda paths: None)
    shutil.copytree(go().folder, disk.folder / "run")
    left = [path.stat().st_size for path in (disk.cut() / "run").rglob("*.png")]
    assert len(left) < 16 or not all(left)


@pytest.fixture(params=[True, False], ids=["file system", "file by file"])
def survives(request, monkeypatch):
    """Whether a file or folder as it is now has been synced, by one call for all or by its own. Not
    Linux's alone: the order of calls is what matters, whatever the file system makes of them."""
    noted: dict[tuple[int, int], int] = {}
    fsync = os.fsync

    def note(path):
        facts = path.stat()
        noted[facts.st_dev, facts.st_ino] = facts.st_size

    def synced(descriptor):
        fsync(descriptor)
        note(Path(f"/dev/fd/{descriptor}"))

    def all_synced(folder):
        results = [root for root in folder.parents if root.name == "results"]
        # Not rglob: a worker's scratch comes and goes.
        for root, _, files in (step for path in results for step in os.walk(path)):
            for name in (".", *files):
                with contextlib.suppress(FileNotFoundError):
                    note(Path(root, name))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr("vosbench.durable._SYNCFS", request.param)
    monkeypatch.setattr("vosbench.durable._sync_file_system", all_synced)

    def survives(path):
        facts = path.stat()
        return noted.get((facts.st_dev, facts.st_ino)) == facts.st_size

    return survives


def test_masks_are_synced_before_the_record_that_vouches_for_them(go, survives, monkeypatch):
    seen = []
    replace = Path.replace

    def watch(part, target):
        if Path(target).parent.name == "sequences":
            masks = list((Path(target).parents[1] / "masks" / Path(target).stem).iterdir())
            seen.append(Path(target))
            assert masks
            assert all(survives(mask) for mask in masks), "a mask was not synced"
            for folder in (masks[0].parent, masks[0].parents[1]):
                assert survives(folder), "a folder was not synced"
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", watch)
    assert go(jobs=2).complete
    assert sorted(path.stem for path in seen) == ["ant", "bee", "cat"]
    assert all(map(survives, (*seen, seen[0].parent))), "the records were not synced"


def cut_power(run, damage):
    for path in sorted((run.masks / "bee").iterdir()):
        damage(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
    ],
    ids=["empty", "gone"],
)
def test_a_sequence_whose_masks_were_lost_is_done_again(go, masks, damage, caplog):
    run = go()
    sound = masks(run)
    stamp = (run.masks / "ant/00000.png").stat().st_mtime_ns
    cut_power(run, damage)
    again = go()
    assert masks(again) == sound
    assert "the masks of bee are not what was recorded" in caplog.text
    assert (run.masks / "ant/00000.png").stat().st_mtime_ns == stamp


def test_a_record_of_an_earlier_version_vouches_for_masks_that_are_not_empty(go, masks):
    run = go()
    sound = masks(run)
    for name in ("ant", "bee"):
        path = run.folder / "sequences" / f"{name}.json"
        record = json.loads(path.read_text())
        del record["masks"]
        path.write_text(json.dumps(record))
    (run.masks / "bee/00003.png").write_bytes(b"")
    stamp = (run.masks / "ant/00000.png").stat().st_mtime_ns
    assert masks(go()) == sound
    assert (run.masks / "ant/00000.png").stat().st_mtime_ns == stamp


def test_a_file_is_the_old_one_until_it_is_whole(tmp_path):
    path = tmp_path / ("n" * 250)
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), written_whole(path) as stream:
        stream.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    with written_whole(path) as stream:
        stream.write(b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
