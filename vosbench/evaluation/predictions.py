"""The masks that someone predicted for a sequence: label maps, one folder for each object, or
run-length codes of COCO in a JSON file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from vosbench.datasets.masks import Layers, find_masks
from vosbench.errors import DatasetError

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence
    from vosbench.types import LabelMap

#: Names of masks in order -> frame index -> name.
Order = Callable[[list[str]], Mapping[int, str]]


class Predictions(Protocol):
    """Masks of one sequence by frame.

    Attributes:
        names: object id -> what it is called, where every object has masks of its own.
    """

    @property
    def names(self) -> Mapping[int, str]: ...

    def read(self, index: int) -> LabelMap | Layers | None:
        """The masks of a frame, or None. Raises DatasetError naming the file."""


def open_predictions(
    masks: Path, video: VideoSequence, order: Order | None = None
) -> Predictions | None:
    """The masks of `video` in the folder or JSON file `masks`; None where it holds none of it.

    Args:
        order: pairs masks with frames instead of by name.

    Raises:
        DatasetError: what is there does not fit the sequence.
    """
    if masks.is_file():
        from vosbench.datasets.rle import open_rle

        return open_rle(masks, video)
    folder = masks / video.name
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
    return found
