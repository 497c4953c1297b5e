"""Which detections can be the object: by where it is expected, by its size and by its colours."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import box_iou

from vosbench_eosvos.colours import Look
from vosbench_eosvos.model import Detections
from vosbench_eosvos.objects import ObjectState
from vosbench_eosvos.variants import Settings
from vosbench_eosvos.windows import comes_back

#: Least likeness of the colours in a detection's box to the object's.
LIKE_BOX = 0.3

#: Overlap (IoU) with the expected box from which a detection is where the object should be. One
#: seen a moment ago is not asked for its colours there: light changes, and a box with much
#: background in it has the background's colours.
THERE = 0.3

#: Overlap (IoU) with the expected box, or with one of the last boxes of a lost object, from which a
#: detection need not reach `min_score`.
EXPECTED = 0.5

#: Frames for which an object that no detection can be counts as seen a moment ago.
HELD = 2


def judge(
    found: Detections,
    size: tuple[int, int],
    index: int,
    state: ObjectState,
    look: Look | None,
    settings: Settings,
) -> tuple[Tensor, Tensor]:
    """Of each detection in frame `index`, the overlap (IoU) with the expected box, and whether it
    can be the object: two (D,).

    Args:
        size: (height, width) of the frame that boxes are in.
        look: what the object's colours say of the frame, if they are asked for.
    """
    overlap = found.scores.new_zeros(len(found.scores))
    if state.box:
        overlap = box_iou(found.boxes, found.boxes.new_tensor([state.box]))[:, 0]
    possible = found.scores >= settings.min_score
    lost = state.window.gap(index) > HELD
    if settings.windows and state.box:
        possible = possible | (overlap >= EXPECTED)
        if lost:  # what was seen of it meanwhile may have been a part
            possible = possible | (state.window.overlap(found.boxes) >= EXPECTED)
        possible = possible & (state.window.misfit(found.boxes, index, state.box) <= 1)
        if lost and state.window.leaving(state.box):
            possible = possible & comes_back(found.boxes, state.box, size)
    if look is not None:
        alike = torch.from_numpy(look.of_boxes(found.boxes) >= LIKE_BOX).to(overlap.device)
        there = torch.zeros_like(alike) if lost else overlap >= THERE
        possible = possible & (alike | there)
    return overlap, possible
