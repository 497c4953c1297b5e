"""Names beside the points of a plot, placed so that they cover neither points nor each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

#: left, bottom, right, top in pixels.
Box = tuple[float, float, float, float]

#: Directions from a point to its name, best first, and distances in points.
_DIRECTIONS = ((1, 0), (0, 1), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1))
_DISTANCES = (3.5, 8.0, 13.0)
_ALIGN = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}
_LEADER = {"arrowstyle": "-", "linewidth": 0.3, "color": "#808080", "shrinkA": 0, "shrinkB": 2}


def place_labels(
    figure: Figure,
    axes: Axes,
    names: Sequence[str],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    strong: NDArray[np.bool_],
) -> None:
    """Write `names[i]` near (x[i], y[i]), those in `strong` first and in bold; a name that had to
    go further off gets a thin line to its point. Call it when everything else is drawn."""
    figure.draw_without_rendering()
    points = axes.transData.transform(np.c_[x, y])
    left, bottom, right, top = map(float, axes.get_window_extent().extents)
    frame = (left, bottom, right, top)
    taken: list[Box] = [(px - 3, py - 3, px + 3, py + 3) for px, py in points]
    pixels = figure.dpi / 72
    for i in sorted(range(len(names)), key=lambda k: (not strong[k], -y[k])):
        style: dict[str, Any] = {
            "textcoords": "offset points",
            "fontsize": 5,
            "color": "black" if strong[i] else "#505050",
            "fontweight": "bold" if strong[i] else "normal",
            "parse_math": False,
            "bbox": {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.2},
        }
        probe = axes.annotate(names[i], (x[i], y[i]), xytext=(0, 0), **style)
        extent = probe.get_window_extent()
        probe.remove()
        best: tuple[float, float, int, int, Box] | None = None
        for distance in _DISTANCES:
            for across, up in _DIRECTIONS:
                box = _box(points[i], (extent.width, extent.height), across, up, distance * pixels)
                cost = _cost(box, i, points, taken, frame) + 2 * distance
                if best is None or cost < best[0]:
                    best = (cost, distance, across, up, box)
        if best is None:
            continue
        _, distance, across, up, box = best
        taken.append(box)
        text = axes.annotate(
            names[i],
            (x[i], y[i]),
            xytext=(distance * across, distance * up),
            ha=_ALIGN[across][0],
            va=_ALIGN[up][1],
            arrowprops=_LEADER if distance > _DISTANCES[0] else None,
            **style,
        )
        text.set_in_layout(False)


def _cost(box: Box, i: int, points: NDArray[np.float64], taken: Sequence[Box], frame: Box) -> float:
    covered = sum(_overlap(box, other) for k, other in enumerate(taken) if k != i)
    outside = (box[2] - box[0]) * (box[3] - box[1]) - _overlap(box, frame)
    # A name that is about as near to another point as to its own is read as that one's.
    own = _distance(box, points[i])
    misread = sum(_distance(box, point) <= own + 5 for k, point in enumerate(points) if k != i)
    return 3 * covered + 6 * outside + 60 * misread


def _box(
    point: NDArray[np.float64], size: tuple[float, float], across: int, up: int, distance: float
) -> Box:
    width, height = size
    left = float(point[0]) + distance * across + (across - 1) / 2 * width
    bottom = float(point[1]) + distance * up + (up - 1) / 2 * height
    return left, bottom, left + width, bottom + height


def _overlap(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def _distance(box: Box, point: NDArray[np.float64]) -> float:
    x, y = float(point[0]), float(point[1])
    return float(np.hypot(max(box[0] - x, 0, x - box[2]), max(box[1] - y, 0, y - box[3])))
