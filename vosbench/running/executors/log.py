"""The file that receives what a tracker's process prints."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

_LIMIT = 8 << 20  # bytes; beyond, the older half is dropped
_TAIL = 4000  # bytes of it that the record of a failure shows


class WorkerLog:
    """A log of bounded size that remembers where the current sequence began.

    Attributes:
        path: the file, to which the process appends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    def open(self) -> BinaryIO:
        """The file, for a process to append to."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.begin()
        return self.path.open("ab")

    def begin(self) -> None:
        """What is printed from now on belongs to another sequence."""
        self._start = self._size()

    def shorten(self) -> None:
        """Drop the older half of a log that has grown too long."""
        if self._size() <= _LIMIT:
            return
        with contextlib.suppress(OSError), self.path.open("r+b") as log:
            log.seek(-_LIMIT // 2, os.SEEK_END)
            kept = log.read(_LIMIT // 2)
            log.truncate(0)  # the process appends, so it continues after what is kept
            log.seek(0)
            log.write(b"[the older half was dropped: the log had grown too long]\n" + kept)
            self._start = 0

    def tail(self) -> str:
        """What was printed last since `begin`; "" if the file cannot be read."""
        try:
            with self.path.open("rb") as log:
                log.seek(max(self._start, self._size() - _TAIL))
                return log.read(_TAIL).decode(errors="replace").strip()
        except OSError:
            return ""

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except OSError:
            return 0
