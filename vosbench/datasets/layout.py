"""Files of a dataset on disk to sequences: frame lists, annotation lists, object ids.

All datasets here keep `JPEGImages/.../SEQUENCE/FRAME.jpg` and `Annotations/.../SEQUENCE/FRAME.png`;
they differ in what says which objects there are and where they start.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vosbench.datasets.base import VideoSequence
from vosbench.errors import DatasetError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


class BrokenSequencesError(DatasetError):
    """Some sequences of a dataset cannot be opened.

    Attributes:
        problems: what is wrong with each of them.
        readable: the sequences that can be opened.
    """

    def __init__(self, problems: list[str], readable: list[VideoSequence]) -> None:
        more = f"\n... and {len(problems) - 5} more" if len(problems) > 5 else ""
        super().__init__(
            "\n".join(problems[:5]) + more, "`vosbench datasets verify` lists all that is wrong."
        )
        self.problems = problems
        self.readable = readable


#: Resolution folders in the order of preference; any other name comes after them.
RESOLUTIONS = ("480p", "Full-Resolution", "1080p")


def list_files(folder: Path, suffixes: Iterable[str]) -> tuple[Path, ...]:
    """Files of `folder` with one of `suffixes`, in frame order: by number where all names are
    numbers, else by name. Hidden files (of file managers and interrupted writers) do not count."""
    wanted = frozenset(suffixes)
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError as error:
        raise DatasetError(f"{folder} cannot be listed: {error.strerror}") from None
    paths = [
        folder / n for n in names if not n.startswith(".") and Path(n).suffix.lower() in wanted
    ]
    if all(path.stem.isdecimal() for path in paths):
        return tuple(sorted(paths, key=lambda path: (int(path.stem), path.name)))
    return tuple(sorted(paths))


def list_folders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in `folder`, sorted; none if it is not there."""
    if not folder.is_dir():
        return ()
    return tuple(
        sorted(e.name for e in os.scandir(folder) if e.is_dir() and not e.name.startswith("."))
    )


def resolution_folder(folder: Path) -> Path | None:
    """The folder that holds the sequences' folders: `folder` itself or `folder/<resolution>`;
    None if there is neither."""
    children = list_folders(folder)
    ranked = [*(name for name in RESOLUTIONS if name in children)]
    ranked += [name for name in children if name not in RESOLUTIONS]
    for name in ranked:
        if list_folders(folder / name):
            return folder / name
    return folder if children else None


def find_layouts(root: Path, on_the_way: re.Pattern[str], depth: int = 3) -> Iterator[Path]:
    """Folders at or under `root` that hold `JPEGImages`, reached through at most `depth` folders
    whose names match `on_the_way`; what lies below one is not looked at."""
    if (root / "JPEGImages").is_dir():
        yield root
    elif depth > 0:
        for name in list_folders(root):
            if on_the_way.search(name):
                yield from find_layouts(root / name, on_the_way, depth - 1)


def path_below(root: Path, found: Path) -> str:
    """The path of `found` from `root` on, the root's own name included."""
    return "/".join((root.absolute().name, *found.relative_to(root).parts))


