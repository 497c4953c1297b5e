"""From detections in a frame to the object's probability map at native size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import box_iou

from vosbench.types import Scores
from vosbench_eosvos.boxprop import Box
from vosbench_eosvos.colours import Look
from vosbench_eosvos.model import Detections, Rank
from vosbench_eosvos.model.pyramid import Pyramid
from vosbench_eosvos.surroundings import PLACED, SURE, Region


def near(box: Box, weight: float) -> Rank:
    """Rank detections by score + `weight` * overlap (IoU) with the object's last `box`.

    The paper takes the highest score, which is `weight` 0. What is gained by looking at the last
    box: `benchmarks/finetune.md`.
    """

    def worth(boxes: Tensor, scores: Tensor) -> Tensor:
        overlap: Tensor = box_iou(boxes, torch.tensor([box], device=boxes.device))[:, 0]
        return scores + weight * overlap

    return worth


@dataclass(frozen=True)
class Candidates:
    """What one object's detector takes for it in a frame.

    Attributes:
        boxes: (D, 4). scores: (D,).
        worth: (D,) what speaks for each; -inf where it cannot be the object.
        claim: (D,) the same where other objects want it too.
        pyramid: to read masks from; region: the part of the image that it is of.
        overlap: (D,) with the expected box (IoU). since: frames since the last detection.
        largest: pixels of its largest mask in the last frames in which it was detected.
        look: what the object's colours say of the frame, if asked for.
    """

    boxes: Tensor
    scores: Tensor
    worth: Tensor
    claim: Tensor
    pyramid: Pyramid
    region: Region
    overlap: Tensor
    since: int
    largest: int
    look: Look | None = None

    def best(self) -> int | None:
        """Index of the one with most worth; None if none can be the object."""
        if not len(self.worth) or not bool(self.worth.max() > -torch.inf):
            return None
        return int(self.worth.argmax())

    def are_enough(self, size: tuple[int, int]) -> bool:
        """Whether nobody has to look beyond their region of an image of `size` (height, width)."""
        best = self.best()
        return (
            best is not None
            and bool(self.scores[best] >= SURE and self.overlap[best] >= PLACED)
            and self.region.holds(self.boxes[best].tolist(), size)
        )

    def without(self, index: int) -> Candidates:
        """The same where detection `index` cannot be the object."""
        out = torch.arange(len(self.worth), device=self.worth.device) == index
        worth, claim = (w.masked_fill(out, -torch.inf) for w in (self.worth, self.claim))
        return replace(self, worth=worth, claim=claim)


def choose(found: Detections, *, min_score: float) -> int | None:
    """Index of the detection that is the object: the best one that scores at least `min_score`.

    None if there is none.
    """
    fair = torch.where(found.scores >= min_score)[0]
    return int(fair[0]) if len(fair) else None


def paste(logits: Tensor, box: Tensor, size: tuple[int, int]) -> Scores:
    """Probabilities (H, W) of an image from mask logits inside a box; 0 outside the box.

    Logits are interpolated bilinearly at the pixels' centres and held constant beyond the centres
    of the outermost cells.

    Args:
        logits: (S, S), spread over the box.
        box: (4,) x1, y1, x2, y2 in pixels of the image, real-valued.
        size: (height, width) of the image.
    """
    return paste_all(logits[None], box[None], size)


def paste_all(logits: Tensor, boxes: Tensor, size: tuple[int, int]) -> Scores:
    """Mean probabilities (H, W) of one object's masks in several boxes; 0 outside all of them.

    At each pixel, the mean goes over the boxes that hold its centre.

    Args:
        logits: (K, S, S), each spread over its box. boxes, size: (K, 4), see `paste`.
    """
    corners = boxes.tolist()
    spans = [(*_pixels(y1, y2, size[0]), *_pixels(x1, x2, size[1])) for x1, y1, x2, y2 in corners]
    inside = [(y1, y2, x1, x2) for y1, y2, x1, x2 in spans if y1 < y2 and x1 < x2]
    out = np.zeros(size, np.float32)
    if not inside:
        return out
    top, left = (min(span[i] for span in inside) for i in (0, 2))
    bottom, right = (max(span[i] for span in inside) for i in (1, 3))
    device = logits.device
    rows = torch.arange(top, bottom, device=device)
    columns = torch.arange(left, right, device=device)
    x1, y1, x2, y2 = torch.tensor(corners, device=device)[..., None].unbind(1)
    across = (columns + 0.5 - x1) / (x2 - x1).clamp(min=1e-6) * 2 - 1
    down = (rows + 0.5 - y1) / (y2 - y1).clamp(min=1e-6) * 2 - 1
    shape = (len(corners), len(rows), len(columns))
    grid = torch.stack([across[:, None].expand(shape), down[..., None].expand(shape)], -1)
    values = F.grid_sample(
        logits[:, None].float(), grid, padding_mode="border", align_corners=False
    )[:, 0]
    first, last, low, high = torch.tensor(spans, device=device)[..., None].unbind(1)
    held_rows, held_columns = (rows >= first) & (rows < last), (columns >= low) & (columns < high)
    votes = held_rows[..., None] & held_columns[:, None]
    mean = (values.sigmoid() * votes).sum(0) / votes.sum(0).clamp(min=1)
    out[top:bottom, left:right] = mean.cpu().numpy()
    return out


def _pixels(low: float, high: float, limit: int) -> tuple[int, int]:
    """First and last (exclusive) of the pixels whose centres lie in [low, high]; at least the one
    in the middle."""
    first, last = math.ceil(low - 0.5), math.floor(high - 0.5)
    if last < first:  # a box between two centres
        first = last = math.floor((low + high) / 2)
    return max(first, 0), min(last, limit - 1) + 1
