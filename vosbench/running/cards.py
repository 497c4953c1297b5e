"""How busy others keep NVIDIA's cards, as their driver tells by NVML (`nvidia-ml-py`).

Without that package, or without a card, nothing is told and no card counts as shared.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator
from typing import Any


class Cards:
    """The graphics cards of this machine since construction, when none of our own work is there."""

    def __init__(self) -> None:
        self._began = int(time.time() * 1e6)
        self._before = {
            index: nvml.nvmlDeviceGetUtilizationRates(card).gpu / 100
            for nvml, index, card in _cards()
        }

    def others(self, own: Collection[int]) -> float:
        """Share of the time, in 0..1, that others used the cards that we use; the busiest counts.

        It is what was used before we began or, if that is more, what processes other than `own`
        (their ids) have used since. Where the driver knows none of `own`, as in a container with
        process ids of its own, only the time before counts, on any card.
        """
        used = {index: self._shares(nvml, card) for nvml, index, card in _cards()}
        ours = [index for index, shares in used.items() if shares.keys() & set(own)]
        shares = [self._before.get(index, 0.0) for index in ours or self._before]
        shares += [sum(s for pid, s in used[index].items() if pid not in own) for index in ours]
        return max(shares, default=0.0)

    def _shares(self, nvml: Any, card: Any) -> dict[int, float]:
        """Process id -> mean share of the card's time, of what the driver still remembers."""
        samples: dict[int, list[float]] = {}
        with contextlib.suppress(nvml.NVMLError):  # it has seen no process
            for sample in nvml.nvmlDeviceGetProcessUtilization(card, self._began):
                samples.setdefault(sample.pid, []).append(sample.smUtil / 100)
        return {pid: sum(found) / len(found) for pid, found in samples.items()}


def _cards() -> Iterator[tuple[Any, int, Any]]:
    """The library, a card's number and its handle, of all cards that tell something."""
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # pynvml raises classes of its own, and is not there on most machines
        return
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            with contextlib.suppress(pynvml.NVMLError):
                yield pynvml, index, pynvml.nvmlDeviceGetHandleByIndex(index)
    finally:
        pynvml.nvmlShutdown()
