"""The masks of one sequence on disk: label maps, or one folder of masks for each object.

SEQUENCE/FRAME.png            a pixel's value is its object
SEQUENCE/OBJECT/FRAME.png     0 and anything else; objects may overlap (SA-V)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vosbench.datasets.listing import in_order, list_files, list_folders, some
from vosbench.datasets.matching import match_names
from vosbench.datasets.png import read_png_labels
from vosbench.errors import DatasetError

if TYPE_CHECKING:
    from vosbench.types import LabelMap

MASK_SUFFIXES = (".png",)
_LARGEST = 254


@dataclass(frozen=True, slots=True)
class Layers:
    """The masks of one frame, one for each object, which may overlap.

    Attributes:
        shape: (H, W).
        masks: object id -> (H, W) uint8, 0 and 1; objects that are not there may be absent.
    """

    shape: tuple[int, int]
    masks: Mapping[int, LabelMap]

    def of(self, obj: int) -> LabelMap:
        """The mask of an object (H, W) uint8, 0 and 1."""
        mask = self.masks.get(obj)
        return np.zeros(self.shape, np.uint8) if mask is None else mask

    def label_map(self) -> LabelMap:
        """All in one (H, W) uint8; where objects overlap the smallest id is shown."""
        labels = np.zeros(self.shape, np.uint8)
        for obj in sorted(self.masks, reverse=True):
            labels[self.masks[obj] != 0] = obj
        return labels

    def overlap(self) -> bool:
        """Whether any pixel belongs to two objects."""
        count = np.zeros(self.shape, np.uint8)
        for mask in self.masks.values():
            count += mask != 0
        return bool(count.max(initial=0) > 1)


@dataclass(frozen=True, slots=True)
class MaskFiles:
    """Which file holds which mask of a sequence.

    Attributes:
        folder: what they lie in.
        labels: frame index -> file of a label map; empty where objects have folders.
        layers: frame index -> object id -> file.
        names: object id -> name of its folder.
        strays: names of masks that no frame has.
        threshold: of soft masks, share of 255 from which on a pixel belongs to the object; of
            label maps these are the masks of object `one`.
    """

    folder: Path
    labels: Mapping[int, Path] = field(default_factory=dict)
    layers: Mapping[int, Mapping[int, Path]] = field(default_factory=dict)
    names: Mapping[int, str] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    threshold: float = 0.0
    one: int = 1

    def __len__(self) -> int:
        return len(self.labels) or len(self.layers)

    @property
    def indices(self) -> tuple[int, ...]:
        """Of the frames that there are masks of, in order."""
        return tuple(sorted(self.labels or self.layers))

    def read(self, index: int) -> LabelMap | Layers | None:
        """The masks of a frame; None where there is none. Raises DatasetError naming the file."""
        path = self.labels.get(index)
        if path is not None:
            pixels = read_png_labels(path)
            if not self.threshold:
                return pixels
            labels: LabelMap = np.where(pixels >= 255 * self.threshold, self.one, 0)
            return labels.astype(np.uint8)
        files = self.layers.get(index)
        return read_layers(files, self.threshold) if files else None


def find_masks(
    folder: Path,
    frames: Sequence[str],
    names: Mapping[int, str] | None = None,
    order: Callable[[list[str]], Mapping[int, str]] | None = None,
) -> MaskFiles:
    """The masks in `folder`, matched to frames by name.

    Args:
        frames: names of the frames, in order.
        names: object id -> name of its folder, where that is settled; else ids are the numbers
            that folders are named by (plus one where there is a 0), or their place.
        order: gives frame index -> mask name instead of `match_names`.

    Raises:
        DatasetError: names do not fit, two files are masks of one frame, or there are label maps
            as well as folders.
    """
    files = list_files(folder, MASK_SUFFIXES)
    folders = [n for n in list_folders(folder) if list_files(folder / n, MASK_SUFFIXES)]
    if files and not (folders and _is_mask_folder(folders)):
        labels = _matched(files, frames, folder, order)
        strays = {path.name for path in files} - {path.name for path in labels.values()}
        return MaskFiles(folder, labels=labels, strays=tuple(in_order(strays)))
    if files:
        raise DatasetError(
            f"{folder} holds label maps ({files[0].name}) and folders of masks ({some(folders)})",
            "Keep one of them.",
        )
    ids = _object_ids(folder, folders, names)
    layers: dict[int, dict[int, Path]] = {}
    for obj, name in ids.items():
        paths = list_files(folder / name, MASK_SUFFIXES)
        for index, path in _matched(paths, frames, folder / name, order).items():
            layers.setdefault(index, {})[obj] = path
    return MaskFiles(folder, layers=dict(sorted(layers.items())), names=ids)


def object_mask(labels: LabelMap | Layers, obj: int) -> LabelMap:
    """The mask of one object (H, W) uint8, 0 and 1."""
    if isinstance(labels, Layers):
        return labels.of(obj)
    mask: LabelMap = (labels == obj).view(np.uint8)
    return mask


def read_layers(files: Mapping[int, Path], threshold: float = 0.0) -> Layers:
    """Masks from one file for each object: everything non-zero, or from `threshold` * 255 on.
    Raises DatasetError."""
    masks: dict[int, LabelMap] = {}
    for obj, path in files.items():
        pixels = read_png_labels(path)
        masks[obj] = (pixels >= max(1, 255 * threshold)).view(np.uint8)
    shapes = {mask.shape for mask in masks.values()}
    if len(shapes) > 1:
        sizes = ", ".join(f"{w}x{h}" for h, w in sorted(shapes))
        raise DatasetError(f"masks of one frame differ in size ({sizes}), e.g. {path}")
    height, width = shapes.pop()
    return Layers((height, width), masks)


def _matched(
    paths: Sequence[Path],
    frames: Sequence[str],
    where: Path,
    order: Callable[[list[str]], Mapping[int, str]] | None,
) -> dict[int, Path]:
    by_name = {path.stem: path for path in paths}
    if len(by_name) < len(paths):
        raise DatasetError(f"{where} holds two masks of one frame")
    pairs = order(list(by_name)) if order else match_names(frames, by_name, where)
    return {index: by_name[name] for index, name in pairs.items()}


def _object_ids(
    folder: Path, folders: Sequence[str], settled: Mapping[int, str] | None
) -> dict[int, str]:
    if settled:
        known = {_canonical(name): obj for obj, name in settled.items()}
        strange = [name for name in folders if _canonical(name) not in known]
        if strange:
            raise DatasetError(
                f"{folder} holds folders of unknown objects: {some(strange)}",
                f"Its objects are called {some(list(settled.values()))}.",
            )
        return {known[_canonical(name)]: name for name in folders}
    if len(folders) > _LARGEST:
        raise DatasetError(f"{folder} holds {len(folders)} objects; {_LARGEST} are the most")
    numbers = [int(name) if name.isdecimal() else -1 for name in folders]
    if numbers and min(numbers) >= 0 and len(set(numbers)) == len(numbers):
        first = 1 if min(numbers) == 0 else 0
        if max(numbers) + first <= _LARGEST:
            return {n + first: name for n, name in zip(numbers, folders, strict=True)}
    return dict(enumerate(in_order(folders), 1))


def _canonical(name: str) -> str:
    return str(int(name)) if name.isdecimal() else name


def _is_mask_folder(folders: Sequence[str]) -> bool:
    return all(name.isdecimal() for name in folders)
