"""Files of a dataset on disk to sequences: frame lists, annotation lists, object ids.

All datasets here keep `JPEGImages/.../SEQUENCE/FRAME.jpg` and `Annotations/.../SEQUENCE/FRAME.png`;
they differ in what says which objects there are and where they start.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import replace
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosbench.datasets.base import VideoSequence
from vosbench.datasets.listing import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    child,
    list_files,
    list_folders,
    natural_key,
    some,
)
from vosbench.errors import DatasetError, printable
from vosbench.naming import problem_of
from vosbench.parsing import read_json

if TYPE_CHECKING:
    from vosbench.datasets.masks import MaskFiles


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


_aside: ContextVar[dict[str, str] | None] = ContextVar("_aside", default=None)


@contextlib.contextmanager
def broken_set_aside() -> Iterator[dict[str, str]]:
    """Inside, sequences that cannot be opened are set aside, name -> what is wrong, as long as
    there are others. A loader of a dataset takes no argument that could say so."""
    aside: dict[str, str] = {}
    token = _aside.set(aside)
    try:
        yield aside
    finally:
        _aside.reset(token)


#: Resolution folders in the order of preference; any other name comes after them.
RESOLUTIONS = ("480p", "Full-Resolution", "1080p")


def resolution_folder(folder: Path) -> Path | None:
    """The folder that holds the sequences: `folder` itself or `folder/<resolution>`; None if there
    is neither."""
    found = sequence_folders(folder)
    return found[0] if found else None


def sequence_folders(folder: Path) -> list[Path]:
    """What may be the folder that holds the sequences, best first: known resolutions, `folder`
    itself where its folders hold frames, and other folders in it whose folders do."""
    children = list_folders(folder)
    found = [folder / n for n in RESOLUTIONS if n in children and _any_sequence(folder / n)]
    if not found and (any(holds_frames(folder / n) for n in children) or list_videos(folder)):
        found = [folder]
    if not found:
        others = (folder / name for name in children if name not in RESOLUTIONS)
        found = [path for path in others if _any_sequence(path)]
    return found or ([folder] if children else [])


def holds_frames(folder: Path) -> bool:
    """Whether images, or one video, lie directly in `folder`."""
    return _any_file(folder, IMAGE_SUFFIXES) or len(list_videos(folder)) == 1


def list_videos(folder: Path) -> dict[str, Path]:
    """Video files in `folder` by their names without suffix; none if it is not there."""
    return {path.stem: path for path in _videos(folder)}


def _videos(folder: Path) -> tuple[Path, ...]:
    return list_files(folder, VIDEO_SUFFIXES) if _any_file(folder, VIDEO_SUFFIXES) else ()


def list_sequences(folder: Path) -> tuple[str, ...]:
    """Names of the sequences in `folder`: folders, and video files."""
    return tuple(sorted({*list_folders(folder), *list_videos(folder)}))


def _any_sequence(folder: Path) -> bool:
    return bool(list_folders(folder) or list_videos(folder))


def _any_file(folder: Path, suffixes: frozenset[str]) -> bool:
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(
            Path(entry.name).suffix.lower() in suffixes and not entry.name.startswith(".")
            for entry in entries
        )


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
        videos = read_json(path)["videos"]
        return {str(name): dict(entry) for name, entry in videos.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is no metadata of videos: {error!r}") from None


def names_objects(path: Path) -> bool:
    """Whether `path` is the official metadata of videos and says which objects there are; another
    JSON document of that name is not. Raises DatasetError naming the file if it is no JSON."""
    try:
        document = read_json(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} is no metadata of videos: {error!r}") from None
    videos = document.get("videos") if isinstance(document, dict) else None
    entries = videos.values() if isinstance(videos, dict) else ()
    return any(isinstance(entry, dict) and "objects" in entry for entry in entries)


def read_sequence(
    name: str,
    images: Path,
    annotations: Path,
    *,
    binary: bool | None = False,
    given: Mapping[int, str] | None = None,
    late: bool = False,
    films: Mapping[str, Sequence[Path]] | None = None,
) -> VideoSequence:
    """The sequence `name` from the folder or video `images/name` and the folder
    `annotations/name`, which holds label maps or one folder of masks for each object.

    Args:
        binary: see `VideoSequence`; None decides by the masks, which then also name the objects:
            0 and 255 alone are binary.
        given: object id -> name of the frame whose mask gives it away, where metadata say so;
            without, or where there is no such mask, the masks are asked.
        late: look through all masks for objects that appear later; else the first non-empty mask
            names all (ids 1..max, the rule of DAVIS).
        films: video files in `images` by sequence, if they have been listed.

    Raises:
        DatasetError: no frames, no annotation, or a broken file.
    """
    from vosbench.datasets.masks import MaskFiles, find_masks

    frames = _list_frames(images, name, _films(images) if films is None else films)
    names = [path.stem for path in frames]
    found = MaskFiles(child(annotations, name))
    if found.folder.is_dir():
        found = find_masks(found.folder, names)
    if not len(found):
        raise DatasetError(
            f"{annotations / name} holds no mask of any frame of {images / name}"
            f"{_other_files(annotations / name)}",
            "Every sequence needs the mask of the frame in which its objects start.",
        )
    if found.layers:
        return _with_layers(name, frames, found)
    masks = dict(sorted(found.labels.items()))
    if binary is None:
        sequence = _by_its_masks(name, frames, masks)
        strays = {"strays": found.strays} if found.strays else {}
        return replace(sequence, meta={**sequence.meta, **strays})
    index = {stem: i for i, stem in enumerate(names)}
    known = {obj: index.get(frame, -1) for obj, frame in (given or {}).items()}
    if known and all(start in masks for start in known.values()):
        starts = dict(sorted(known.items()))
    else:
        starts = find_objects(masks, binary=binary, late=late)
    if not starts:
        raise DatasetError(f"all masks in {annotations / name} are empty: there is no object")
    return VideoSequence(name=name, frames=frames, annotations=masks, objects=starts, binary=binary)


def _other_files(folder: Path) -> str:
    """What a folder without masks holds, for messages."""
    other = list_files(folder, IMAGE_SUFFIXES) if folder.is_dir() else ()
    if not other:
        return ""
    return f" but {len(other)} files such as {other[0].name}: masks are PNGs, without loss"


def _films(images: Path) -> dict[str, list[Path]]:
    """Video files by the name of their sequence."""
    found: dict[str, list[Path]] = {}
    for path in _videos(images):
        found.setdefault(path.stem, []).append(path)
    return found


def _list_frames(
    images: Path, name: str, every_film: Mapping[str, Sequence[Path]]
) -> tuple[Path, ...]:
    from vosbench.datasets.videos import extract_frames

    folder = child(images, name)
    films = every_film.get(name, ())
    if len(films) > 1 or (films and folder.is_dir()):
        both = [folder] * folder.is_dir() + [*films]
        raise DatasetError(
            f"{images} holds {name} more than once: {', '.join(path.name for path in both)}",
            "Keep the one that is meant.",
        )
    if films:
        folder = extract_frames(films[0])
    if not folder.is_dir():
        near = get_close_matches(name, list_sequences(images), n=3)
        raise DatasetError(
            f"there is no {folder}{f', but {some(near)}' if near else ''}",
            "Lists in ImageSets, and metadata, must name what is there.",
        )
    frames = list_files(folder, IMAGE_SUFFIXES)
    if not frames and len(inside := list_videos(folder)) == 1:
        frames = list_files(extract_frames(*inside.values()), IMAGE_SUFFIXES)
    if not frames:
        raise DatasetError(f"{folder} holds no frames")
    for one, two in pairwise(frames):
        if natural_key(one.stem) == natural_key(two.stem):
            raise DatasetError(f"{folder} holds two images of one frame: {one.name}, {two.name}")
    return frames


def _with_layers(name: str, frames: tuple[Path, ...], found: MaskFiles) -> VideoSequence:
    """A sequence whose objects have masks of their own; each starts in its first that is not
    empty."""
    from vosbench.datasets.png import read_png_labels

    starts: dict[int, int] = {}
    for index, files in found.layers.items():
        for obj in files.keys() - starts:
            if read_png_labels(files[obj]).any():
                starts[obj] = index
    if not starts:
        raise DatasetError(f"all masks in {found.folder} are empty: there is no object")
    return VideoSequence(
        name=name,
        frames=frames,
        annotations={index: next(iter(files.values())) for index, files in found.layers.items()},
        objects=dict(sorted(starts.items())),
        layers=found.layers,
        meta={"object_names": dict(found.names)},
    )


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
        BrokenSequencesError: one or more of them cannot be opened, and `broken_set_aside` does not
            hold, or none can.
    """

    films = _films(images)

    def read(name: str) -> VideoSequence | tuple[str, str]:
        if problem := problem_of(name):
            return printable(name), f"its name {problem}; rename it"
        known = given.get(name) if given is not None else None
        try:
            return read_sequence(
                name, images, annotations, binary=binary, given=known, late=late, films=films
            )
        except DatasetError as error:
            return name, error.message

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(read, names))
    broken = dict(result for result in results if isinstance(result, tuple))
    sequences = [result for result in results if isinstance(result, VideoSequence)]
    aside = _aside.get()
    if broken and (aside is None or not sequences):
        problems = [f"{name}: {problem}" for name, problem in broken.items()]
        raise BrokenSequencesError(problems, sequences)
    if aside is not None:
        aside.update(broken)
    return tuple(sequences)


