"""Success plot: the share of frames with an overlap above t, over t."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vosbench.export.plots import COLOURS, WIDTH, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEIGHT = 2.6
_DASHES = ("-", "--", "-.", ":")


def success_plot(
    curves: Mapping[str, NDArray[np.float64]], thresholds: NDArray[np.float64], title: str = ""
) -> Figure:
    """A curve for each run, the area under it beside its name (Wu et al., CVPR 2013; VOTS).

    Args:
        curves: run -> share of frames (0..1) above each threshold.
        thresholds: in 0..1, rising.
    """

    with style():
        figure = Figure(figsize=(WIDTH, _HEIGHT), layout="constrained")
        axes: Axes = figure.add_subplot()
        axes.set_title(title, parse_math=False)
        axes.set_xlabel("overlap above")
        axes.set_ylabel("share of frames")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        areas = {name: float(np.trapezoid(curve, thresholds)) for name, curve in curves.items()}
        for n, name in enumerate(sorted(areas, key=lambda name: -areas[name])):
            axes.plot(
                thresholds, curves[name], color=COLOURS[n % len(COLOURS)],
                linestyle=_DASHES[n // len(COLOURS) % len(_DASHES)],
                label=f"{name}  {100 * areas[name]:.1f}",
            )  # fmt: skip
        if curves:
            legend = figure.legend(loc="outside lower center", ncols=2)
            for text in legend.get_texts():
                text.set_parse_math(False)
        return figure
