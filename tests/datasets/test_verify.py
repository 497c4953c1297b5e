"""`verify` names every fault of a dataset, all at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vosbench.datasets.reading import write_labels
from vosbench.datasets.registry import open_dataset
from vosbench.datasets.verify import verify
from vosbench.plugins import Plugins

from .conftest import blob, write_frame

FRAMES, MASKS = "JPEGImages/480p/a", "Annotations/480p/a"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def remove(path: Path) -> None:
    path.unlink()


def enlarge(path: Path) -> None:
    path.unlink()
    if path.suffix == ".jpg":
        write_frame(path, size=(48, 64))
    else:
        write_labels(path, blob(1, size=(48, 64)))


def relabel(path: Path) -> None:
    write_labels(path, blob(1, 9))


def move_away(path: Path) -> None:
    path.rename(path.with_name(f"00100{path.suffix}"))


FAULTS: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "broken frame": (f"{FRAMES}/00002.jpg", cut, "00002.jpg is cut off"),
    "missing frame": (f"{FRAMES}/00002.jpg", remove, "00002.jpg is missing"),
    "frame of another size": (f"{FRAMES}/00002.jpg", enlarge, "frames differ in size"),
    "mask of another size": (f"{MASKS}/00002.png", enlarge, "00002.png is 64x48, but its frame"),
    "broken mask": (f"{MASKS}/00002.png", cut, "00002.png cannot be decoded"),
    "missing mask": (f"{MASKS}/00002.png", remove, "00002.png is missing"),
    "mask without frame": (f"{MASKS}/00002.png", move_away, "00100.png has no frame"),
}


@pytest.fixture
def healthy(tmp_path: Path, write_sequence: Callable[..., None]) -> Path:
    write_sequence(tmp_path, "a", {i: blob(1, 2) for i in range(8)}, frames=8)
    write_sequence(tmp_path, "sparse", {0: blob(1)}, frames=8)
    return tmp_path


def problems(home: Path, plugins: Plugins) -> list[str]:
    return verify(list(open_dataset(str(home), plugins, ()).sequences))


def test_nothing_is_wrong(healthy: Path, plugins: Plugins) -> None:
    assert problems(healthy, plugins) == []


@pytest.mark.parametrize("fault", [name for name in FAULTS if name != "broken mask"])
def test_fault_is_named(healthy: Path, plugins: Plugins, fault: str) -> None:
    file, harm, said = FAULTS[fault]
    harm(healthy / file)
    found = problems(healthy, plugins)
    assert any(said in problem and problem.startswith("a: ") for problem in found), found


def test_faults_after_opening(healthy: Path, plugins: Plugins) -> None:
    """What breaks once the dataset is open, or what metadata promised and masks do not hold."""
    sequences = list(open_dataset(str(healthy), plugins, ()).sequences)
    relabel(healthy / MASKS / "00003.png")
    cut(healthy / MASKS / "00002.png")
    write_labels(healthy / MASKS / "00000.png", blob(1))
    found = verify(sequences)
    assert len(found) == 3
    assert "cannot be decoded" in found[0]
    assert "00003.png shows unknown objects: 9" in found[1]
    assert "should show object 2" in found[2]


def test_all_at_once(healthy: Path, plugins: Plugins) -> None:
    cut(healthy / FRAMES / "00001.jpg")
    cut(healthy / FRAMES / "00005.jpg")
    remove(healthy / MASKS / "00006.png")
    enlarge(healthy / MASKS / "00004.png")
    assert len(problems(healthy, plugins)) == 4


def test_real_data_is_whole(data_root: Path, plugins: Plugins) -> None:
    assert problems(data_root / "DAVIS-2017-240p", plugins) == []
