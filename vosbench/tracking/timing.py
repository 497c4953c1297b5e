"""The harness owns the clock: one stopwatch per sequence, synchronised with the device.

Reading frames and writing masks happen in other threads and are never inside a timed call.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from vosbench.backports import dataclass

_Result = TypeVar("_Result")


@dataclass(slots=True)
class Timings:
    """What one sequence took, in seconds.

    Attributes:
        init: all `init` calls together.
        track: frame index -> `track` and the fusion of its scores into labels; summed where the
            tracker needed several sessions.
        update: frame index -> `update`, where the tracker has one.
        marks: snapshot name -> time at which it was ready, since its `init` began.
        late_marks: frame index -> the same of a `track` that was given new objects.
    """

    init: float = 0.0
    track: dict[int, float] = field(default_factory=dict)
    update: dict[int, float] = field(default_factory=dict)
    marks: dict[str, float] = field(default_factory=dict)
    late_marks: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Seconds that the tracker took for the whole sequence."""
        return self.init + sum(self.track.values()) + sum(self.update.values())


class Stopwatch:
    """Times calls on `device`; on CUDA it waits for queued work before and after each call.

    Example:
        >>> watch = Stopwatch("cpu")
        >>> watch.time(lambda: 6 * 7)
        42
        >>> watch.seconds > 0
        True
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._started = 0.0
        self._paused = 0.0
        self._thread = 0
        self.seconds = 0.0

    def time(self, call: Callable[[], _Result]) -> _Result:
        """The result of `call()`; its duration is in `seconds` afterwards."""
        self._synchronise()
        self._thread = threading.get_ident()
        self._paused = 0.0
        self._started = time.perf_counter()
        result = call()
        self.seconds = self.elapsed()
        self._thread = 0
        return result

    def elapsed(self) -> float:
        """Seconds since the call that is being timed began."""
        self._synchronise()
        return time.perf_counter() - self._started - self._paused

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What happens inside does not count, unless another thread than the timed call's does it:
        then nobody waits for it. Work that is queued on the device counts."""
        if self._thread != threading.get_ident():
            yield
            return
        self._synchronise()
        began = time.perf_counter()
        try:
            yield
        finally:
            self._paused += time.perf_counter() - began

    def _synchronise(self) -> None:
        torch = cuda_torch(self._device)
        if torch is not None:
            torch.cuda.synchronize(self._device)


def cuda_torch(device: str) -> Any | None:
    """The torch module if `device` is CUDA and the tracker has imported torch, else None."""
    return sys.modules.get("torch") if device.startswith("cuda") else None


class PeakMemory:
    """Peak memory from construction to `read`.

    Resident memory is this process's, from the kernel (Linux; elsewhere the peak since the
    process started); device memory is what torch allocated.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, see proc(5)
        torch = cuda_torch(device)
        if torch is not None:
            torch.cuda.reset_peak_memory_stats(device)

    def read(self) -> tuple[int, int]:
        """(resident bytes, device bytes); the latter is 0 on CPU."""
        torch = cuda_torch(self._device)
        return _peak_resident(), torch.cuda.max_memory_allocated(self._device) if torch else 0


def _peak_resident() -> int:
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
