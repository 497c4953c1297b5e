"""Critical-difference plot: mean ranks of runs on a line, bars joining those not told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from vosbench.export.plots import COLOURS, GREY, WIDTH, style

if TYPE_CHECKING:
    import pandas as pd


def rank_plot(
    mean: pd.Series[float], critical: float, alike: Sequence[tuple[str, str]], title: str = ""
) -> Figure:
    """Best on the left, each run's name on a line of its own (Demsar, JMLR 2006, figure 1).

    Args:
        mean: run -> mean rank, best first.
        critical: the critical difference, drawn above as a scale.
        alike: (best, worst) of every stretch of runs that are not told apart.
    """
    count = len(mean)
    with style():
        bars = 0.35 * len(alike)
        figure = Figure(figsize=(WIDTH, 0.8 + 0.16 * (count / 2 + bars + 1)), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(title, parse_math=False)
        axes.set_axis_off()
        margin = 0.025 * max(len(str(name)) + 6 for name in mean.index) * count
        axes.set_xlim(1 - margin, count + margin)
        left = sum(rank <= (count + 1) / 2 for rank in mean)  # runs named on the left
        axes.set_ylim(-max(left, count - left) - bars - 0.8, 2.2)
        axes.plot([1, count], [0, 0], color="black", linewidth=0.8)
        for tick in range(1, count + 1):
            axes.plot([tick, tick], [0, 0.25], color="black", linewidth=0.8)
            axes.text(tick, 0.4, str(tick), ha="center", va="bottom", fontsize=6.5)
        axes.plot([1, min(1 + critical, count)], [1.5, 1.5], color=GREY, linewidth=1.2)
        axes.text(1, 1.6, f"critical difference {critical:.2f}", va="bottom", fontsize=6)
        for n, (first, last) in enumerate(alike):
            level = -0.35 * (n + 1)
            ends = [mean[first] - 0.03, mean[last] + 0.03]
            axes.plot(ends, [level, level], color="black", linewidth=2)
        for n, (name, rank) in enumerate(mean.items()):
            # From the outside in on either side, so that no line crosses another's.
            y = -bars - 0.9 - (n if n < left else count - 1 - n)
            end = 1 - 0.01 * count if n < left else count + 0.01 * count
            colour = COLOURS[n % len(COLOURS)]
            axes.plot([rank, rank, end], [0, y, y], color=colour, linewidth=0.6)
            text = f"{name}  {rank:.2f}" if n < left else f"{rank:.2f}  {name}"
            side = "right" if n < left else "left"
            shift = -0.01 * count if n < left else 0.01 * count
            axes.text(end + shift, y, text, ha=side, va="center", fontsize=6, parse_math=False)
        return figure
