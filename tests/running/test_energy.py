"""Energy counters: what is read, what wraps around, what may not be read."""

from __future__ import annotations

import pytest

from vosbench.running.energy import read_energy


def write(folder, zone, energy, largest=1000):
    path = folder / zone
    path.mkdir(parents=True, exist_ok=True)
    (path / "energy_uj").write_text(f"{energy * 1_000_000}\n")
    (path / "max_energy_range_uj").write_text(f"{largest * 1_000_000}\n")


def test_packages_are_added_and_their_parts_are_not(tmp_path):
    for zone, energy in {"intel-rapl:0": 10, "intel-rapl:0:0": 7, "intel-rapl:1": 20}.items():
        write(tmp_path, zone, energy)
    before = read_energy(tmp_path)
    write(tmp_path, "intel-rapl:0", 13)
    write(tmp_path, "intel-rapl:0:0", 9)
    write(tmp_path, "intel-rapl:1", 25)
    assert read_energy(tmp_path).since(before) == pytest.approx(8)


def test_a_counter_that_began_again(tmp_path):
    write(tmp_path, "intel-rapl:0", 995)
    before = read_energy(tmp_path)
    write(tmp_path, "intel-rapl:0", 5)
    assert read_energy(tmp_path).since(before) == pytest.approx(10)


def test_nothing_told_is_nothing_used(tmp_path):
    before = read_energy(tmp_path / "none")
    assert read_energy(tmp_path / "none").since(before) == 0
    (tmp_path / "intel-rapl:0").mkdir()
    assert read_energy(tmp_path).joules == before.joules
