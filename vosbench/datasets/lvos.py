"""LVOS v1 and v2: videos of minutes, late objects; `val/` is annotated, `test/` is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from vosbench.datasets.base import Dataset, DatasetSpec, VideoSequence
from vosbench.datasets.layout import (
    find_layouts,
    names_objects,
    path_below,
    read_meta,
    read_sequences,
)
from vosbench.datasets.listing import list_folders, read_list

#: Dataset name -> names that the split's folder goes by; edition, or "" for whichever is there;
#: sequences of that edition.
_SPLITS = {
    "lvos-val": (("val", "valid"), "", 0),
    "lvos-test": (("test",), "", 0),
    "lvos-v1-val": (("val", "valid"), "v1", 50),
    "lvos-v1-test": (("test",), "v1", 50),
    "lvos-v2-val": (("val", "valid"), "v2", 140),
    "lvos-v2-test": (("test",), "v2", 160),
}
_FAMILY = re.compile(r"lvos", re.IGNORECASE)
_ON_THE_WAY = re.compile(r"lvos|^v1$|^v2$|^val$|^valid$|^test$", re.IGNORECASE)

#: Videos of unseen categories (unseen_videos.txt of the official evaluation program).
_UNSEEN = frozenset(
    """
i0M1xY0s U5YrHz8C plkkJovZ AyYrqCpE Yh7l1CZ7 x5Cs3wQ7 pTdVZbsW xrvXgUjy n1OI9Iiz UMSlx6sX tfHbYVbV
NdAW1Oi9 sxfJIEdE o84EWHef 24rOA4dw JWvDlojB Y7xx3JG2 ViPRqGir 0FIVB23u m0jlDJ9S T3uc5oxT J2roqPvo
J9Ykd24K QuJCPPE7 F22n6gyQ AWIYANuE rrrgtcMl
""".strip().split()
)


def specs() -> Iterator[DatasetSpec]:
    """The LVOS datasets by name."""
    for name, (folders, edition, count) in _SPLITS.items():
        yield DatasetSpec(
            name=name,
            summary=f"LVOS {folders[0]}, {edition or 'v1 or v2'}: long videos, 6 fps",
            count=count,
            load=partial(load, name),
            locate=partial(locate, name),
            recognise=None if edition else partial(recognise, name),
            protocol="lvos",
            measures=("J", "F", "V"),
            homepage="https://lingyihongfd.github.io/lvos.github.io/",
            place="/".join(filter(None, ("LVOS", edition, folders[0]))),
            licence="annotations CC BY 4.0; videos for non-commercial research",
        )


def load(name: str, root: Path) -> Dataset:
    """The split `name` from its folder `root` (the one that holds JPEGImages).

    An object starts with its `frame_range` in the metadata, or else where a mask first shows it.
    `Sequence.meta` holds `unseen` (object ids, all or none of a video) and `ranges` (object id ->
    (first, last) frame index).

    Raises:
        DatasetError: sequences are missing, or metadata or a mask is broken.
    """
    meta = _meta(root)
    listed = next(
        (p for p in (root / "unseen_videos.txt", root.parent / "unseen_videos.txt") if p.is_file()),
        None,
    )
    unseen = _UNSEEN if listed is None else frozenset(read_list(listed))
    ranges = {video: _ranges(entry) for video, entry in meta.items()}
    sequences = read_sequences(
        sorted(meta) or list_folders(root / "JPEGImages"),
        root / "JPEGImages",
        root / "Annotations",
        given={video: {o: first for o, (first, _) in r.items()} for video, r in ranges.items()},
        late=True,
    )
    sequences = tuple(
        _with_meta(s, ranges.get(s.name, {}), unseen=s.name in unseen) for s in sequences
    )
    return Dataset(
        name=name,
        root=root,
        sequences=sequences,
        protocol="lvos",
        annotated=name.endswith("val"),
        withheld=name.endswith("test"),
    )


def recognise(name: str, root: Path) -> bool:
    """Whether the folder `root` is the split `name`: called like it, with metadata that give each
    object's range of frames, or below a folder named after LVOS."""
    path = root.absolute()
    if path.name not in _SPLITS[name][0] or not (root / "JPEGImages").is_dir():
        return False
    if any(_FAMILY.search(part) for part in path.parts[-4:-1]):
        return True
    return any(_ranges(entry) for entry in _meta(root).values())


def locate(name: str, root: Path) -> Path | None:
    """The folder of the split `name` at or under `root`, below a folder named after LVOS. Where no
    edition is named, they are told apart by the number of videos."""
    folders, edition, _ = _SPLITS[name]
    for found in find_layouts(root, _ON_THE_WAY):
        path = path_below(root, found)
        named = found.absolute().name in folders and _FAMILY.search(path)
        if named and edition in _edition(path, found):
            return found
    return None


def _edition(path: str, found: Path) -> str:
    """v1 or v2, as the path says or the number of videos tells; both if neither does."""
    named = re.findall(r"v[12]", path.lower().replace("lvos", " "))
    if named:
        return str(named[-1])
    count = len(list_folders(found / "JPEGImages"))
    editions = {n: edition for _, edition, n in _SPLITS.values() if n > 50}
    return editions.get(count, "v1" if count == 50 else "v1 v2")


def _meta(root: Path) -> dict[str, dict[str, Any]]:
    for folder in (root, root.parent):
        for file in (f"{root.name}_meta.json", "val_meta.json", "meta.json"):
            path = folder / file
            if path.is_file() and (folder == root or root.name[:3] in file):
                return read_meta(path) if names_objects(path) else {}
    return {}


def _ranges(entry: dict[str, Any]) -> dict[int, tuple[str, str]]:
    try:
        return {
            int(obj): (str(info["frame_range"]["start"]), str(info["frame_range"]["end"]))
            for obj, info in entry["objects"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _with_meta(
    sequence: VideoSequence, ranges: dict[int, tuple[str, str]], *, unseen: bool
) -> VideoSequence:
    index = {path.stem: i for i, path in enumerate(sequence.frames)}
    known = {
        obj: (index[first], index[last])
        for obj, (first, last) in ranges.items()
        if first in index and last in index
    }
    ids = sorted(sequence.objects) if unseen else []
    return replace(sequence, meta={"unseen": ids, "ranges": known})
