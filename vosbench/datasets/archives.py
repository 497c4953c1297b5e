"""Unpack zip and tar files without trusting them.

Only plain files and folders that stay inside the target are written; one member that is anything
else condemns the whole archive. What is unpacked appears at once, when it is complete.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from vosbench.errors import DatasetError

#: Called with (what is being done, bytes done, bytes in all or 0 if unknown).
Progress = Callable[[str, int, int], None]

_CHUNK = 1 << 20
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    RuntimeError,  # encrypted zip files
    NotImplementedError,  # other compression
)


@dataclass(frozen=True, slots=True)
class _Member:
    """A file or folder in an archive: its path's parts, size in bytes, and how to read it."""

    parts: tuple[str, ...]
    size: int
    is_folder: bool
    open: Callable[[], IO[bytes]]


def unpack(file: Path, target: Path, strip: str, progress: Progress) -> None:
    """Unpack the zip or tar file `file` into the new folder `target`.

    Args:
        strip: only what lies in this folder of the archive is unpacked, without that prefix.

    Raises:
        DatasetError: the file is no archive or broken, lacks `strip`, does not fit on the disk, or
            has a hostile member. Nothing is left in `target` then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    prefix = tuple(name for name in strip.split("/") if name)
    try:
        with _members(file) as members:
            inside = [m for m in members if m.parts[: len(prefix)] == prefix]
            if not inside:
                raise DatasetError(f"{file} holds no folder {strip}")
            total = sum(member.size for member in inside)
            check_space(part, total, file.name)
            done = 0
            for member in inside:
                path = part.joinpath(*member.parts[len(prefix) :])
                if member.is_folder:
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with member.open() as source, path.open("xb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
                done += member.size
                progress(f"unpacking {file.name}", done, total)
        part.chmod(0o755)
        part.rename(target)
    except _BROKEN as error:
        file.unlink(missing_ok=True)
        raise DatasetError(
            f"{file} is no whole archive: {error}", "It was removed. Fetch it again."
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise DatasetError unless the disk of `folder` has `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DatasetError(
            f"{what} needs {needed / 1e9:.1f} GB, but {folder} has {free / 1e9:.1f} GB free",
            "Make room, or choose another place with --data-root.",
        )


@contextmanager
def _members(file: Path) -> Iterator[list[_Member]]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as zipped:
            yield [_zip_member(file, zipped, info) for info in zipped.infolist()]
    else:
        with tarfile.open(file) as tarred:
            yield [_tar_member(file, tarred, info) for info in tarred]


def _zip_member(file: Path, zipped: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the archive says nothing of Unix
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _hostile(file, info.filename, "is neither file nor folder")
    parts = _parts(file, info.orig_filename)
    return _Member(parts, info.file_size, info.is_dir(), lambda: zipped.open(info))


def _tar_member(file: Path, tarred: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    if not (info.isreg() or info.isdir()):
        raise _hostile(file, info.name, "is neither file nor folder")

    def read() -> IO[bytes]:
        stream = tarred.extractfile(info)
        if stream is None:
            raise tarfile.ReadError(f"{info.name} cannot be read")
        return stream

    return _Member(_parts(file, info.name), info.size, info.isdir(), read)


def _parts(file: Path, name: str) -> tuple[str, ...]:
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if name.startswith("/") or ".." in parts or any(c in name for c in "\\:\0"):
        raise _hostile(file, name, "leads out of the archive")
    return parts


def _hostile(file: Path, name: str, why: str) -> DatasetError:
    return DatasetError(
        f"{file}: member {name!r} {why}; nothing was unpacked",
        "Do not use this archive. Get the dataset from its homepage.",
    )
