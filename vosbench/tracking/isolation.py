"""Global state that third-party trackers change, put back after them.

Real trackers switch gradients off, set thread counts, seed generators and change the working
directory, some at import. What one sequence leaves behind must not reach the next.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def guarded(seed: int, threads: int | None = None) -> Iterator[None]:
    """Run a tracker under known global state and restore the caller's afterwards.

    Inside, `random`, numpy and torch (if it is imported by then) are seeded with `seed`, gradients
    are on, inference mode is off and torch uses `threads` threads (its own choice if None).
    """
    folder = _working_folder()
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        with _guarded_torch(seed, threads):
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if folder is not None and _working_folder() != folder:
            os.chdir(folder)


@contextlib.contextmanager
def _guarded_torch(seed: int, threads: int | None) -> Iterator[None]:
    torch = sys.modules.get("torch")
    if torch is None:
        try:
            yield
        finally:
            torch = sys.modules.get("torch")
            if torch is not None:  # imported just now: back to what it is by default
                torch.set_grad_enabled(True)
                if threads is not None:
                    torch.set_num_threads(threads)
        return
    grad, thread_count = torch.is_grad_enabled(), torch.get_num_threads()
    random_state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with torch.inference_mode(False):
            torch.set_grad_enabled(True)
            yield
    finally:
        torch.set_grad_enabled(grad)
        torch.set_num_threads(thread_count)
        torch.random.set_rng_state(random_state)


def _working_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return None
