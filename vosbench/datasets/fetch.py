"""Download a dataset's archives: resumed where they stopped, checked, then unpacked."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
from filelock import FileLock, Timeout

from vosbench.datasets.archives import Progress, check_space, unpack
from vosbench.datasets.base import Archive, DatasetSpec
from vosbench.datasets.digests import compare
from vosbench.errors import DatasetError

_log = logging.getLogger(__name__)

_CHUNK = 1 << 16  # what a broken connection loses at most
_ATTEMPTS = 4
_TIMEOUT = (20.0, 60.0)  # seconds to connect, to wait for data


def fetch(spec: DatasetSpec, root: Path, progress: Progress) -> Path:
    """Download and unpack the archives of `spec` under the data root `root`.

    Returns:
        The dataset's folder, complete: it can be opened and has all its sequences.

    Raises:
        DatasetError: it cannot be fetched, a download stays incomplete or has the wrong digest, the
            disk is full, the archive is hostile, or what it held is not the dataset.
    """
    if not spec.archives:
        raise DatasetError(
            f"{spec.name} cannot be fetched: its terms must be accepted in person",
            f"Get it from {spec.homepage} and unpack it to {root / spec.place}.",
        )
    downloads = root / ".downloads"
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        with _alone(root, progress):
            with contextlib.suppress(DatasetError):  # a command that we waited for was faster
                return _checked(spec, root)
            for archive in spec.archives:
                target = root / archive.into
                if target.exists():
                    raise DatasetError(
                        f"{target} is there already, but is not a complete {spec.name}",
                        "Move it away, then fetch again.",
                    )
                file = download(archive, downloads, progress)
                unpack(file, target, archive.strip, progress)
                file.unlink()
    except OSError as error:
        raise DatasetError(f"cannot fetch {spec.name}: {error}") from None
    return _checked(spec, root)


@contextlib.contextmanager
def _alone(root: Path, progress: Progress) -> Iterator[None]:
    """One command at a time fetches into a data root; others wait."""
    lock = FileLock(root / ".fetching.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        progress("waiting for another command that fetches", 0, 0)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def download(archive: Archive, folder: Path, progress: Progress) -> Path:
    """The archive's file in `folder`, downloaded whole; a part that is there is continued where
    the server allows it and the file has not changed since.

    Raises:
        DatasetError: the server refuses, the connection keeps breaking, or the digest is wrong.
    """
    name = archive.name
    file = folder / name
    for attempt in range(_ATTEMPTS):
        try:
            if _transfer(archive.url, _Part(folder, name), progress):
                break
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ):
            pass
        except requests.RequestException as error:
            raise DatasetError(f"cannot download {archive.url}: {error}") from None
        if attempt + 1 < _ATTEMPTS:
            time.sleep(0.2 * 4**attempt)
    else:
        raise DatasetError(
            f"the download of {archive.url} broke off",
            "Run the same command again to resume.",
        )
    part = _Part(folder, name)
    if archive.sha256:
        found = compare(part.path, archive)
        if not found.same and found.certain:
            part.forget()
            raise DatasetError(
                f"{archive.url} {found.text}",
                "The file was removed. Fetch again; if it stays so, the source has changed.",
            )
        if not found.same:
            _log.warning("warning: %s %s: it may be another edition", archive.url, found.text)
    part.path.replace(file)
    part.forget()
    return file


@dataclass(frozen=True, slots=True)
class _Part:
    """An unfinished download and the server's tag of what it is a part of."""

    folder: Path
    name: str

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.part"

    @property
    def _tag(self) -> Path:
        return self.folder / f"{self.name}.tag"

    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def tag(self) -> str:
        return self._tag.read_text(encoding="utf-8") if self._tag.is_file() else ""

    def begin(self, tag: str) -> None:
        self.path.unlink(missing_ok=True)
        self._tag.write_text(tag, encoding="utf-8")

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)


def _transfer(url: str, part: _Part, progress: Progress) -> bool:
    """One connection; whether the part is complete afterwards."""
    done, tag = part.size(), part.tag()
    headers = {"Accept-Encoding": "identity"}
    if done and tag:
        headers |= {"Range": f"bytes={done}-", "If-Range": tag}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{done}":
                return True
            part.forget()
            return False
        response.raise_for_status()
        length = int(response.headers.get("Content-Length", 0))
        resumed = response.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        if not (response.status_code == requests.codes.partial_content and resumed):
            # A weak tag cannot vouch for a range (RFC 9110, 13.1.5).
            strong = response.headers.get("ETag", "")
            strong = "" if strong.startswith("W/") else strong
            part.begin(strong or response.headers.get("Last-Modified", ""))
            done = 0
        total = done + length if length else 0
        check_space(part.folder, length, url)
        with part.path.open("ab") as stream:
            for chunk in response.iter_content(_CHUNK):
                stream.write(chunk)
                done += len(chunk)
                progress(f"downloading {part.name}", done, total)
    return not total or done == total


def _checked(spec: DatasetSpec, root: Path) -> Path:
    folder = spec.locate(root)
    if folder is None:
        raise DatasetError(
            f"what was unpacked under {root} is no {spec.name}",
            f"Its source may have changed, see {spec.homepage}.",
        )
    found = len(spec.load(folder).sequences)
    if spec.count and found != spec.count:
        raise DatasetError(f"{folder} holds {found} sequences of {spec.name}, not {spec.count}")
    return folder
