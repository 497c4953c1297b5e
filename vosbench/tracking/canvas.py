"""Fusion of sessions that ran one after the other: each pixel keeps the most probable object.

A long video does not fit into memory, nor, at five bytes a pixel, on every disk. So frames are kept
in files, cropped to what is foreground and compressed: some kilobytes each.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vosbench.backports import dataclass, zip
from vosbench.types import LabelMap, Mask, Prediction

#: How finely probabilities between one half and one are told apart.
_STEPS = 65535

_Steps = NDArray[np.uint16]
_Crop = tuple[slice, slice]


@dataclass(slots=True)
class Canvas:
    """The fused label maps of one sequence, whose frames may differ in size.

    The rule is that of `Prediction.label_map`: above one half, and on ties the object that was
    added first. Labels count as probabilities 0 and 1. Probabilities are compared in steps of
    1/131070.

    Attributes:
        folder: an empty one, for this alone.

    Example:
        canvas.add(3, prediction, frame.size)
        canvas.labels(3, frame.size)
    """

    folder: Path
    _crops: dict[int, _Crop] = field(default_factory=dict)

    def add(self, index: int, prediction: Prediction, size: tuple[int, int]) -> None:
        """Add what a session predicts in frame `index`, which has this (height, width)."""
        labels, best = self._read(index, size)
        for part in _parts(prediction):
            won = part.steps > best[part.crop]
            np.copyto(best[part.crop], part.steps, where=won)
            np.copyto(labels[part.crop], np.uint8(part.obj), where=won)
        crop = _crop(labels > 0)
        self._crops[index] = crop
        data = labels[crop].tobytes() + best[crop].tobytes()
        (self.folder / str(index)).write_bytes(zlib.compress(data, 1))

    def labels(self, index: int, size: tuple[int, int]) -> LabelMap:
        """The fused label map (H, W) of frame `index`."""
        return self._read(index, size)[0]

    def _read(self, index: int, size: tuple[int, int]) -> tuple[LabelMap, _Steps]:
        labels, best = np.zeros(size, np.uint8), np.zeros(size, np.uint16)
        if index in self._crops:
            crop = self._crops[index]
            shape = labels[crop].shape
            data = zlib.decompress((self.folder / str(index)).read_bytes())
            count = shape[0] * shape[1]
            labels[crop] = np.frombuffer(data, np.uint8, count).reshape(shape)
            best[crop] = np.frombuffer(data, np.uint16, count, offset=count).reshape(shape)
        return labels, best


class _Part(NamedTuple):
    """Where an object is more probable than not, and by how many steps."""

    obj: int
    crop: _Crop
    steps: _Steps


def _parts(prediction: Prediction) -> Iterator[_Part]:
    if prediction.scores is None:
        labels = prediction.label_map()
        for obj in np.unique(labels[labels > 0]):
            mask = labels == obj
            crop = _crop(mask)
            yield _Part(int(obj), crop, mask[crop] * np.uint16(_STEPS))
        return
    for obj, probability in zip(prediction.ids, prediction.scores, strict=True):
        crop = _crop(probability > 0.5)
        # Rounded up, so that what is above one half stays there.
        steps = np.ceil((probability[crop] - 0.5) * (2 * _STEPS)).clip(0, _STEPS)
        yield _Part(obj, crop, steps.astype(np.uint16))


def _crop(mask: Mask) -> _Crop:
    """The rows and columns between which `mask` (H, W) holds; none where it is empty."""
    return _extent(mask, 1), _extent(mask, 0)


def _extent(mask: Mask, axis: int) -> slice:
    where = np.flatnonzero(mask.any(axis=axis))
    return slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 0)
