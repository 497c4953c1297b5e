"""The masks that someone predicted for a sequence: label maps, one folder for each object, or
run-length codes of COCO in a JSON file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vosbench.datasets.listing import child
from vosbench.datasets.masks import Layers, find_masks
from vosbench.errors import DatasetError

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence
    from vosbench.types import LabelMap

#: Names of masks in order -> frame index -> name.
Order = Callable[[list[str]], Mapping[int, str]]


class Predictions(Protocol):
    """The masks of one sequence, by frame.

    Attributes:
        names: object id -> what it is called, where every object has masks of its own.
        indices: of the frames that there are masks of, in order.
        strays: names of masks that no frame has.
    """

    @property
    def indices(self) -> tuple[int, ...]: ...

    @property
    def names(self) -> Mapping[int, str]: ...

    @property
    def strays(self) -> tuple[str, ...]: ...

    def read(self, index: int) -> LabelMap | Layers | None:
        """The masks of a frame, or None. Raises DatasetError naming the file."""


def label_map(predictions: Predictions, index: int, video: VideoSequence) -> LabelMap | None:
    """A predicted frame as one label map to look at (H, W) uint8; None where there is none. Of
    objects that overlap the smallest id is shown. Raises DatasetError naming the file."""
    mask = predictions.read(index)
    if mask is None:
        return None
    if isinstance(mask, Layers):
        return (mask if mask.masks else Layers(video.size, {})).label_map()
    foreground: LabelMap = (mask != 0).view(np.uint8) if video.binary else mask
    return foreground


def open_predictions(
    masks: Path, video: VideoSequence, order: Order | None = None, threshold: float = 0.0
) -> Predictions | None:
    """The masks of `video` in the folder or JSON file `masks`; None where it holds none of it.

    Args:
        order: pairs masks with frames instead of by name.
        threshold: of soft masks in grey, share of 255 from which on a pixel belongs to an object.

    Raises:
        DatasetError: what is there does not fit the sequence.
    """
    if masks.is_file() and masks.suffix.lower() != ".json":
        raise DatasetError(
            f"{masks} is neither a folder nor a .json file of masks",
            "Unpack an archive first, and give the folder that holds the sequences.",
        )
    if masks.is_file():
        from vosbench.datasets.rle import open_rle

        return open_rle(masks, video)
    folder = child(masks, video.name)
    if not folder.is_dir():
        return None
    names = video.meta.get("object_names") or {obj: str(obj) for obj in video.objects}
    found = find_masks(folder, [path.stem for path in video.frames], names, order)
    if not len(found):
        others = sorted(path.suffix for path in folder.iterdir() if path.suffix)
        if others:
            raise DatasetError(
                f"{folder} holds no PNG, but {len(others)} files such as *{others[0]}",
                "Masks are PNGs with a palette or in grey, without loss.",
            )
    if threshold and found.labels and len(video.objects) > 1:
        raise DatasetError(
            f"{folder} holds one soft mask a frame for {len(video.objects)} objects",
            f"Give one folder for each: {folder}/{next(iter(names.values()))}/...",
        )
    return replace(found, threshold=threshold, one=min(video.objects, default=1))
