"""Plots fit for print: one column of a paper wide, vector output, colour-blind-safe.

Every function returns a `matplotlib.figure.Figure` and touches no global state; `save` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from vosbench.export.labels import place_labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

#: One column of a paper in inches.
WIDTH, HEIGHT = 3.3, 2.5

#: Okabe and Ito's palette without yellow, told apart by readers of all colour visions.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#808080"
_DASHES = ("-", "--", "-.", ":")

_STYLE: dict[str, Any] = {
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7,
    "legend.fontsize": 6.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.4,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,  # TrueType: what publishers' checks accept
    "svg.fonttype": "none",
    "svg.hashsalt": "vosbench",
}


def style() -> AbstractContextManager[None]:
    """The look of all plots here, as a context for further ones."""
    return mpl.rc_context(_STYLE)  # type: ignore[arg-type]


def save(figure: Figure, path: Path) -> None:
    """Write `figure` as what `path`'s suffix says (.svg, .pdf, .png); the same figure always gives
    the same bytes."""
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    path.parent.mkdir(parents=True, exist_ok=True)
    with style():
        figure.savefig(path, dpi=300, metadata=dates.get(path.suffix.lower()))


def plane_plot(points: pd.DataFrame, title: str = "", measure: str = "J&F") -> Figure:
    """Accuracy against speed (e-OSVOS, NeurIPS 2020, figure 1), FPS on a log axis, with the Pareto
    front of all points.

    Args:
        points: columns `name`, `score` (0..1), `fps` (frames per second), `published` (bool) and
            `shared` (bool; the machine did other work: drawn hollow).
    """
    with style():
        figure, axes = _axes(title, "frames per second", f"{measure} (%)")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        drawn = points[points["fps"] > 0]
        fps, score = drawn["fps"].to_numpy(), 100 * drawn["score"].to_numpy()
        front = pareto_front(fps, score)
        axes.plot(fps[front], score[front], color=GREY, linewidth=0.8, linestyle="--", zorder=1)
        kinds = (
            ("published, other hardware", drawn["published"].to_numpy(), GREY, "s", True),
            ("run here", _rows(drawn, published=False, shared=False), COLOURS[0], "o", True),
            ("run here, machine shared", _rows(drawn, published=False, shared=True),
             COLOURS[0], "o", False),
        )  # fmt: skip
        for label, rows, colour, marker, filled in kinds:
            if rows.any():
                axes.scatter(
                    fps[rows],
                    score[rows],
                    s=9,
                    marker=marker,
                    facecolors=colour if filled else "white",
                    edgecolors=colour,
                    linewidths=0.8,
                    label=label,
                    zorder=3,
                )
        if len(drawn):
            axes.margins(x=0.12, y=0.12)
            _legend_below(figure, axes)
            ours = ~drawn["published"].to_numpy(dtype=bool)
            place_labels(figure, axes, drawn["name"].tolist(), fps, score, ours)
        return figure


def pareto_front(fps: ArrayLike, score: ArrayLike) -> list[int]:
    """Positions of the points that no other beats in speed and accuracy both, by speed."""
    speeds, scores = np.asarray(fps), np.asarray(score)
    front: list[int] = []
    best = -np.inf
    for position in np.lexsort((-scores, -speeds)):
        if scores[position] > best:
            best = scores[position]
            front.append(int(position))
    return front[::-1]


def decay_plot(
    frames: Mapping[str, pd.DataFrame], measure: str = "J", bins: int = 20, title: str = ""
) -> Figure:
    """A measure over normalised time, mean over all objects, one curve a tracker: decay at a
    glance.

    Args:
        frames: tracker -> per-frame table with columns `sequence`, `object` and `measure`, rows
            in the order of frames, as in `Evaluation.frames`.
    """
    with style():
        figure, axes = _axes(title, "time, from first to last frame", f"{measure} (%)")
        for position, (name, table) in enumerate(frames.items()):
            time, values = over_time(table, measure, bins)
            axes.plot(time, 100 * values, label=name, **_line(position))
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
        _legend_below(figure, axes)
        return figure


def over_time(
    frames: pd.DataFrame, measure: str = "J", bins: int = 20
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """(centres of the bins in 0..1, mean of `measure` in each), both (bins,).

    Each object's frames are spread evenly over 0..1 and every object counts alike, however long
    its sequence; a bin that no frame of an object falls into takes the value between its
    neighbours.
    """
    centres = (np.arange(bins) + 0.5) / bins
    curves = []
    for _, group in frames.groupby(["sequence", "object"], sort=False):
        values = group[measure].to_numpy(dtype=np.float64)
        known = np.isfinite(values)
        if known.any():
            time = (np.arange(len(values)) + 0.5) / len(values)
            bin_of = np.minimum((time[known] * bins).astype(int), bins - 1)
            counts = np.bincount(bin_of, minlength=bins)
            sums = np.bincount(bin_of, weights=values[known], minlength=bins)
            full = counts > 0
            curves.append(np.interp(centres, centres[full], sums[full] / counts[full]))
    return centres, np.mean(curves, axis=0) if curves else np.full(bins, np.nan)


def curve_plot(
    x: Sequence[float],
    ys: Mapping[str, Sequence[float]],
    *,
    xlabel: str = "",
    ylabel: str = "",
    title: str = "",
    log: bool = False,
) -> Figure:
    """Curves over one variable, e.g. J&F over the number of fine-tuning steps.

    Args:
        ys: label -> values, one for each of `x`; NaN leaves a gap.
        log: logarithmic x axis; `x` must be positive.
    """
    with style():
        figure, axes = _axes(title, xlabel, ylabel)
        if log:
            axes.set_xscale("log")
        for position, (name, values) in enumerate(ys.items()):
            axes.plot(x, values, marker="o", label=name, **_line(position))
        axes.set_xticks(list(x), [f"{value:g}" for value in x])
        axes.minorticks_off()
        if len(ys) > 1:
            _legend_below(figure, axes)
        return figure


def sweep_plot(points: pd.DataFrame, option: str, title: str = "") -> Figure:
    """Accuracy above, speed below, over the values of one option (e-OSVOS, NeurIPS 2020, figure 3).

    Values that span decades stand on a log axis, those that are no numbers side by side.

    Args:
        points: index the values, in order; columns `FPS` (frames per second), `shared` (bool; not
            measured alone: drawn hollow), and scores (0..1); NaN leaves a gap.
    """
    values = list(points.index)
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    x = values if numbers else list(range(len(values)))
    scores = [str(name) for name in points.columns.drop(["FPS", "shared"])]
    with style():
        figure = Figure(figsize=(WIDTH, 1.3 * HEIGHT), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        upper.set_title(title, parse_math=False)
        for position, name in enumerate(scores):
            upper.plot(x, 100 * points[name], marker="o", label=name, **_line(position))
        upper.set_ylabel("score (%)" if len(scores) > 1 else f"{''.join(scores)} (%)")
        fps = points["FPS"].to_numpy(dtype=np.float64)
        lower.plot(x, fps, color=GREY, zorder=1)
        hollow = points["shared"].to_numpy(dtype=bool)
        for rows, face in ((~hollow, GREY), (hollow, "white")):
            places = np.asarray(x)[rows]
            lower.scatter(
                places, fps[rows], s=12, facecolors=face, edgecolors=GREY, linewidths=0.8, zorder=3
            )
        lower.set_ylabel("frames per second")
        if _decades(fps):
            lower.set_yscale("log")
            lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        elif np.isfinite(fps).any():
            lower.set_ylim(0, 1.15 * np.nanmax(fps))
        lower.set_xlabel(option, parse_math=False)
        if numbers and _decades(x):
            # Linear between zero and the smallest positive value: no log axis holds zero.
            smallest = min(v for v in x if v > 0)
            lower.set_xscale("log") if min(x) > 0 else lower.set_xscale(
                "symlog", linthresh=smallest
            )
        lower.set_xticks(x, [f"{v:g}" if numbers else str(v) for v in values])
        lower.minorticks_off()
        if len(scores) > 1:
            _legend_below(figure, upper)
        return figure


def _decades(values: ArrayLike) -> bool:
    """Whether the positive ones of `values` span at least one decade; False if one is negative."""
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    positive = known[known > 0]
    return bool(known.size and known.min() >= 0 and positive.size > 1) and bool(
        positive.max() >= 10 * positive.min()
    )


def _axes(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    # parse_math off: a dollar sign in a tracker's name is a dollar sign.
    axes.set_title(title, parse_math=False)
    axes.set_xlabel(xlabel, parse_math=False)
    axes.set_ylabel(ylabel, parse_math=False)
    return figure, axes


def _line(position: int) -> dict[str, Any]:
    colours = len(COLOURS)
    return {
        "color": COLOURS[position % colours],
        "linestyle": _DASHES[position // colours % len(_DASHES)],
    }


def _rows(points: pd.DataFrame, *, published: bool, shared: bool) -> np.ndarray[Any, Any]:
    rows: np.ndarray[Any, Any] = (
        (points["published"] == published) & (points["shared"] == shared)
    ).to_numpy()
    return rows


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        longest = max(map(len, labels))
        columns = 3 if longest < 12 else 2 if longest < 28 else 1
        legend = figure.legend(handles, labels, loc="outside lower center", ncols=columns)
        for text in legend.get_texts():
            text.set_parse_math(False)
