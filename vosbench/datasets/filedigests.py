"""Digests of files, kept between commands: a file is read again when its size or time changes.

A dataset's fingerprint covers every annotation, and each command asks for it, some several times.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vosbench.config import cache_path
from vosbench.errors import DatasetError

_KEPT_DAYS = 90
_SETTLED = 2.0  # seconds: what is younger may change again without a change of its time


class KeptDigests:
    """SHA-256 of files by way of a small database in the cache. Where that cannot be used the files
    are read. A context manager."""

    def __init__(self) -> None:
        self._database: sqlite3.Connection | None = None

    def of(self, paths: Sequence[Path]) -> bytes:
        """The digests (32 bytes each) of the files, one after the other.

        Raises:
            OSError: one cannot be read.
            DatasetError: one is no regular file.
        """
        facts = []
        for path in paths:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise DatasetError(f"{path} is no regular file")
            facts.append((str(path), found.st_size, found.st_mtime_ns, found.st_ino))
        key = hashlib.sha256(repr(facts).encode()).digest()
        with contextlib.suppress(sqlite3.Error):
            if self._database is not None:
                row = self._database.execute("SELECT digests FROM kept WHERE key = ?", (key,))
                if (kept := row.fetchone()) is not None and len(kept[0]) == 32 * len(paths):
                    return bytes(kept[0])
        digests = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)
        newest = max((mtime for _, _, mtime, _ in facts), default=0) / 1e9
        if self._database is not None and newest < time.time() - _SETTLED:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute(
                    "INSERT OR REPLACE INTO kept VALUES (?, ?, ?)", (key, digests, time.time())
                )
        return digests

    def __enter__(self) -> KeptDigests:
        try:
            cache_path().mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(cache_path() / "digests.sqlite", timeout=5)
            database.execute(
                "CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, digests BLOB, at REAL)"
            )
            old = time.time() - _KEPT_DAYS * 86400
            database.execute("DELETE FROM kept WHERE at < ?", (old,))
            self._database = database
        except (OSError, sqlite3.Error):
            self._database = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.commit()
            self._database.close()
