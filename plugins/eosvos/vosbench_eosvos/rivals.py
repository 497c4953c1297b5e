"""Objects of one video know of each other: no detection and no pixel can be two of them.

Each object has a detector of its own, and where objects are alike several detectors take the same
thing for theirs. The things of a frame are what all detectors found, detections that cover each
other taken as one; each object gets one thing or none, and no thing goes to two, such that the
total of their claims is greatest (the assignment problem). A pixel that several masks hold goes to
one of them (`settle`): what is left of the others is what they are remembered by, and one that is
left with little was not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torchvision.ops import box_iou

from vosbench.types import Scores
from vosbench_eosvos.colours import Look
from vosbench_eosvos.detect import Candidates

#: Overlap (IoU) from which two detections are one thing.
SAME = 0.7

#: How far flow errs at outlines, as a share of the frame's short side, and of the side of the
#: object (root of its area) at most: what is thin would otherwise be anywhere.
FRAY, THIN = 1 / 20, 1 / 10

#: Least share of its mask that an object must win against others to count as seen.
WON = 0.5

#: What giving an object something impossible costs: more than all claims together.
_NEVER = -1e3


def assign(found: Mapping[int, Candidates]) -> dict[int, int | None]:
    """The index of each object's detection, or None if it gets none; by object id.

    An object that nobody disputes gets its best.
    """
    if len(found) < 2:
        return {identity: candidates.best() for identity, candidates in found.items()}
    claims = torch.cat([c.claim for c in found.values()]).cpu().numpy()
    thing = _things(torch.cat([c.boxes for c in found.values()]), claims)
    owner = np.repeat(np.arange(len(found)), [len(c.boxes) for c in found.values()])
    place = np.concatenate([np.arange(len(c.boxes)) for c in found.values()])
    count = int(thing.max(initial=-1)) + 1
    gain = np.full((len(found), count + len(found)), _NEVER)
    gain[:, count:][np.diag_indices(len(found))] = 0.0  # nothing
    which = np.zeros(gain.shape, int)
    for k in np.argsort(claims):  # an object's greatest claim on a thing stays
        if np.isfinite(claims[k]):
            gain[owner[k], thing[k]], which[owner[k], thing[k]] = claims[k], place[k]
    _, columns = linear_sum_assignment(gain, maximize=True)
    return {
        identity: int(which[row, column]) if column < count else None
        for row, (identity, column) in enumerate(zip(found, columns, strict=True))
    }


def settle(
    masks: Mapping[int, Scores],
    carried: Mapping[int, Scores | None],
    looks: Mapping[int, Look | None],
    *,
    undetected: Collection[int] = (),
) -> dict[int, Scores]:
    """Probabilities of all objects without the pixels that others won.

    Of two objects that hold a pixel, the one for which more speaks keeps it. Four things speak,
    each with 0 to 1: the detector's probability, the object's having been there or near, its
    colours against the other's, and the share of its mask that is disputed: who would lose all is
    in front of who would lose little. An undetected object wins nothing from a detected one but
    what motion carries there: it would creep onto what hides it.

    Args:
        masks: object id -> probabilities (H, W).
        carried: object id -> (H, W) in 0..1 where motion carries its last mask, or None.
        looks: what each object's colours say of the frame, or None.
        undetected: objects that are read from where they are expected.
    """
    out = dict(masks)
    before: dict[int, Scores] = {}
    for one, other in combinations(masks, 2):
        shared = (out[one] >= 0.5) & (out[other] >= 0.5)
        if not shared.any():
            continue
        here, there = carried[one], carried[other]
        if (one in undetected) != (other in undetected) and here is not None and there is not None:
            ahead = here > there if one in undetected else here >= there
        else:
            speaks = {}
            for i in (one, other):
                if i not in before:
                    before[i] = _before(carried[i], shared.shape)
                stake = np.float32(shared.sum() / (masks[i] >= 0.5).sum())
                speaks[i] = out[i] + before[i] + stake
            like = _like(looks[one], looks[other], shared.shape)
            ahead = speaks[one] + like >= speaks[other] + (1 - like)
        out[one] = np.where(shared & ~ahead, np.float32(0), out[one])
        out[other] = np.where(shared & ahead, np.float32(0), out[other])
    return out


def _before(carried: Scores | None, size: tuple[int, ...]) -> Scores:
    """What speaks for an object by where it was: (H, W) in 0..1."""
    if carried is None:
        return np.zeros(size, np.float32)
    side = float(np.sqrt((carried > 0.5).sum()))
    reach = 2 * round(min(FRAY * min(size), THIN * side)) + 1
    return np.asarray(cv2.blur(carried, (reach, reach)), np.float32)


def _like(look: Look | None, other: Look | None, size: tuple[int, ...]) -> Scores | np.float32:
    """What speaks for an object by its colours, against another: (H, W) or one number, in 0..1."""
    if look is None or other is None:
        return np.float32(0.5)
    return look.against(other, size)


def _things(boxes: torch.Tensor, claims: NDArray[np.floating]) -> NDArray[np.int64]:
    """The thing each detection is of: those that cover one with a greater claim are the same."""
    same = (box_iou(boxes, boxes) >= SAME).cpu().numpy()
    thing = np.full(len(boxes), -1)
    count = 0
    for k in np.argsort(-claims):
        if thing[k] < 0:
            thing[same[k] & (thing < 0)] = count
            count += 1
    return thing
