"""Datasets by name, parts of them, fingerprints, and what is said when there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from vosbench.datasets.reading import read_labels, write_labels
from vosbench.datasets.registry import open_dataset, select
from vosbench.errors import DatasetError, UsageError
from vosbench.plugins import Plugins

from .conftest import blob

Write = Callable[..., None]


@pytest.fixture
def three(tmp_path: Path, write_sequence: Write) -> Path:
    home = tmp_path / "three"
    for name in ("a", "b", "c"):
        write_sequence(home, name, {0: blob(1), 1: blob(1)})
    return home


def test_near_names_are_shown(plugins: Plugins) -> None:
    with pytest.raises(DatasetError, match="no dataset called 'davis17-vall'") as error:
        open_dataset("davis17-vall", plugins, ())
    assert "davis17-val" in error.value.hint
    assert "vosbench datasets" in error.value.hint


def test_where_it_was_looked_for(tmp_path: Path, plugins: Plugins) -> None:
    with pytest.raises(DatasetError, match="not installed") as error:
        open_dataset("davis17-val", plugins, (tmp_path / "one", tmp_path / "two"))
    assert str(tmp_path / "two") in error.value.message
    assert "vosbench datasets fetch davis17-val" in error.value.hint
    with pytest.raises(DatasetError) as error:
        open_dataset("mose-valid", plugins, (tmp_path,))
    assert "henghuiding" in error.value.hint


def test_missing_folder(tmp_path: Path, plugins: Plugins) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        open_dataset(str(tmp_path / "absent"), plugins, ())


def test_name_wins_over_folder(
    three: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.rename(three.parent / "mose-valid")
    monkeypatch.chdir(three.parent)
    with pytest.raises(DatasetError, match="not installed"):
        open_dataset("mose-valid", plugins, (three.parent / "nowhere",))
    assert open_dataset("./mose-valid", plugins, ()).name == "mose-valid"


def test_select(three: Path, plugins: Plugins) -> None:
    dataset = open_dataset(str(three), plugins, ())
    assert [s.name for s in select(dataset, ("c", "a", "a")).sequences] == ["a", "c"]
    assert [s.name for s in select(dataset, ("c", "a"), 1).sequences] == ["a"]
    assert [s.name for s in select(dataset, (), 2).sequences] == ["a", "b"]
    assert select(dataset) == replace(dataset, whole=3)
    with pytest.raises(UsageError, match="--limit"):
        select(dataset, (), 0)
    with pytest.raises(DatasetError, match="no sequence 'd'"):
        select(dataset, ("d",))


def test_fingerprint_is_of_content_not_of_place(three: Path, plugins: Plugins) -> None:
    before = open_dataset(str(three), plugins, ()).fingerprint()
    moved = three.with_name("moved")
    shutil.copytree(three, moved)
    assert open_dataset(str(moved), plugins, ()).fingerprint() == before


@pytest.mark.parametrize("change", ["mask", "frame", "name", "sequence"])
def test_fingerprint_notices(three: Path, plugins: Plugins, change: str) -> None:
    before = open_dataset(str(three), plugins, ()).fingerprint()
    if change == "mask":
        path = three / "Annotations/480p/b/00001.png"
        labels = read_labels(path).copy()
        labels[0, 0] = 1
        write_labels(path, labels)
    elif change == "frame":
        path = three / "JPEGImages/480p/b/00003.jpg"
        path.write_bytes(path.read_bytes() + b"\0")
    elif change == "name":
        (three / "JPEGImages/480p/b/00003.jpg").rename(three / "JPEGImages/480p/b/00004.jpg")
    else:
        shutil.rmtree(three / "JPEGImages/480p/b")
    assert open_dataset(str(three), plugins, ()).fingerprint() != before


def test_fingerprint_names_what_is_missing(three: Path, plugins: Plugins) -> None:
    dataset = open_dataset(str(three), plugins, ())
    (three / "JPEGImages/480p/b/00003.jpg").unlink()
    with pytest.raises(DatasetError, match=r"b/00003\.jpg"):
        dataset.fingerprint()
