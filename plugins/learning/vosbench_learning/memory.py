"""Freed memory is kept for the next tensors."""

from __future__ import annotations

import ctypes
import sys

# <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory(limit: int = 1 << 30) -> None:
    """Let this process keep up to `limit` bytes of freed memory instead of handing them back.

    By default glibc returns large tensors to the kernel when they are freed and has every page of
    the next ones cleared and mapped anew; `benchmarks/finetune.md` says what that costs. Where the
    C library has no `mallopt`, nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, limit)
        mallopt(_M_TRIM_THRESHOLD, limit)
