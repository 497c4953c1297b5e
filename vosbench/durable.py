"""Files that appear whole or not at all, and that a power cut does not take back.

A system keeps what is written in memory for some time: after a power cut a file may be there and be
empty. So whatever a record vouches for is synced before the record is written.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import re
import secrets
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO


@contextlib.contextmanager
def whole_file(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Where to write what becomes the file `path` at the end of the block; if the block raises,
    `path` stays as it was and nothing is left beside it. Folders are made. A device or a pipe is
    written to, not replaced.

    Args:
        sync: file and folder survive a power cut from then on; else see `sync_files`.

    Raises:
        OSError: it cannot be written.

    Example:
        with whole_file(path) as part:
            torch.save(content, part)
    """
    if path.exists() and not path.is_file():
        yield path
        return
    # Short, so that a name of the full length that a file system allows can be written too.
    part = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if sync:
            _sync(part)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if sync:
        _sync(path.parent)


@contextlib.contextmanager
def written_whole(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """`whole_file` as a binary stream."""
    with whole_file(path, sync=sync) as part, part.open("wb") as stream:
        yield stream


def sync_files(paths: Iterable[Path]) -> None:
    """Make files and the folders that they lie in survive a power cut.

    On Linux the whole file system is synced by one call, whose cost does not grow with the number
    of files; elsewhere each file is.

    Raises:
        OSError: one cannot be read or the disk reports an error.
    """
    paths = list(paths)
    folders = dict.fromkeys(path.parent for path in paths)
    if _SYNCFS:
        for folder in {folder.stat().st_dev: folder for folder in folders}.values():
            _sync_file_system(folder)
        return
    for path in (*paths, *folders, *dict.fromkeys(folder.parent for folder in folders)):
        _sync(path)


def _sync_file_system(path: Path) -> None:
    with _opened(path) as descriptor:
        if _libc.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))


def _sync(path: Path) -> None:
    with _opened(path) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _reports_errors() -> bool:
    """Whether this system has a `syncfs` that tells of failed writes: Linux since 5.8."""
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return sys.platform == "linux" and found is not None and (*map(int, found.groups()),) >= (5, 8)


_libc: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_SYNCFS = _reports_errors() and hasattr(_libc, "syncfs")
