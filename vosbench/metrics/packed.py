"""Masks as bits, 64 pixels a word, cropped to the object: what makes the evaluator fast.

A frame of 854x480 is 410 kB as bytes, 51 kB as bits, and an object covers but a part of it.
Boundary and dilation are shifts and ORs of whole words, counts are population counts.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Bits: TypeAlias = NDArray[np.uint64]

_WORD = 64
_COUNTS: Bits = np.arange(_WORD + 1, dtype=np.uint64)


class Element(NamedTuple):
    """A set of pixel offsets, one interval per row. See `disk`.

    Attributes:
        rows: (first, last) offset in x, and the offsets in y that share it, by increasing length.
        reach: (x, y) pixels by which a mask must be grown to hold all steps of its dilation.
    """

    rows: tuple[tuple[tuple[int, int], tuple[int, ...]], ...]
    reach: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PackedMask:
    """A binary mask of a frame, stored as a rectangle outside of which it is empty.

    Attributes:
        shape: (H, W) of the frame in pixels.
        top: row of the frame in which the rectangle begins.
        left: word column in which it begins; word i holds pixels 64 i to 64 i + 63 of a row.
        bits: uint64 (words, rows); bit b of a word is pixel b of it. Word columns come first,
            so that rows, the longer axis, are contiguous and shifts in y are slices.
    """

    shape: tuple[int, int]
    top: int
    left: int
    bits: Bits

    def count(self) -> int:
        """Number of pixels set."""
        return int(np.bitwise_count(self.bits).sum())

    def overlap(self, other: PackedMask) -> int:
        """Number of pixels set in both masks, which belong to frames of one shape."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.bits.shape[1], other.top + other.bits.shape[1])
        right = min(self.left + self.bits.shape[0], other.left + other.bits.shape[0])
        if bottom <= top or right <= left:
            return 0
        common = self._window(left, right, top, bottom) & other._window(left, right, top, bottom)
        return int(np.bitwise_count(common).sum())

    def boundary(self) -> PackedMask:
        """Pixels that differ from their right, lower or lower right neighbour.

        In the frame's last row only the right neighbour counts, in its last column only the
        lower one, and the last corner never does (davis2017-evaluation; after Martin et al.,
        the Berkeley segmentation benchmark).
        """
        height, width = self.shape
        mask = self.bits
        if mask.size == 0:
            return self
        right = _shift(mask, 1)
        below = np.zeros_like(mask)
        below[:, :-1] = mask[:, 1:]
        edge = mask ^ right
        vertical = mask ^ below
        right[:, :-1] = right[:, 1:]  # now the lower right neighbour
        right[:, -1] = 0
        bits = edge | vertical | (mask ^ right)
        if self.top + mask.shape[1] == height:
            bits[:, -1] = edge[:, -1]
        last_word, last_bit = divmod(width - 1, _WORD)
        if self.left + mask.shape[0] == last_word + 1:
            last = np.uint64(1 << last_bit)
            bits[-1] = (bits[-1] & ~last) | (vertical[-1] & last)
            if self.top + mask.shape[1] == height:
                bits[-1, -1] &= ~last
        return PackedMask(self.shape, self.top, self.left, bits)

    def dilated(self, element: Element) -> PackedMask:
        """Pixels p of the frame of which p + offset is set for some offset of `element`.

        Bits left and right of the frame may be set too; they overlap with no mask.
        """
        if self.bits.size == 0:
            return self
        reach_x, reach_y = element.reach
        source = self._grown(-(-reach_x // _WORD), reach_y)
        rows = source.bits.shape[1]
        out = np.zeros_like(source.bits)
        run, length = source.bits, 1  # run: pixels with one set among themselves and the next ones
        for (first, last), offsets in element.rows:
            while length < last - first + 1:
                step = min(length, last - first + 1 - length)
                run = run | _shift(run, step)
                length += step
            row = _shift(run, first)
            for dy in offsets:
                target = out[:, max(0, -dy) : max(0, rows - dy)]
                moved = row[:, max(0, dy) : max(0, rows + dy)]
                np.bitwise_or(target, moved, out=target)
        return PackedMask(self.shape, source.top, source.left, out)

    def eroded(self, reach: int) -> PackedMask:
        """Pixels of which the whole square of 2 `reach` + 1 pixels around them is set, where all
        outside of the frame is not."""
        if self.bits.shape[1] <= 2 * reach:
            return PackedMask(self.shape, self.top, self.left, np.zeros_like(self.bits))
        bits, length = self.bits, 1  # bits: pixels that begin a run of `length` set ones
        while length <= 2 * reach:
            step = min(length, 2 * reach + 1 - length)
            bits = bits & _shift(bits, step)
            length += step
        bits, length = _shift(bits, -reach), 1
        while length <= 2 * reach:
            step = min(length, 2 * reach + 1 - length)
            below = np.zeros_like(bits)
            below[:, :-step] = bits[:, step:]
            bits = bits & below
            length += step
        out = np.zeros_like(bits)
        out[:, reach:] = bits[:, : bits.shape[1] - reach]
        return PackedMask(self.shape, self.top, self.left, out)

    def without(self, part: PackedMask) -> PackedMask:
        """This mask less `part`, which has the same rectangle."""
        return PackedMask(self.shape, self.top, self.left, self.bits & ~part.bits)

    def unpacked(self) -> NDArray[np.bool_]:
        """The mask as bool (H, W)."""
        height, width = self.shape
        out = np.zeros((height, -(-width // _WORD) * _WORD), np.bool_)
        if self.bits.size:
            words = np.ascontiguousarray(self.bits.T).astype("<u8")
            pixels = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
            rows = slice(self.top, self.top + self.bits.shape[1])
            out[rows, self.left * _WORD : self.left * _WORD + pixels.shape[1]] = pixels
        return out[:, :width]

    def _window(self, left: int, right: int, top: int, bottom: int) -> Bits:
        """The part of `bits` for these word columns and rows of the frame."""
        window: Bits = self.bits[
            left - self.left : right - self.left, top - self.top : bottom - self.top
        ]
        return window

    def _grown(self, words: int, rows: int) -> PackedMask:
        """The same mask in a rectangle that is larger on every side, in y within the frame."""
        columns, lines = self.bits.shape
        top = max(0, self.top - rows)
        bottom = min(self.shape[0], self.top + lines + rows)
        bits = np.zeros((columns + 2 * words, bottom - top), np.uint64)
        bits[words : words + columns, self.top - top : self.top - top + lines] = self.bits
        return PackedMask(self.shape, top, self.left - words, bits)


def pack(mask: NDArray[Any]) -> PackedMask:
    """Pack a mask (H, W), bool or any integer type where non-zero is set.

    The rectangle is the object's bounding box with room for its boundary, which lies up to one
    pixel above and to the left.
    """
    height, width = mask.shape
    octets = np.packbits(mask, axis=1, bitorder="little")
    words = np.zeros((height, -(-width // _WORD) * 8), np.uint8)
    words[:, : octets.shape[1]] = octets
    bits = np.ascontiguousarray(words.view("<u8").T)
    in_word = np.bitwise_or.reduce(bits, axis=1)
    columns = np.flatnonzero(in_word)
    if columns.size == 0:
        return PackedMask((height, width), 0, 0, np.zeros((0, 0), np.uint64))
    lines = np.flatnonzero(np.bitwise_or.reduce(bits, axis=0))
    left, top = int(columns[0]), max(0, int(lines[0]) - 1)
    if left > 0 and in_word[left] & np.uint64(1):
        left -= 1
    cropped = np.ascontiguousarray(
        bits[left : int(columns[-1]) + 1, top : int(lines[-1]) + 1], dtype=np.uint64
    )
    return PackedMask((height, width), top, left, cropped)


@functools.lru_cache(maxsize=1024)
def disk(radius: float) -> Element:
    """All offsets within `radius` pixels, as the official programs build them.

    The grid is -radius, 1 - radius, ... up to radius (scikit-image's `disk`), and its middle
    element is the origin (OpenCV's `dilate`), so a fractional radius gives a disk that is off
    centre by up to a pixel. Only MOSEv2 uses such radii.
    """
    grid = np.arange(-radius, radius + 1)
    inside = grid[:, None] ** 2 + grid[None, :] ** 2 <= radius**2
    origin = len(grid) // 2
    if not inside.any():  # a radius below 0.7: then OpenCV takes the first element alone
        inside[0, 0] = True
    rows: dict[tuple[int, int], list[int]] = {}
    for y, line in enumerate(inside):
        columns = np.flatnonzero(line)
        if columns.size:
            interval = int(columns[0]) - origin, int(columns[-1]) - origin
            rows.setdefault(interval, []).append(y - origin)
    by_length = sorted(rows.items(), key=lambda item: item[0][1] - item[0][0])
    # A run of pixels begins a whole interval before the pixel that it ends at.
    reach_x = max(max(last - first, -first) for first, last in rows)
    reach_y = max(abs(dy) for offsets in rows.values() for dy in offsets)
    return Element(
        tuple((interval, tuple(offsets)) for interval, offsets in by_length), (reach_x, reach_y)
    )


def _shift(bits: Bits, by: int) -> Bits:
    """Pixel x of the result is pixel x + `by` of `bits`; 0 where there is none."""
    words, rest = divmod(abs(by), _WORD)
    if words:
        moved = np.zeros_like(bits)
        if by > 0:
            moved[:-words] = bits[words:]
        else:
            moved[words:] = bits[:-words]
        bits = moved
    if rest == 0:
        return bits
    near, far = _COUNTS[rest], _COUNTS[_WORD - rest]
    out: Bits
    if by > 0:
        out = bits >> near
        out[:-1] |= bits[1:] << far
    else:
        out = bits << near
        out[1:] |= bits[:-1] >> far
    return out
