"""Energy counters: what is read, what wraps around, what may not be read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

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


#: A driver's library with three cards, the second of which is too old to count; each reading finds
#: 2 J more. NVIDIA's own Python module calls it as it calls the real one.
DRIVER = """
static unsigned long long used = 3000;
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = CARDS; return FAILURE; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **card) {
  *card = (void *)(unsigned long)(index + 1);
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void *card, unsigned long long *millijoules) {
  if ((unsigned long)card == 2) return 3;  /* NVML_ERROR_NOT_SUPPORTED */
  *millijoules = (used += 2000);
  return 0;
}
"""


@pytest.mark.parametrize(
    ("failure", "first", "used"), [(0, {"card 0": 5, "card 2": 7}, 8), (999, {}, 0)]
)
def test_cards_tell_through_nvidias_module_what_they_have_used(tmp_path, failure, first, used):
    pytest.importorskip("pynvml")
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build a driver's library with")
    source, library = tmp_path / "driver.c", tmp_path / "libnvidia-ml.so.1"
    source.write_text(DRIVER.replace("CARDS", "3").replace("FAILURE", str(failure)))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    program = (
        "import json, pathlib; from vosbench.running.energy import read_energy as read;"
        f"where = pathlib.Path({str(tmp_path)!r}); before = read(where); after = read(where);"
        "print(json.dumps([before.joules, after.since(before)]))"
    )
    environment = os.environ | {"LD_LIBRARY_PATH": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True
    )
    assert json.loads(told.stdout) == [first, used]