def _by_its_masks(name: str, frames: tuple[Path, ...], masks: Mapping[int, Path]) -> VideoSequence:
    """A sequence of which its masks say everything: one object as 0/255, or the ids that occur,
    each from its first mask on. `meta["void"]` is the first mask with void pixels."""
    from vosbench.datasets.reading import read_labels
    from vosbench.datasets.values import grey_levels, values_of
    from vosbench.types import VOID

    shown: dict[int, set[int]] = {}
    seen: set[int] = set()
    for index, path in masks.items():
        labels = read_labels(path)
        values = values_of(labels)
        new, seen = values != seen, values
        if new and (levels := grey_levels(labels, values)):
            raise DatasetError(
                f"{path} holds {levels} grey levels that change from pixel to pixel: a smoothed "
                "mask or probabilities, not object ids",
                "Save masks with one value for each object, resized to the nearest neighbour.",
            )
        if values:
            shown[index] = values
    if not shown:
        raise DatasetError(f"all masks of {name} are empty: there is no object")
    start, first = next(iter(shown.items()))
    if first == {VOID} and all(values in ({VOID}, {1}) for values in shown.values()):
        return VideoSequence(
            name=name, frames=frames, annotations=masks, objects={1: start}, binary=True
        )
    starts: dict[int, int] = {}
    for index, values in shown.items():
        for obj in sorted(values - {VOID}):
            starts.setdefault(obj, index)
    void = [str(masks[index]) for index, values in shown.items() if VOID in values]
    return VideoSequence(
        name=name,
        frames=frames,
        annotations=masks,
        objects=dict(sorted(starts.items())),
        meta={"void": void[0]} if void else {},
    )


def find_objects(annotations: Mapping[int, Path], *, binary: bool, late: bool) -> dict[int, int]:
    """Object id -> index of the frame in which its mask is given, from the masks themselves.

    Without `late` these are 1..max of the first mask that is not empty. With `late` every id
    starts at the first mask that shows it. 255 is void and never an object.
    """
    from vosbench.datasets.reading import read_labels
    from vosbench.datasets.values import values_of
    from vosbench.types import VOID

    starts: dict[int, int] = {}
    for index in sorted(annotations):
        ids = sorted(values_of(read_labels(annotations[index], binary)) - {VOID})
        if ids and not late:
            return dict.fromkeys(range(1, max(ids) + 1), index)
        for obj in ids:
            starts.setdefault(obj, index)
    return dict(sorted(starts.items()))
