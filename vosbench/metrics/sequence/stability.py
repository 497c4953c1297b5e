"""Temporal stability T, the third measure of DAVIS-2016 (Perazzi et al., CVPR 2016).

How much the outline of a result changes its shape from frame to frame: outlines of consecutive
results are matched point by point by their shape contexts (Belongie et al., PAMI 2002), and T is
the mean cost. Lower is better. DAVIS dropped it in 2017: an occlusion changes an outline too, so
even annotations score badly there, and it was reported for sequences without occlusion only.

After davisvideochallenge/davis-matlab, `measures/t_stability.m`. Where matchings cost the same, the
official program takes the one that its heap yields; here diagonal steps go first.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from vosbench.metrics.outline import main_outline
from vosbench.metrics.packed import PackedMask
from vosbench.metrics.sequence import Floats, ObjectMetric, Track

Ints = NDArray[np.intp]

#: Longest distance between two points of an outline, in pixels.
SPACING = 3.0
#: Shape contexts count points by angle and by distance over the mean one.
ANGLES = 12
RADII = np.logspace(np.log10(0.125), np.log10(2.0), 5)
#: The measure is the mean cost, times this.
SCALE = 5.0
_BLOCK = 32
_EPS = float(np.finfo(np.float64).eps)


class Stability(ObjectMetric):
    """5 times the mean over pairs of consecutive results, those after the given mask up to the last
    frame but one; the given mask stands before the first. A pair with an empty mask does not
    count."""

    def values(self, track: Track) -> dict[str, float]:
        masks = [track.annotations[track.given].mask]
        masks += [shape.mask for shape in track.predictions[track.given + 1 : -1]]
        contexts = [shape_contexts(mask) for mask in masks]
        costs = [
            matching_cost(before, after)
            for before, after in itertools.pairwise(contexts)
            if before is not None and after is not None
        ]
        return {"T": SCALE * float(np.mean(costs)) if costs else math.nan}


def shape_contexts(mask: PackedMask) -> Floats | None:
    """How all points of a mask's outline lie around each of them, as shares of their number:
    (N, 60); None without an outline."""
    outline = main_outline(mask)
    if outline is None:
        return None
    points = resampled(outline)
    y, x = points.T
    down, right = y[None, :] - y[:, None], x[None, :] - x[:, None]
    distance = np.sqrt(down * down + right * right)
    distance /= distance.mean()
    # The innermost class is below all radii, 5; 0 is beyond all.
    radius = len(RADII) - np.searchsorted(RADII, distance.ravel(), side="right")
    turns = (np.arctan2(right, down) + 2 * np.pi) / (2 * np.pi)  # 0.5 to 1.5
    whole = np.abs(turns - 1) < _EPS
    angle = np.where(whole, 0.0, np.where(turns >= 1, turns - 1, turns) * ANGLES)
    sector = np.minimum(angle.astype(np.intp), ANGLES - 1).ravel()
    inside = radius > 0
    owner = np.repeat(np.arange(len(points)), len(points))[inside]
    bins = len(RADII) * ANGLES
    place = owner * bins + (radius[inside] - 1) * ANGLES + sector[inside]
    counts = np.bincount(place, minlength=len(points) * bins).reshape(-1, bins)
    shares: Floats = counts / (counts.sum(axis=1, keepdims=True) + _EPS)
    return shares


def resampled(outline: Floats) -> Floats:
    """A closed outline (N, 2) with points in between, so that none are further apart than
    `SPACING`. The first point stays at both ends."""
    parts = []
    for start, end in itertools.pairwise(outline):
        step = end - start
        count = max(1, math.ceil(float(np.hypot(*step)) / SPACING))
        steps = np.vstack([start, np.broadcast_to(step / count, (count - 1, 2))])
        parts.append(np.cumsum(steps, axis=0))
    return np.vstack([*parts, outline[-1:]])


def matching_cost(one: Floats, two: Floats) -> float:
    """Mean cost of the pairs of points that belong together, of two outlines' shape contexts.

    A first matching begins at both outlines' first points; its best pair begins the second. Of that
    one keeps for each point its best pair, on one side and then on the other.
    """
    cost = chi_square(one, two)
    path = cheapest_path(cost)
    inner = path[:-1]
    first, second = inner[int(cost[inner[:, 0], inner[:, 1]].argmin())] + 1
    turned = np.roll(cost, (-first, -second), axis=(0, 1))
    pairs = (cheapest_path(turned) + np.array((first, second))) % cost.shape
    for side in (0, 1):
        price = cost[pairs[:, 0], pairs[:, 1]]
        order = np.lexsort((np.arange(len(pairs)), price, pairs[:, side]))
        _, best = np.unique(pairs[order, side], return_index=True)
        pairs = pairs[order[best]]
    return float(cost[pairs[:, 0], pairs[:, 1]].mean())


def chi_square(one: Floats, two: Floats) -> Floats:
    """Distance of every histogram of `one` (N, B) from every one of `two` (M, B): (N, M)."""
    out = np.zeros((len(one), len(two)))
    filled = [n for n in range(one.shape[1]) if one[:, n].any() or two[:, n].any()]
    columns = np.ascontiguousarray(two.T)
    for start in range(0, len(one), _BLOCK):  # a few rows at a time stay in the cache
        rows = one[start : start + _BLOCK]
        total = out[start : start + _BLOCK]
        part, both = np.empty_like(total), np.empty_like(total)
        for n in filled:
            a, b = rows[:, n, None], columns[n]
            np.subtract(a, b, out=part)
            np.multiply(part, part, out=part)
            np.add(a, b, out=both)
            np.add(both, _EPS, out=both)
            np.divide(part, both, out=part)
            np.add(total, part, out=total)
    return out * 0.5


#: Steps back of a path, in (row, column): diagonal, up, left. The first of equals is taken.
_BACK = ((1, 1), (1, 0), (0, 1))


def cheapest_path(cost: Floats) -> Ints:
    """The cheapest path through `cost` (N, M) from its first to its last cell by steps down, right
    and both, from its end to its start: (L, 2). A cell is paid for when it is entered."""
    rows, columns = cost.shape
    diagonals = rows + columns - 1
    # Row s of `slanted` holds the cells with row + column = s, at their row.
    padded = np.full((rows, columns + rows), np.inf)
    padded[:, :columns] = cost
    flat = padded.ravel()[: rows * diagonals] if rows > 1 else padded.ravel()[:columns]
    slanted = np.ascontiguousarray(flat.reshape(rows, diagonals).T)
    came = np.zeros((diagonals, rows), np.int8)
    before = np.full(rows + 1, np.inf)  # two diagonals back, shifted by one: index row + 1
    last = np.full(rows + 1, np.inf)
    last[1] = 0.0
    for s in range(1, diagonals):
        diagonal, above, left = before[:-1], last[:-1], last[1:]
        straight = np.minimum(above, left)
        came[s] = np.where(diagonal <= straight, 0, 1 + (above > left))
        current = np.full(rows + 1, np.inf)
        np.minimum(diagonal, straight, out=current[1:])
        current[1:] += slanted[s]
        before, last = last, current
    row, column = rows - 1, columns - 1
    path = [(row, column)]
    while row or column:
        down, right = _BACK[came[row + column, row]]
        row, column = row - down, column - right
        path.append((row, column))
    return np.array(path, dtype=np.intp)
