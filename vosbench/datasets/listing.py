"""What lies in a folder, in the order and by the names that people give: frames by number, lists of
sequences, no folders of file managers."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from vosbench.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg"})

#: Folders that archives of a Mac, network storage and Windows leave behind, in lower case.
_LEFT_BEHIND = frozenset(
    {"__macosx", "@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin",
     "system volume information", "lost+found", "__pycache__"}
)  # fmt: skip
_DIGITS = re.compile(r"(\d+)", re.ASCII)
_NUMBER = re.compile(r"\d+\.(\d+)", re.ASCII)
_SIGNED = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_PAIR = re.compile(r"/JPEGImages/(?:.+/)?([^/]+)/[^/]+\.\w+\s+/Annotations/\S.*")
_BYTE_ORDER_MARKS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def list_files(folder: Path, suffixes: Iterable[str]) -> tuple[Path, ...]:
    """Files of `folder` with one of `suffixes` in upper or lower case, in the order of
    `in_order`. Hidden files (of file managers and interrupted writers) do not count."""
    wanted = frozenset(suffixes)
    paths = []
    try:
        for entry in os.scandir(folder):
            name = entry.name
            if not name.startswith(".") and Path(name).suffix.lower() in wanted:
                paths.append(folder / name)
                if entry.is_symlink() and not paths[-1].exists():
                    raise DatasetError(f"{paths[-1]} is a link that leads nowhere")
    except OSError as error:
        raise DatasetError(f"{folder} cannot be listed: {error.strerror}") from None
    place = {stem: i for i, stem in enumerate(in_order({path.stem for path in paths}))}
    return tuple(sorted(paths, key=lambda path: (place[path.stem], path.name)))


def list_folders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in `folder`, sorted; none if it is not there. Links that lead nowhere
    are among them: whoever opens one says so. Hidden ones and those that file managers, network
    storage and archives leave behind do not count."""
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in os.scandir(folder) if _is_folder(entry) or _dangles(entry))
    return tuple(
        sorted(n for n in names if not n.startswith(".") and n.lower() not in _LEFT_BEHIND)
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _dangles(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not Path(entry.name).suffix and not Path(entry.path).exists()


def child(folder: Path, name: str) -> Path:
    """`folder / name`, or what is there under that name in another Unicode composition: an
    é from a Mac is often an e and an accent."""
    path = folder / name
    if name.isascii() or path.exists() or not folder.is_dir():
        return path
    composed = unicodedata.normalize("NFC", name)
    others = (entry for entry in folder.iterdir())
    return next((o for o in others if unicodedata.normalize("NFC", o.name) == composed), path)


def in_order(names: Iterable[str]) -> list[str]:
    """Frame names in the order of time: numbers inside names count as numbers, so frame2 comes
    before frame10. Names that are decimal fractions (time stamps) are in order of value, unless
    trailing zeros show that they are two numbers each (1.9, 1.10); so are names that are numbers
    some of which are negative."""
    found = list(names)
    if any(n.startswith("-") for n in found) and all(map(_SIGNED.fullmatch, found)):
        return sorted(found, key=lambda name: (Decimal(name), name))
    fractions = [_NUMBER.fullmatch(name) for name in found]
    if found and all(fractions):
        decimals = [match.group(1) for match in fractions if match]
        one_length = len({len(text) for text in decimals}) == 1
        if one_length or not any(len(text) > 1 and text.endswith("0") for text in decimals):
            return sorted(found, key=lambda name: (Decimal(name), name))
    return sorted(found, key=lambda name: (natural_key(name), name))


def natural_key(name: str) -> tuple[Any, ...]:
    """Sorts texts with their runs of digits as numbers, upper and lower case alike."""
    parts = _DIGITS.split(name.lower())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts))


def some(names: Sequence[str], shown: int = 5) -> str:
    """The first of some names, for messages."""
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 or UTF-16, with or without a byte-order mark.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    data = path.read_bytes()
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data[:2] == mark), "utf-8-sig")
    if encoding == "utf-8-sig" and b"\0" in data:  # no text in UTF-8 has one
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    return data.decode(encoding)


def read_list(path: Path) -> tuple[str, ...]:
    """Sequence names of an ImageSets file: one a line, blanks inside names included, or
    DAVIS-2016's pairs of frame files.

    Raises:
        DatasetError: the file is unreadable, or a name would leave the dataset's folder.
    """
    try:
        lines = read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as a list of sequences: {error}") from None
    names: dict[str, None] = {}
    for entry in filter(None, map(str.strip, lines)):
        pair = _PAIR.fullmatch(entry)  # /JPEGImages/480p/bear/00000.jpg /Annotations/...
        name = pair.group(1) if pair else entry
        if name in (".", "..") or "/" in name or "\\" in name:
            raise DatasetError(f"{path}: {name!r} is no sequence name")
        names[name] = None
    return tuple(names)
