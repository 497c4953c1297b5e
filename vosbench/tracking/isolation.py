"""Global state that third-party trackers change, put back after them.

Real trackers switch gradients off, set thread counts, seed generators, change flags of torch, the
working directory, the environment, some at import. What one sequence leaves behind must not reach
the next. Promised is what is listed in `guarded`; whatever else a library keeps inside itself is
only out of reach in a fresh process (`--isolate`).
"""

from __future__ import annotations

import contextlib
import functools
import locale
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from vosbench.backports import zip

#: Puts one thing back to what it was.
_Restore = Callable[[], object]


@contextlib.contextmanager
def guarded(seed: int, threads: int | None = None) -> Iterator[None]:
    """Run a tracker under known global state and restore the caller's afterwards.

    Inside, `random`, numpy, OpenCV and torch (what is imported by then) are seeded with `seed`,
    gradients are on, inference mode is off and torch uses `threads` threads (its own choice if
    None).

    Restored are, besides the generators: of the process the working directory, the environment,
    umask, locale, signal handlers (in the main thread), CPU affinity; of Python `sys.path` and the
    recursion limit; of numpy its error handling; of OpenCV its thread count; of torch gradients,
    threads, default type and device, deterministic algorithms, precision of matrix products,
    anomaly detection and the settings of cuDNN.
    """
    restore = [*_process_state(), *_python_state(), *_numpy_state(), *_opencv_state(seed)]
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        with _guarded_torch(seed, threads):
            yield
    finally:
        for put_back in restore:
            with contextlib.suppress(OSError, ValueError, locale.Error):
                put_back()


def _process_state() -> Iterator[_Restore]:
    with contextlib.suppress(FileNotFoundError):
        folder = os.getcwd()  # noqa: PTH109
        yield lambda: os.chdir(folder)
    environment = dict(os.environ)
    yield lambda: _put_back_environment(environment)
    mask = os.umask(0o022)
    os.umask(mask)
    yield lambda: os.umask(mask)
    language = locale.setlocale(locale.LC_ALL)
    yield lambda: locale.setlocale(locale.LC_ALL, language)
    if hasattr(os, "sched_getaffinity"):
        cores = os.sched_getaffinity(0)
        yield lambda: os.sched_setaffinity(0, cores)
    if threading.current_thread() is threading.main_thread():
        handlers = {n: signal.getsignal(n) for n in signal.valid_signals()}
        yield lambda: _put_back_signals(handlers)


def _python_state() -> Iterator[_Restore]:
    state, path, limit = random.getstate(), list(sys.path), sys.getrecursionlimit()
    yield lambda: random.setstate(state)
    yield lambda: sys.path.__setitem__(slice(None), path)
    yield lambda: sys.setrecursionlimit(limit)


def _numpy_state() -> Iterator[_Restore]:
    state, errors = np.random.get_state(), np.geterr()  # noqa: NPY002
    yield lambda: np.random.set_state(state)  # noqa: NPY002
    yield lambda: np.seterr(**errors)


def _opencv_state(seed: int) -> Iterator[_Restore]:
    """Its generator can be seeded but not read."""
    cv2 = sys.modules.get("cv2")
    if cv2 is not None:
        threads = cv2.getNumThreads()
        cv2.setRNGSeed(seed % 2**31)
        yield lambda: cv2.setNumThreads(threads)


def _put_back_environment(environment: dict[str, str]) -> None:
    if dict(os.environ) != environment:
        os.environ.clear()
        os.environ.update(environment)


def _put_back_signals(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        # None: not set from Python, and not to be set back from there.
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@contextlib.contextmanager
def _guarded_torch(seed: int, threads: int | None) -> Iterator[None]:
    torch = sys.modules.get("torch")
    if torch is None:
        try:
            yield
        finally:
            torch = sys.modules.get("torch")
            if torch is not None:  # imported just now: back to what it is by default
                _put_back_torch(torch, [setting.default for setting in _TORCH])
                if threads is not None:
                    torch.set_num_threads(threads)
        return
    before = [setting.read(torch) for setting in _TORCH]
    thread_count, random_state = torch.get_num_threads(), torch.random.get_rng_state()
    torch.manual_seed(seed)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with torch.inference_mode(False):
            torch.set_grad_enabled(True)
            yield
    finally:
        _put_back_torch(torch, before)
        torch.set_num_threads(thread_count)
        torch.random.set_rng_state(random_state)


def _put_back_torch(torch: Any, values: list[Any]) -> None:
    for setting, value in zip(_TORCH, values, strict=True):
        if setting.read(torch) != value:
            setting.write(torch, value)


class _Setting(NamedTuple):
    """One of torch's settings; `default` names what it is in a fresh process."""

    read: Callable[[Any], Any]
    write: Callable[[Any, Any], object]
    default: Any


def _flag(path: str, default: bool) -> _Setting:
    """A flag that is an attribute, such as `backends.cudnn.benchmark`."""
    *folders, name = path.split(".")

    def owner(torch: Any) -> Any:
        return functools.reduce(getattr, folders, torch)

    return _Setting(
        lambda torch: getattr(owner(torch), name),
        lambda torch, value: setattr(owner(torch), name, value),
        default,
    )


_TORCH = (
    _Setting(lambda t: t.is_grad_enabled(), lambda t, v: t.set_grad_enabled(v), True),
    _Setting(
        lambda t: str(t.get_default_dtype()).removeprefix("torch."),
        lambda t, v: t.set_default_dtype(getattr(t, v)),
        "float32",
    ),
    _Setting(
        # Not get_default_device(): older versions fail in it once None was set.
        lambda t: str(t.empty(0).device),
        # None means the CPU too, and costs nothing.
        lambda t, v: t.set_default_device(None if v == "cpu" else v),
        "cpu",
    ),
    _Setting(
        lambda t: (
            t.are_deterministic_algorithms_enabled(),
            t.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda t, v: t.use_deterministic_algorithms(v[0], warn_only=v[1]),
        (False, False),
    ),
    _Setting(
        lambda t: t.get_float32_matmul_precision(),
        lambda t, v: t.set_float32_matmul_precision(v),
        "highest",
    ),
    _Setting(
        lambda t: (t.is_anomaly_enabled(), t.is_anomaly_check_nan_enabled()),
        lambda t, v: t.autograd.set_detect_anomaly(*v),
        (False, True),
    ),
    _flag("backends.cudnn.enabled", True),
    _flag("backends.cudnn.benchmark", False),
    _flag("backends.cudnn.deterministic", False),
    _flag("backends.cudnn.allow_tf32", True),
)
