"""What a record vouches for was on the disk before it; what a power cut took back is done again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vosbench.durable import written_whole


@pytest.fixture
def synced(monkeypatch):
    """Files and folders synced so far -> their size at that time. Not Linux's alone: the order of
    calls is what matters, whatever the file system makes of them."""
    noted: dict[tuple[int, int], int] = {}
    fsync = os.fsync

    def note(descriptor):
        fsync(descriptor)
        facts = os.fstat(descriptor)
        noted[facts.st_dev, facts.st_ino] = facts.st_size

    monkeypatch.setattr(os, "fsync", note)
    return noted


def survives(path, synced):
    facts = path.stat()
    return synced.get((facts.st_dev, facts.st_ino)) == facts.st_size


def test_masks_are_synced_before_the_record_that_vouches_for_them(go, synced, monkeypatch):
    seen = []
    replace = Path.replace

    def watch(part, target):
        if Path(target).parent.name == "sequences":
            masks = list((Path(target).parents[1] / "masks" / Path(target).stem).iterdir())
            seen.append(Path(target).stem)
            assert masks
            assert all(survives(mask, synced) for mask in masks), "a mask was not synced"
            for folder in (masks[0].parent, masks[0].parents[1]):
                facts = folder.stat()
                assert (facts.st_dev, facts.st_ino) in synced, "a folder was not synced"
            assert survives(Path(part), synced), "the record was not synced"
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", watch)
    assert go(jobs=2).complete
    assert sorted(seen) == ["ant", "bee", "cat"]


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
