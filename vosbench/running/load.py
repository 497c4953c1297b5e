"""How much of the machine other programs used meanwhile: on a shared machine speed means little."""

from __future__ import annotations

import os
import time

import psutil

from vosbench.running.cards import Cards

#: Share of the cores, or of a card's time, that others may take before a machine counts as shared.
TOLERATED = 0.1


def cores() -> int:
    """Logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Load:
    """CPU time of the machine and of our own processes since construction."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy, self._own = _busy(), _own()
        self._cards = Cards()

    def others(self) -> float:
        """Cores that other programs kept busy, on average."""
        wall = time.monotonic() - self._began
        others = (_busy() - self._busy) - (_own() - self._own)
        return max(0.0, others) / wall if wall > 0 else 0.0

    def shared(self, jobs: int, device: str) -> bool:
        """Whether the workers' speed is not what each would reach alone: several `jobs` share
        caches and memory with each other; on a CUDA `device`, other work may use the card."""
        if jobs > 1 or self.others() > TOLERATED * cores():
            return True
        return device.startswith("cuda") and self._cards.others(_own_processes()) > TOLERATED


def _busy() -> float:
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Guest time is part of user time already.
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - guest - idle)


def _own() -> float:
    """Of this process, of its children that live, and of those that ended."""
    process = psutil.Process()
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return float(total)


def _own_processes() -> set[int]:
    process = psutil.Process()
    return {process.pid, *(child.pid for child in process.children(recursive=True))}


def threads_of_worker(workers: int) -> int:
    """Torch threads of a worker, one of so many here: its share of the cores, or OMP_NUM_THREADS if
    the user set it."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else max(1, cores() // workers)
