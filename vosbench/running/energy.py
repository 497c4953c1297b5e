"""Energy that the machine has used, where it is measured: RAPL for processors, NVML for NVIDIA.

Both count the whole machine or card, other work included, so a difference is a tracker's own only
where nothing else ran.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True, slots=True)
class EnergyReading:
    """Counters at one moment.

    Attributes:
        joules: counter -> energy used since some time in the past.
        limits: counter -> value after which it begins at 0 again, for those that do.
    """

    joules: dict[str, float]
    limits: dict[str, float]

    def since(self, earlier: EnergyReading) -> float:
        """Joules used between two readings; 0 where nothing is measured."""
        used = 0.0
        for name, now in self.joules.items():
            if name in earlier.joules:
                difference = now - earlier.joules[name]
                used += difference if difference >= 0 else difference + self.limits.get(name, 0.0)
        return max(used, 0.0)


def read_energy(powercap: Path = _POWERCAP) -> EnergyReading:
    """The counters now. Those that this user may not read are left out."""
    joules: dict[str, float] = {}
    limits: dict[str, float] = {}
    # intel-rapl:0 is a package; intel-rapl:0:1 is a part of it and counted there already.
    for zone in sorted(powercap.glob("intel-rapl:*")):
        if zone.name.count(":") == 1:
            with contextlib.suppress(OSError, ValueError):
                joules[zone.name] = int((zone / "energy_uj").read_text()) / 1e6
                limits[zone.name] = int((zone / "max_energy_range_uj").read_text()) / 1e6
    joules |= _cards()
    return EnergyReading(joules, limits)


def _cards() -> dict[str, float]:
    """Joules of each NVIDIA card since its driver was loaded; nothing without cards or pynvml."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # pynvml raises classes of its own, and is not there on most machines
        return {}
    found = {}
    with contextlib.suppress(pynvml.NVMLError):
        for index in range(pynvml.nvmlDeviceGetCount()):
            with contextlib.suppress(pynvml.NVMLError):  # cards before Volta do not count
                card = pynvml.nvmlDeviceGetHandleByIndex(index)
                found[f"card {index}"] = pynvml.nvmlDeviceGetTotalEnergyConsumption(card) / 1e3
        pynvml.nvmlShutdown()
    return found
