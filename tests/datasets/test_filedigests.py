"""Annotations are read once, and again when they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vosbench.config import cache_path
from vosbench.datasets.registry import open_dataset
from vosbench.errors import DatasetError
from vosbench.plugins import Plugins
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    root = fakes.write_dataset(tmp_path / "tiny", [moving_discs("ant", (24, 32), 5)])
    dataset = open_dataset(str(root), Plugins(), ())
    for path in annotations(dataset):  # written a while ago
        os.utime(path, ns=(10**18, 10**18))
    return dataset


def annotations(dataset):
    return list(dataset.sequences[0].annotations.values())


@pytest.fixture
def reads(monkeypatch):
    """Files read."""
    seen = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: seen.append(path) or read(path))
    return seen


def test_files_are_read_once(dataset, reads):
    first = dataset.fingerprint()
    assert len(reads) == 5
    assert dataset.fingerprint() == first
    assert len(reads) == 5


def test_a_file_that_changed_is_read_again(dataset, reads):
    first = dataset.fingerprint()
    path = annotations(dataset)[2]
    path.write_bytes(annotations(dataset)[0].read_bytes())
    assert dataset.fingerprint() != first
    # Young files may change again within one tick of their clock: they are not taken on trust.
    count = len(reads)
    dataset.fingerprint()
    assert len(reads) == count + 5


@pytest.mark.parametrize("damage", ["garbage", "folder", "gone"])
def test_a_cache_that_cannot_be_used_costs_time_only(dataset, damage):
    first = dataset.fingerprint()
    database = cache_path() / "digests.sqlite"
    if damage == "garbage":
        database.write_bytes(b"no database" * 1000)
    else:
        database.unlink()
    if damage == "folder":
        database.mkdir()
    assert dataset.fingerprint() == first


def test_what_is_no_file_is_refused(dataset):
    path = annotations(dataset)[1]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DatasetError, match="no regular file"):
        dataset.fingerprint()
