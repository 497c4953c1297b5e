"""Any folder in DAVIS layout as a dataset: `--dataset path/to/folder`.

folder/JPEGImages/[480p/]SEQUENCE/00000.jpg ...      # or SEQUENCE.mp4
folder/Annotations/[480p/]SEQUENCE/00000.png ...     # or SEQUENCE/OBJECT/00000.png
folder/annotations.json        # instead of Annotations/: run-length codes of COCO
folder/ImageSets/**/*.txt      # optional: with exactly one list, its sequences in its order

SA-V's names JPEGImages_24fps and Annotations_6fps are known too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.layout import (
    RESOLUTIONS,
    holds_frames,
    list_sequences,
    list_videos,
    read_sequences,
    resolution_folder,
    sequence_folders,
)
from vosbench.datasets.listing import child, list_folders, read_list, some
from vosbench.errors import DatasetError

_PLAUSIBLE = 50  # objects in one video
_KINDS = (("JPEGImages", "Annotations"), ("JPEGImages_24fps", "Annotations_6fps"))


def load(root: Path, name: str = "") -> Dataset:
    """The dataset in the folder `root`, named after it unless `name` is given.

    Objects are all ids that occur in the masks; each starts where it first occurs. The protocol is
    the one whose rules the masks fit, see `protocol_of`.

    Raises:
        DatasetError: `root` is not in DAVIS layout, or a file is broken.
    """
    kind, masks = next((pair for pair in _KINDS if (root / pair[0]).is_dir()), _KINDS[0])
    images = _images(root, kind)
    annotations = _annotations(root, root / masks, images.relative_to(root / kind))
    doubts: list[str] = []
    names = _names(root, images, annotations, doubts)
    sequences = read_sequences(names, images, annotations, binary=None)
    doubts += _doubts(sequences)
    if (root / "meta.json").is_file():
        doubts.append("meta.json names no objects of videos and is not read")
    return Dataset(
        name=name or root.resolve().name,
        root=root,
        sequences=sequences,
        protocol="sav" if kind == _KINDS[1][0] else protocol_of(sequences),
        annotated=is_annotated(sequences),
        doubts=tuple(doubts),
    )


def protocol_of(sequences: Sequence[VideoSequence]) -> str:
    """The protocol that scores what the masks show: that of DAVIS-2016 where every sequence has
    one object as 0/255 from its first mask on, that of DAVIS-2017 where ids are 1, 2, ... without
    gaps, all in the first mask; `objects` for everything else."""

    def from_the_first(sequence: VideoSequence) -> bool:
        return set(sequence.objects.values()) == {min(sequence.annotations)}

    def counted(sequence: VideoSequence) -> bool:
        return [*sequence.objects] == [*range(1, len(sequence.objects) + 1)]

    frames = [len(sequence.annotations) for sequence in sequences]
    if not all(map(from_the_first, sequences)) or max(frames, default=0) == 2:
        return "objects"
    if all(sequence.binary for sequence in sequences):
        return "davis2016"
    plain = all(counted(sequence) and not sequence.layers for sequence in sequences)
    return "davis2017" if plain else "objects"


def is_annotated(sequences: Sequence[VideoSequence]) -> bool:
    """Whether there are masks besides those that are given away."""
    return any(set(s.annotations) - set(s.objects.values()) for s in sequences)


def _images(root: Path, kind: str) -> Path:
    found = sequence_folders(root / kind) if (root / kind).is_dir() else []
    if not found:
        inside = sorted(
            path.parent
            for depth in ("*", "*/*")
            for images, _ in _KINDS
            for path in root.glob(f"{depth}/{images}")
        )
        near = [n for n in list_folders(root) if n != kind and n.lower() == kind.lower()]
        way = "Frames (or SEQUENCE.mp4) belong there, masks into Annotations/ in the same way."
        if near:
            way = f"Rename {root / near[0]}: capitals count."
        if inside:
            way = f"Give one of those inside that have: {some([str(path) for path in inside])}."
        raise DatasetError(
            f"{root} is not in DAVIS layout: it has no JPEGImages/SEQUENCE/ or "
            "JPEGImages/480p/SEQUENCE/",
            way,
        )
    if len(found) > 1 and found[0].name not in RESOLUTIONS:
        raise DatasetError(
            f"{root / kind} holds several folders of sequences: "
            f"{some([path.name for path in found])}",
            "Make each a dataset of its own, or call the one that is meant 480p.",
        )
    return found[0]


def _annotations(root: Path, masks: Path, resolution: Path) -> Path:
    """The folder that holds the masks of each sequence, if need be made of the codes in
    `annotations.json`."""
    if (masks / resolution).is_dir():
        return masks / resolution
    found = resolution_folder(masks)
    codes = [
        path for path in (root / "annotations.json", root / "instances.json") if path.is_file()
    ]
    if found is None and codes:
        from vosbench.datasets.rle import extract_masks

        return extract_masks(codes[0])
    return found or masks / resolution


def _names(root: Path, images: Path, annotations: Path, doubts: list[str]) -> tuple[str, ...]:
    """The sequences: those of the only list, or all folders and videos that hold any frame."""
    lists = sorted(
        path
        for path in (root / "ImageSets").rglob("*")
        if path.suffix.lower() == ".txt" and not path.name.startswith(".")
    )
    if len(lists) == 1:
        names = read_list(lists[0])
        if not names:
            raise DatasetError(f"{lists[0]} names no sequence", "Fill it, or remove it.")
        return names
    there = list_sequences(images)
    videos = list_videos(images)
    empty = [n for n in there if n not in videos and not holds_frames(images / n)]
    left_out = [name for name in empty if not (annotations / name).is_dir()]
    if left_out:
        doubts.append(f"{some(left_out)} in {images}: no frames and no masks, left out")
    names = tuple(name for name in there if name not in left_out)
    masked = (name for name in list_folders(annotations) if name not in videos)
    if without := [name for name in masked if not child(images, name).is_dir()]:
        doubts.append(f"{some(without)} in {annotations}: masks without frames, left out")
    if lists:
        which = some([str(path.relative_to(root / "ImageSets")) for path in lists])
        doubts.append(
            f"ImageSets holds {len(lists)} lists ({which}) and none is followed: all "
            f"{len(names)} sequences count; --list {lists[-1]} takes those of one"
        )
    return names


def _doubts(sequences: Sequence[VideoSequence]) -> list[str]:
    doubts = []
    if void := [s for s in sequences if "void" in s.meta]:
        doubts.append(
            f"255 is void and no object, in {some([s.name for s in void])} "
            f"(first in {void[0].meta['void']})"
        )
    if second := [s.name for s in sequences if len(s) > 1 and min(s.annotations) == 1]:
        doubts.append(
            f"the first mask is of the second frame, in {some(second)}: are masks counted from "
            "another number than frames?"
        )
    doubts += [
        f"{some(odd)} in {s.frames[0].parent}: is it a frame? Others have a number"
        for s in sequences
        if (odd := _without_number(s))
    ]
    doubts += [
        f"masks of no frame of {s.name}: {some(s.meta['strays'])}"
        for s in sequences
        if "strays" in s.meta
    ]
    doubts += [
        f"{s.name} has {len(s.objects)} objects: are its masks label maps?"
        for s in sequences
        if len(s.objects) > _PLAUSIBLE
    ]
    return doubts


def _without_number(sequence: VideoSequence) -> list[str]:
    """Files among the frames that have no digit in their names, where others have (a preview)."""
    odd = [path.name for path in sequence.frames if not any(c.isdigit() for c in path.stem)]
    return odd if len(odd) < len(sequence) else []
