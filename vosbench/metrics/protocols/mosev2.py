"""The protocol of MOSEv2; its measures are in `vosbench.metrics.mosev2`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vosbench.metrics import mosev2
from vosbench.metrics.contour import Shape
from vosbench.metrics.protocols.base import (
    DAVIS_COLUMNS,
    Mean,
    ObjectScores,
    Protocol,
    Row,
    mean_of,
)

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence


class MoseV2(Protocol):
    """MOSEv2 (Ding et al., 2025): smoothed J, adaptive F, scores while objects are gone and after
    they came back. See `vosbench.metrics.mosev2`."""

    name = "mosev2"
    summary = "as davis2017 with smoothed J, adaptive F, disappearance and reappearance"
    strict_ids = False
    global_columns = DAVIS_COLUMNS
    #: Columns of the official files, in their order.
    official_columns = (
        "J&F_new", "J", "F_new", "disappear_J&F_new", "reappear_J&F_new", "F", "J&F",
    )  # fmt: skip

    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        frames = tuple(sorted(video.annotations)[1:-1])
        return dict.fromkeys(sorted(video.objects), frames)

    def measure(self, annotation: Shape, prediction: Shape) -> dict[str, float]:
        score = mosev2.score_frame(annotation, prediction)
        return {"J": score.j, "F": score.f, "F_new": score.f_new}

    def summarise(self, scores: ObjectScores) -> Row:
        row = super().summarise(scores)
        j, f_new = scores.values["J"], scores.values["F_new"]
        empty = [not there for there in scores.annotated]
        for name, stretch in zip(
            ("disappear", "reappear"), mosev2.visibility(j, f_new, empty), strict=True
        ):
            row[f"{name}_J"], row[f"{name}_F_new"] = stretch or (math.nan, math.nan)
        return row

    def overall(self, rows: Sequence[Row], mean: Mean | None = None) -> dict[str, Any]:
        mean = mean or mean_of
        own = _mosev2_columns(lambda name: mean(rows, name))
        return {**own, **super().overall(rows, mean)}

    def files(self, rows: Sequence[Row], overall: Mapping[str, float]) -> dict[str, str]:
        metrics = {}
        for row in rows:
            columns = _mosev2_columns(row.__getitem__)
            metrics[self.row_name(row)] = {
                name: None if math.isnan(columns[name]) else _percent(columns[name])
                for name in self.official_columns
            }
        total = [_percent(overall[name]) for name in self.official_columns]
        lines = [f"{n}: {value}" for n, value in zip(self.official_columns, total, strict=True)]
        lines.append("Copy-Paste: " + ",".join(f"{value:.1f}" for value in total))
        return {
            **super().files(rows, overall),
            "metrics.json": json.dumps(metrics, indent=4),
            "scores.txt": "\n".join(lines) + "\n",
        }


def _mosev2_columns(value: Callable[[str], Any]) -> dict[str, Any]:
    j, f, f_new = value("J-Mean"), value("F-Mean"), value("F_new-Mean")
    return {
        "J&F_new": (j + f_new) / 2,
        "J": j,
        "F_new": f_new,
        "disappear_J&F_new": (value("disappear_J") + value("disappear_F_new")) / 2,
        "reappear_J&F_new": (value("reappear_J") + value("reappear_F_new")) / 2,
        "F": f,
        "J&F": (j + f) / 2,
    }


def _percent(value: float) -> float:
    return float(np.round(value * 100, 2))