def read_meta(path: Path) -> dict[str, dict[str, Any]]:
    """Video name -> its entry of the official metadata (`{"videos": {...}}`); empty if `path` is
    no file. Raises DatasetError naming the file if it is broken."""
    if not path.is_file():
        return {}
    try:
        videos = json.loads(path.read_text(encoding="utf-8"))["videos"]
        return {str(name): dict(entry) for name, entry in videos.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is no metadata of videos: {error!r}") from None


def read_list(path: Path) -> tuple[str, ...]:
    """Sequence names of an ImageSets file: one a line, or DAVIS-2016's pairs of frame files.

    Raises:
        DatasetError: the file is unreadable, or a name would leave the dataset's folder.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as a list of sequences: {error}") from None
    names: dict[str, None] = {}
    for line in lines:
        if not line.strip():
            continue
        entry = line.split()[0]
        if entry.startswith("/JPEGImages/"):  # DAVIS-2016: /JPEGImages/480p/bear/00000.jpg ...
            entry = entry.split("/")[-2]
        if entry in (".", "..") or "/" in entry or "\\" in entry:
            raise DatasetError(f"{path}: {entry!r} is no sequence name")
        names[entry] = None
    return tuple(names)


def read_sequence(
    name: str,
    images: Path,
    annotations: Path,
    *,
    binary: bool | None = False,
    given: Mapping[int, str] | None = None,
    late: bool = False,
) -> VideoSequence:
    """The sequence `name` from the folders `images/name` and `annotations/name`.

    Args:
        binary: see `Sequence`; None decides by the first mask: 0 and 255 alone are binary.
        given: object id -> name of the frame whose mask gives it away, where metadata say so;
            without, or where there is no such mask, the masks are asked.
        late: look through all masks for objects that appear later; else the first non-empty mask
            names all (ids 1..max, the rule of DAVIS).

    Raises:
        DatasetError: no frames, no annotation, or a broken file.
    """
    frames = list_files(images / name, IMAGE_SUFFIXES)
    if not frames:
        raise DatasetError(f"{images / name} holds no frames")
    index = {path.stem: i for i, path in enumerate(frames)}
    if len(index) < len(frames):
        raise DatasetError(f"{images / name} holds two images of one frame")
    found: dict[int, Path] = {}
    if (annotations / name).is_dir():
        masks = list_files(annotations / name, (".png",))
        found = {index[path.stem]: path for path in masks if path.stem in index}
    if not found:
        raise DatasetError(
            f"{annotations / name} holds no mask of any frame of {images / name}",
            "Every sequence needs the mask of the frame in which its objects start.",
        )
    if binary is None:
        binary = _is_binary(found)
    known = {obj: index.get(frame, -1) for obj, frame in (given or {}).items()}
    if known and all(start in found for start in known.values()):
        starts = dict(sorted(known.items()))
    else:
        starts = find_objects(found, binary=binary, late=late)
    if not starts:
        raise DatasetError(f"all masks in {annotations / name} are empty: there is no object")
    return VideoSequence(name=name, frames=frames, annotations=found, objects=starts, binary=binary)


def read_sequences(
    names: Iterable[str],
    images: Path,
    annotations: Path,
    *,
    binary: bool | None = False,
    given: Mapping[str, Mapping[int, str]] | None = None,
    late: bool = False,
) -> tuple[VideoSequence, ...]:
    """`read_sequence` for each of `names`, masks decoded by several threads.

    Raises:
        BrokenSequencesError: one or more of them cannot be opened.
    """

    def read(name: str) -> VideoSequence | str:
        known = given.get(name) if given is not None else None
        try:
            return read_sequence(name, images, annotations, binary=binary, given=known, late=late)
        except DatasetError as error:
            return f"{name}: {error.message}"

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(read, names))
    problems = [result for result in results if isinstance(result, str)]
    sequences = [result for result in results if isinstance(result, VideoSequence)]
    if problems:
        raise BrokenSequencesError(problems, sequences)
    return tuple(sequences)


def find_objects(annotations: Mapping[int, Path], *, binary: bool, late: bool) -> dict[int, int]:
    """Object id -> index of the frame in which its mask is given, from the masks themselves.

    Without `late` these are 1..max of the first mask that is not empty. With `late` every id
    starts at the first mask that shows it. 255 is void and never an object.
    """
    import numpy as np

    from vosbench.datasets.reading import read_labels
    from vosbench.types import VOID

    starts: dict[int, int] = {}
    for index in sorted(annotations):
        counts = np.bincount(read_labels(annotations[index], binary).ravel(), minlength=256)
        ids = [int(i) for i in np.flatnonzero(counts) if 0 < i < VOID]
        if ids and not late:
            return dict.fromkeys(range(1, max(ids) + 1), index)
        for obj in ids:
            starts.setdefault(obj, index)
    return dict(sorted(starts.items()))


def _is_binary(annotations: Mapping[int, Path]) -> bool:
    import numpy as np

    from vosbench.datasets.reading import read_labels
    from vosbench.types import VOID

    for index in sorted(annotations):
        values = set(np.unique(read_labels(annotations[index])).tolist())
        if values != {0}:
            return values <= {0, VOID}
    return False
