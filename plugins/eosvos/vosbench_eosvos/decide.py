"""Which detection is each object's, and which pixels: all objects of a frame together.

Each object gets a detection, its mask is read, objects settle whose pixels are whose. A mask that
cannot be the object is refused, and the next detection tried. For some frames after the last
detection, one elsewhere is not the object while its mask can be read where motion carries it. What
nobody detects is held there, unless others are in front.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from vosbench.types import Mask, Scores
from vosbench_eosvos.detect import Candidates
from vosbench_eosvos.judge import HELD, THERE
from vosbench_eosvos.rivals import WON, assign, settle

#: Detections of a frame that are tried for an object until one holds.
ROUNDS = 3

#: Detections of an object whose masks are read to choose among them.
COMPARED = 3

#: Overlap (IoU) with the carried mask from which a mask is where motion carries the object.
AGREED = 0.5

#: Least share of its largest mask of late that an object must show that nobody detects: what hides
#: it leaves less and less of it. Its inverse is the most: what grows is what flow carries instead.
SHOWN = 0.5

#: The same for an object that is detected, where its mask is not where motion carries it: less is a
#: part of it.
PART = 0.25

#: Frames since its last detection for which an object that is seen where it is expected is not
#: looked for elsewhere. After more, what is seen there may be what hides it.
SETTLED = 6

#: Least likeness of a mask's colours to the object's.
LIKE_MASK = 0.5

#: Reads an object's mask from one of its detections, or from where it is expected.
CutOut = Callable[[int, int | None], Scores]


@dataclass(frozen=True)
class Decision:
    """What one object is in a frame.

    Attributes:
        mask: probabilities (H, W), 0 where it is not to be seen.
        best: index of its detection; None if no detection can be it.
    """

    mask: Scores
    best: int | None


def decide(
    found: Mapping[int, Candidates],
    carried: Mapping[int, Scores | None],
    cut_out: CutOut,
    *,
    rivals: bool,
) -> dict[int, Decision]:
    """Choose each object's detection and mask, by object id.

    Args:
        found: detections of each object. carried: where motion carries its last mask.
        cut_out: probabilities (H, W) of an object's detection.
        rivals: let no two objects have one detection or one pixel.
    """
    read = functools.cache(cut_out)
    left = {i: _compared(i, candidates, carried[i], read) for i, candidates in found.items()}
    looks = {i: candidates.look for i, candidates in found.items()}

    def stays(i: int, detected: Mapping[int, Scores]) -> bool:
        """Whether the object can be read where motion carries it, and is not hidden there."""
        if carried[i] is None:
            return False
        here = read(i, None)
        for other in detected.keys() - {i} if rivals else ():
            both = {i: here, other: detected[other]}
            here = settle(both, carried, looks, undetected=[i])[i]
        mask = here > 0.5
        shown, largest = int(mask.sum()), left[i].largest
        return _agrees(mask, carried[i]) and SHOWN * largest <= shown <= largest / SHOWN

    best: dict[int, int | None] = {}
    won: dict[int, Scores] = {}
    for _ in range(ROUNDS):
        best = _choose(left, rivals=rivals)
        detected = {i: read(i, k) for i, k in best.items() if k is not None}
        leapt = [
            i
            for i, k in best.items()
            if k is not None and _leaps(left[i], k) and stays(i, detected)
        ]
        best |= dict.fromkeys(leapt)
        detected = {i: mask for i, mask in detected.items() if i not in leapt}
        masks = {i: read(i, k) for i, k in best.items()}
        undetected = masks.keys() - detected.keys()
        for i in undetected:
            if left[i].since > HELD and not stays(i, detected):
                masks[i] = np.zeros_like(masks[i])
        won = dict(masks)
        if rivals:
            won = settle(masks, carried, looks, undetected=undetected)
        refused = [i for i in left if not _holds(left[i], best[i], carried[i], masks[i], won[i])]
        won |= {i: np.zeros_like(won[i]) for i in refused}
        tried = {i: k for i in refused if (k := best[i]) is not None}
        if not tried:
            break
        left |= {i: left[i].without(k) for i, k in tried.items()}
    return {i: Decision(won[i], best[i]) for i in left}


def _compared(identity: int, found: Candidates, carried: Scores | None, read: CutOut) -> Candidates:
    """An object's detections, those of most worth weighed by their masks instead of their boxes.

    A part is often a surer detection than the whole, and a box that it fills is purer in colour.
    Its mask is not where motion carries the whole.
    """
    worth = found.worth.tolist()
    possible = [k for k, value in enumerate(worth) if value > -math.inf]
    if carried is None or len(possible) < 2:
        return found
    best = sorted(possible, key=worth.__getitem__, reverse=True)[:COMPARED]
    there = carried > 0.5
    masks = [read(identity, k) > 0.5 for k in best]
    gains = np.zeros(len(worth))
    gains[best] = [_overlap(mask, there) for mask in masks]
    if found.look is not None:
        gains[best] += [found.look.of_mask(mask) for mask in masks]
        gains[best] -= found.look.of_boxes(found.boxes)[best]
    more = torch.from_numpy(gains).to(found.worth)
    return replace(found, worth=found.worth + more, claim=found.claim + more)


def _choose(found: Mapping[int, Candidates], *, rivals: bool) -> dict[int, int | None]:
    """The index of each object's detection, or None if none can be it."""
    if rivals:
        return assign(found)
    return {i: candidates.best() for i, candidates in found.items()}


def _holds(
    found: Candidates, best: int | None, carried: Scores | None, claimed: Scores, won: Scores
) -> bool:
    """Whether a mask, without what other objects won of it, can be the object's.

    Where motion carries the object's last mask is the object, whatever its colours and however much
    was claimed besides: one that comes into the frame has not shown all of its colours. One that
    has not been detected for a while is nowhere else.
    """
    mask = won > 0.5
    if _agrees(mask, carried):
        return True
    if best is None and found.since > HELD:
        return False
    if best is not None and carried is not None and mask.sum() < PART * found.largest:
        return False
    if mask.sum() < WON * (claimed > 0.5).sum():
        return False
    return found.look is None or found.look.of_mask(mask) >= LIKE_MASK


def _agrees(mask: Mask, carried: Scores | None) -> bool:
    """Whether a mask (H, W) is where motion carries the object's last one."""
    if carried is None or not mask.any():
        return False
    return _overlap(mask, carried > 0.5) >= AGREED


def _overlap(mask: Mask, other: Mask) -> float:
    """IoU of two masks (H, W), 0 of two empty ones."""
    return float((mask & other).sum() / max(1, (mask | other).sum()))


def _leaps(found: Candidates, index: int) -> bool:
    """Whether a detection is elsewhere, so soon after the last."""
    return found.since <= SETTLED and float(found.overlap[index]) < THERE
