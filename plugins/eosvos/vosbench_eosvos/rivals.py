"""Objects of one video know of each other: no detection can be two of them.

Each object has a detector of its own, and where objects are alike several detectors take the same
thing for theirs. The things of a frame are what all detectors found, detections that cover each
other taken as one; each object gets one thing or none, and no thing goes to two, such that the
total of their claims is greatest (the assignment problem).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torchvision.ops import box_iou

from vosbench_eosvos.detect import Candidates

#: Overlap (IoU) from which two detections are one thing.
SAME = 0.7

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
