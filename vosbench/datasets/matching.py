"""Which mask belongs to which frame, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from vosbench.datasets.listing import in_order
from vosbench.errors import DatasetError

_DIGITS = re.compile(r"\d+", re.ASCII)


def match_names(frames: Sequence[str], masks: Iterable[str], where: object) -> dict[int, str]:
    """Index of a frame -> name of its mask (without suffix). Names are the same, or else differ
    around one number that says the same (`frame_7` and `00007_mask`). Masks without a frame are
    left out.

    Args:
        frames: names of all frames, in order.
        masks: names of masks, in any order.
        where: what the masks lie in, for the message.

    Raises:
        DatasetError: every number is off by the same (masks counted from 1, frames from 0), so
            that equal names would pair the wrong ones; or no name fits.
    """
    names = set(masks)
    exact = {i: frame for i, frame in enumerate(frames) if frame in names}
    if len(exact) == len(names):
        return exact
    frame_numbers, mask_numbers = numbers(frames), numbers(in_order(names))
    if frame_numbers and mask_numbers:
        shift = _shift(frame_numbers, mask_numbers)
        if shift:
            raise _mismatch(frames, names, where, f"every number is off by {shift:+d}")
        index = {number: i for i, number in enumerate(frame_numbers.values())}
        if not exact and set(mask_numbers.values()) <= index.keys():
            return {index[number]: name for name, number in mask_numbers.items()}
    if not exact and names:
        raise _mismatch(frames, names, where, "no name is the same")
    return exact


def numbers(names: Sequence[str]) -> dict[str, int]:
    """Name -> the number in it that tells it from the others; empty where it is not one number
    that does. Of a single name it is the last."""
    runs = [_DIGITS.findall(name) for name in names]
    if not runs or len({len(found) for found in runs}) != 1 or not runs[0]:
        return {}
    columns = list(zip(*(map(int, found) for found in runs), strict=True))
    varying = [column for column in columns if len(set(column)) > 1] or columns[-1:]
    if len(varying) != 1 or len(set(varying[0])) < len(names):
        return {}
    return dict(zip(names, varying[0], strict=True))


def _shift(frames: dict[str, int], masks: dict[str, int]) -> int:
    """By how much the masks' numbers are off, where all are off by the same; else 0."""
    ours, theirs = sorted(frames.values()), sorted(masks.values())
    differences = {b - a for a, b in zip(ours, theirs, strict=False)}
    return differences.pop() if len(ours) == len(theirs) and len(differences) == 1 else 0


def _mismatch(frames: Sequence[str], masks: Iterable[str], where: object, why: str) -> DatasetError:
    ordered = in_order(masks)
    return DatasetError(
        f"masks {ordered[0]} to {ordered[-1]} in {where} do not fit frames {frames[0]} to "
        f"{frames[-1]}: {why}",
        "Name masks as their frames; `vosbench import --by-order` takes predictions in order.",
    )
