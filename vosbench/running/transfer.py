"""Parts of a run by way of any place that fsspec knows: S3, Google Cloud, SSH, HTTP, a folder."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vosbench.errors import FileError, RunError, UsageError, VosbenchError
from vosbench.store import Run
from vosbench.store.archive import read_archive, write_archive

_CHUNK = 1 << 20


def is_remote(place: str) -> bool:
    """Whether it is a URL, rather than a folder, or file, on this machine."""
    return "://" in place


def push(runs: Sequence[Run], url: str, *, fresh: bool = False) -> int:
    """Send what `runs` have done to `url`, as one archive, and read it back; gives the number of
    masks.

    Args:
        fresh: replace what is there. The same archive may be there already.

    Raises:
        UsageError: fsspec, or what it needs for such a URL, is not installed.
        RunError: there is something else at `url`, or masks are not what was recorded.
        FileError: it cannot be written, or is not there afterwards as it was sent.
    """
    system, path = _system(url)
    with tempfile.TemporaryDirectory(prefix="vosbench-") as folder:
        file = Path(folder, "part.zip")
        masks = write_archive(runs, file)
        with _telling(f"{url} cannot be written"):
            if not fresh and system.exists(path):
                if _digest(system, path) == _digest_here(file):
                    return masks
                raise RunError(f"there is another file at {url}", "--fresh replaces it.")
            system.put_file(str(file), path)
            system.invalidate_cache()
            if _digest(system, path) != _digest_here(file):
                raise FileError(f"{url} is not what was sent", "Push it again with --fresh.")
    return masks


@contextlib.contextmanager
def pulled(url: str) -> Iterator[list[Run]]:
    """The runs in the archive at `url`, or in all that a `*` in it stands for, until the end of the
    block.

    Raises:
        UsageError: fsspec, or what it needs for such a URL, is not installed.
        RunError: nothing is there, or an archive is not what was sent.
        FileError: it cannot be read.
    """
    system, path = _system(url)
    with tempfile.TemporaryDirectory(prefix="vosbench-") as folder:
        runs: list[Run] = []
        with _telling(f"{url} cannot be read"):
            places = sorted(system.glob(path)) if "*" in path else [path]
            if not places:
                raise RunError(f"there is nothing at {url}")
            for number, place in enumerate(places):
                file = Path(folder, str(number), str(place).rsplit("/", 1)[-1])
                file.parent.mkdir()
                system.get_file(place, str(file))
                runs += read_archive(file, file.parent / "runs")
                file.unlink()
        yield runs


def _system(url: str) -> tuple[Any, str]:
    """The file system that fsspec has for `url`, and the path there."""
    try:
        import fsspec
    except ImportError:
        raise UsageError(
            f"{url}: fsspec is not installed", "pip install 'vosbench[remote]' adds it."
        ) from None
    try:
        system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:  # it names the package
        raise UsageError(f"{url}: {error}", "Beside vosbench[remote], in the same place.") from None
    except ValueError as error:
        raise UsageError(f"{url}: {error}") from None
    return system, path


@contextlib.contextmanager
def _telling(problem: str) -> Iterator[None]:
    """Whatever a file system raises, in a sentence; each has errors of its own."""
    try:
        yield
    except VosbenchError:
        raise
    except Exception as error:
        raise FileError(f"{problem}: {type(error).__name__}: {error}") from None


def _digest(system: Any, path: str) -> str:
    digest = hashlib.sha256()
    with system.open(path, "rb") as stream:
        while data := stream.read(_CHUNK):
            digest.update(data)
    return digest.hexdigest()


def _digest_here(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
