"""Objects of one video know of each other: no detection and no pixel can be two of them.

Each object has a detector of its own, and where objects are alike several detectors take the same
thing for theirs. The things of a frame are what all detectors found, detections that cover each
other taken as one; each object gets one thing or none, and no thing goes to two, such that the
total of their claims is greatest (the assignment problem). A pixel that several masks hold goes to
the object that was there in the last frame, moved along (`settle`): what is left of the others is
what they are remembered by, and one that is left with little was not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torchvision.ops import box_iou

from vosbench.types import Mask, Scores
from vosbench_eosvos.detect import Candidates

#: Overlap (IoU) from which two detections are one thing.
SAME = 0.7

#: How far flow errs at outlines, as a share of the frame's short side.
FRAY = 1 / 15

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


def settle(masks: Mapping[int, Scores], carried: Mapping[int, Scores | None]) -> dict[int, Scores]:
    """Probabilities of all objects without the pixels that others won.

    Of what two masks share, each keeps what lies well inside its carried mask. The rest, as a
    whole, goes to the one for which more speaks: flow frays outlines, and a small object in front
    of a large one would wear off pixel by pixel.

    Args:
        masks: object id -> probabilities (H, W).
        carried: object id -> (H, W) in 0..1 where motion carries its last mask, or None.
    """
    out = dict(masks)
    for one, other in combinations(masks, 2):
        shared = (out[one] >= 0.5) & (out[other] >= 0.5)
        if not shared.any():
            continue
        sure = {i: _inside(carried[i], shared.shape) & shared for i in (one, other)}
        stronger, weaker = sorted(
            (one, other), key=lambda i: _strength(out[i], carried[i], shared), reverse=True
        )
        out[weaker] = np.where(shared & ~sure[weaker], np.float32(0), out[weaker])
        out[stronger] = np.where(sure[weaker], np.float32(0), out[stronger])
    return out


def _strength(mask: Scores, carried: Scores | None, where: Mask) -> float:
    """How much speaks for an object in some pixels: its probability, and its having been there."""
    before = 0.0 if carried is None else float(carried[where].mean())
    return before + float(mask[where].mean())


def _inside(carried: Scores | None, size: tuple[int, ...]) -> Mask:
    """Where a carried mask (H, W) is beyond the reach of errors of flow."""
    if carried is None:
        return np.zeros(size, bool)
    reach = 2 * round(FRAY * min(size)) + 1
    inside = cv2.erode((carried >= 0.5).astype(np.uint8), np.ones((reach, reach), np.uint8))
    return np.asarray(inside > 0)


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
