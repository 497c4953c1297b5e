"""Whether an archive is the one that public records describe, by size and SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from vosbench.datasets.base import Archive, DatasetSpec

_CHUNK = 1 << 20
#: What is called so is an archive, and no dataset.
SUFFIXES = frozenset({".zip", ".tar", ".gz", ".tgz", ".xz"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What comparing a file with what is known of an archive says.

    Attributes:
        same: it is that archive.
        certain: what is known is beyond doubt.
        text: in one line, without the file's name.
    """

    same: bool
    certain: bool
    text: str


def compare(
    file: Path, archive: Archive, advance: Callable[[int], None] = lambda _: None
) -> Finding:
    """Compare `file` with what is known of `archive`; its size first, which costs nothing.

    Args:
        advance: called with bytes read since the last call.
    """
    size = file.stat().st_size
    where = "public records agree on" if archive.certain else "one public record says"
    if archive.size and size != archive.size:
        text = f"has {size:,} bytes, {where} {archive.size:,} for {archive.name}"
        return Finding(False, archive.certain, text)
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            advance(len(chunk))
    if digest.hexdigest() != archive.sha256:
        text = f"has the SHA-256 {digest.hexdigest()}, {where} {archive.sha256} for {archive.name}"
        return Finding(False, archive.certain, text)
    right = "size and SHA-256 are right" if archive.size else "its SHA-256 is right"
    return Finding(True, archive.certain, f"is {archive.name}: {right}")


def known(file: Path, specs: Iterable[DatasetSpec]) -> list[tuple[str, Archive]]:
    """Dataset name and archive of each archive with a known digest that `file` may be, by its
    name, or where none is called so by its size; datasets that share one are named once."""
    size = file.stat().st_size
    every: dict[Archive, str] = {}
    for spec in specs:
        for archive in (*spec.archives, *spec.by_hand):
            if archive.sha256:
                every.setdefault(archive, spec.name)
    of_name = [(name, archive) for archive, name in every.items() if archive.name == file.name]
    return of_name or [(name, archive) for archive, name in every.items() if archive.size == size]
