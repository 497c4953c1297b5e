"""Protocols that average over seen and unseen categories: YouTube-VOS and LVOS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vosbench.metrics.protocols.base import Mean, ObjectScores, Protocol, Row, mean_of

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence


class _SeenUnseen(Protocol):
    """Means over the objects of seen and of unseen categories, then the mean of the two."""

    strict_ids = False

    def summarise(self, scores: ObjectScores) -> Row:
        unseen = scores.object in scores.meta.get("unseen", ())
        return {**super().summarise(scores), "unseen": unseen}

    def overall(self, rows: Sequence[Row], mean: Mean | None = None) -> dict[str, Any]:
        mean = mean or mean_of
        plain = super().overall(rows, mean)
        groups: dict[str, Any] = {}
        for measure in ("J", "F", "V"):
            if f"{measure}-Mean" not in plain:
                continue
            parts = {
                name: mean([row for row in rows if row["unseen"] == unseen], f"{measure}-Mean")
                for name, unseen in (("seen", False), ("unseen", True))
            }
            groups[f"{measure}-Mean"] = _mean_of_those_there(parts.values())
            groups |= {f"{measure}-{name}-Mean": part for name, part in parts.items()}
        sums = [groups[f"J-{name}-Mean"] + groups[f"F-{name}-Mean"] for name in ("seen", "unseen")]
        both = _mean_of_those_there(sums) / 2
        scores = {**plain, **groups, "J&F-Mean": both}
        return {name: scores[name] for name in (*self.global_columns, *scores)}


class YouTubeVos(_SeenUnseen):
    """YouTube-VOS (Xu et al., 2018) as its paper describes it; the server's program is secret."""

    name = "ytvos"
    summary = "unofficial: annotated frames after each object's first, seen and unseen categories"
    official = False
    caveat = "scores under ytvos are unofficial: the program that defines them is not public"
    global_columns = ("J&F-Mean", "J-seen-Mean", "J-unseen-Mean", "F-seen-Mean", "F-unseen-Mean")

    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        indices = sorted(video.annotations)
        return {
            obj: tuple(i for i in indices if i > start)
            for obj, start in sorted(video.objects.items())
        }


class Lvos(_SeenUnseen):
    """LVOS (Hong et al., ICCV 2023): long videos, with V, the spread of (J + F) / 2 over time."""

    name = "lvos"
    summary = "annotated frames between each object's first and last, seen and unseen, with V"
    global_columns = (
        "J&F-Mean", "J-Mean", "J-seen-Mean", "J-unseen-Mean", "F-Mean", "F-seen-Mean",
        "F-unseen-Mean", "V-Mean", "V-seen-Mean", "V-unseen-Mean",
    )  # fmt: skip
    object_columns = ("J-Mean", "F-Mean", "V-Mean")

    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        indices = sorted(video.annotations)
        ranges = video.meta.get("ranges", {})
        plan = {}
        for obj, start in sorted(video.objects.items()):
            first, last = ranges.get(obj, (start, indices[-1]))
            plan[obj] = tuple(i for i in indices if first < i < last)
        return plan

    def summarise(self, scores: ObjectScores) -> Row:
        row = super().summarise(scores)
        both = (np.array(scores.values["J"]) + np.array(scores.values["F"])) / 2
        variance = np.sum((np.mean(both) - both) ** 2) / both.size
        return {**row, "V-Mean": math.sqrt(np.round(variance, 4))}


def _mean_of_those_there(parts: Iterable[Any]) -> Any:
    """Mean of the parts that are not nan, number by number; nan where none is."""
    values = np.stack([np.asarray(part, dtype=np.float64) for part in parts])
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean = np.where(there, values, 0.0).sum(axis=0) / there.sum(axis=0)
    return mean if mean.ndim else float(mean)
