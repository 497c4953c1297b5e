"""Let a mask's outline follow the image: a colour guided filter over the probabilities.

A mask comes out of the network as 80x80 values, so its outline is rounder than the object's. The
filter explains the probabilities in every small window by a linear function of colour, which moves
the outline to the edge nearby (He et al., "Guided image filtering", ECCV 2010; at reduced size, as
in their "Fast guided filter", 2015). The paper of e-OSVOS has no such step; OSVOS snaps outlines to
contours too (CVPR 2017, sec. 3.3). What it gains: `benchmarks/finetune.md`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vosbench.types import Image, Scores

#: Radius of the windows, as a share of the image's short side: 12 pixels at 480p.
RADIUS = 1 / 40

#: Colour variance (colours in 0..1) below which a window counts as flat and is merely smoothed.
FLAT = 1e-5

#: Windows are fitted in an image of about this short side.
FITTED_SIDE = 240

#: Probabilities below this are left out: the filter works around the object only.
NOTHING = 0.02


def follow_edges(image: Image, probabilities: Scores, device: torch.device | str = "cpu") -> Scores:
    """Probabilities whose outline follows the edges of the image.

    Args:
        image: RGB uint8 (H, W, 3).
        probabilities: (H, W) of one object, in 0..1.
        device: where the filter runs.

    Returns:
        (H, W) in 0..1; 0 further than a window's width from anything above `NOTHING`.
    """
    seen = probabilities > NOTHING
    rows = np.flatnonzero(seen.any(1))
    out: Scores = np.zeros_like(probabilities)
    if rows.size == 0:
        return out
    columns = np.flatnonzero(seen[rows[0] : rows[-1] + 1].any(0))
    short = min(probabilities.shape)
    radius, shrink = max(1, round(RADIUS * short)), max(1, round(short / FITTED_SIDE))
    near = tuple(
        _span(found[0], found[-1] + 1, 2 * radius + 2, shrink, side)
        for found, side in zip((rows, columns), probabilities.shape, strict=True)
    )
    planes = np.ascontiguousarray(image[near].transpose(2, 0, 1))
    colours = torch.from_numpy(planes).to(device).float() / 255
    values = torch.from_numpy(np.ascontiguousarray(probabilities[near])).to(device)
    slopes, offset = _fit(colours, values, radius, shrink)
    explained = (slopes * colours).sum(0) + offset
    out[near] = explained.clamp(0, 1).cpu().numpy()
    return out


def _span(first: int, last: int, margin: int, cell: int, limit: int) -> slice:
    """first..last with a margin, in whole cells where the image, of `limit` pixels, has room."""
    low, high = max(first - margin, 0), min(last + margin, limit)
    high = min(high + (low - high) % cell, limit)
    return slice(max(low - (low - high) % cell, 0), high)


def _fit(colours: Tensor, values: Tensor, radius: int, shrink: int) -> tuple[Tensor, Tensor]:
    """Slopes (3, h, w) and offset (h, w) of the linear function of colour around each pixel.

    Args:
        colours: (3, h, w). values: (h, w), what the functions are to explain.
        radius: of the windows, in pixels. shrink: how many times smaller the fit is made.
    """
    size = values.shape
    small = [max(1, side // shrink) for side in size]
    both = torch.cat([colours, values[None]])
    shrunk = F.interpolate(both[None], small, mode="area")[0] if list(size) != small else both
    colour, goal = shrunk[:3], shrunk[3]
    i, j = torch.triu_indices(3, 3)
    products = [colour[a] * colour[b] for a, b in zip(i.tolist(), j.tolist(), strict=True)]
    radius = max(1, radius // shrink)
    mean = _window_means(torch.cat([shrunk, colour * goal, torch.stack(products)]), radius)
    centre, height = mean[:3], mean[3]
    variance = {
        (a, b): mean[7 + k] - centre[a] * centre[b] + (FLAT if a == b else 0)
        for k, (a, b) in enumerate(zip(i.tolist(), j.tolist(), strict=True))
    }
    slopes = _solve(variance, mean[4:7] - centre * height)
    offset = height - (slopes * centre).sum(0)
    fields = _window_means(torch.cat([slopes, offset[None]]), radius)
    if list(size) != small:
        fields = F.interpolate(fields[None], size, mode="bilinear", align_corners=False)[0]
    return fields[:3], fields[3]


def _window_means(planes: Tensor, radius: int) -> Tensor:
    """Mean of each plane (C, h, w) over the part inside it of the square around each pixel."""
    side = 2 * radius + 1
    planes = torch.cat([planes, torch.ones_like(planes[:1])])
    weight = planes.new_full((len(planes), 1, side, 1), 1 / side)
    # Without cuDNN, whose TF32 has too few digits for variances.
    with torch.backends.cudnn.flags(enabled=False):
        sums = F.conv2d(planes[None], weight, padding=(radius, 0), groups=len(planes))
        sums = F.conv2d(sums, weight.transpose(2, 3), padding=(0, radius), groups=len(planes))
    return sums[0, :-1] / sums[0, -1]


def _solve(matrix: dict[tuple[int, int], Tensor], right: Tensor) -> Tensor:
    """x (3, h, w) of matrix x = right for a symmetric, positive definite 3x3 matrix a pixel, given
    by its upper triangle: Cholesky's elimination without roots, pixels side by side."""
    a, b, c = matrix[0, 0], matrix[0, 1] / matrix[0, 0], matrix[0, 2] / matrix[0, 0]
    d = matrix[1, 1] - b * matrix[0, 1]
    e = (matrix[1, 2] - b * matrix[0, 2]) / d
    f = matrix[2, 2] - c * matrix[0, 2] - e * e * d
    y = right[1] - b * right[0]
    z = (right[2] - c * right[0] - e * y) / f
    second = y / d - e * z
    return torch.stack([right[0] / a - b * second - c * z, second, z])
