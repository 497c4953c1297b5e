"""From detections in a frame to the object's probability map at native size."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import box_iou

from vosbench.types import Scores
from vosbench_eosvos.boxprop import Box
from vosbench_eosvos.colours import Look
from vosbench_eosvos.model import Detections, Rank
from vosbench_eosvos.model.pyramid import Pyramid


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
        pyramid: to read masks from.
        look: what the object's colours say of the frame, if asked for.
    """

    boxes: Tensor
    scores: Tensor
    worth: Tensor
    claim: Tensor
    pyramid: Pyramid
    look: Look | None = None

    def best(self) -> int | None:
        """Index of the one with most worth; None if none can be the object."""
        if not len(self.worth) or not bool(self.worth.max() > -torch.inf):
            return None
        return int(self.worth.argmax())

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
    boxes = boxes.cpu()
    grids = logits.float().cpu().numpy()
    spans = [
        (_pixels(y1, y2, size[0]), _pixels(x1, x2, size[1])) for x1, y1, x2, y2 in boxes.tolist()
    ]
    inside = [k for k, (rows, columns) in enumerate(spans) if rows.size and columns.size]
    out = np.zeros(size, np.float32)
    if not inside:
        return out
    top, left = (min(spans[k][axis][0] for k in inside) for axis in (0, 1))
    bottom, right = (max(spans[k][axis][-1] for k in inside) + 1 for axis in (0, 1))
    total = np.zeros((bottom - top, right - left), np.float32)
    votes = np.zeros_like(total)
    for k in inside:
        (rows, columns), (x1, y1, x2, y2) = spans[k], boxes[k].tolist()
        down = _interpolation(rows, y1, y2, grids.shape[1])
        across = _interpolation(columns, x1, x2, grids.shape[2])
        here = np.s_[rows[0] - top : rows[-1] + 1 - top, columns[0] - left : columns[-1] + 1 - left]
        total[here] += _sigmoid(down @ grids[k] @ across.T)
        votes[here] += 1
    out[top:bottom, left:right] = total / np.maximum(votes, 1, out=votes)
    return out


def _pixels(low: float, high: float, limit: int) -> NDArray[np.int64]:
    """Indices of the pixels whose centres lie in [low, high]; at least the one in the middle."""
    first, last = int(np.ceil(low - 0.5)), int(np.floor(high - 0.5))
    if last < first:  # a box between two centres
        first = last = int(np.floor((low + high) / 2))
    return np.arange(max(first, 0), min(last, limit - 1) + 1)


def _interpolation(pixels: NDArray[np.int64], low: float, high: float, cells: int) -> Scores:
    """Weights (pixels, cells) of the linear interpolation between centres of cells."""
    at = (pixels + 0.5 - low) / max(high - low, 1e-6) * cells - 0.5
    weights: Scores = np.maximum(0, 1 - np.abs(at.clip(0, cells - 1)[:, None] - np.arange(cells)))
    return weights.astype(np.float32)


def _sigmoid(values: NDArray[np.float32]) -> Scores:
    out: Scores = 1 / (1 + np.exp(-values.clip(-80, 80)))
    return out
