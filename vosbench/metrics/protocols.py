"""The official protocols: which objects count in which frames, what is measured, how it is
averaged, and what the tables look like. `docs/metrics.md` says where we differ, and why.

All scores are in 0..1, except in the official files of MOSEv2 and SA-V, which are in percent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from vosbench.datasets.png import read_png_labels
from vosbench.errors import UsageError
from vosbench.metrics import mosev2
from vosbench.metrics.contour import Shape, boundary_radius
from vosbench.metrics.region import jaccard
from vosbench.metrics.series import statistics
from vosbench.types import VOID

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence

#: One row of the table of objects: `sequence`, `object`, then scores by column name.
Row = dict[str, Any]

DAVIS_COLUMNS = (
    "J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay",
)  # fmt: skip


@dataclass(slots=True)
class ObjectScores:
    """One object over the frames in which it is scored.

    Attributes:
        object: its id.
        meta: facts of its sequence, `Sequence.meta`.
        frames: names of the frames, in order.
        values: measure -> one value per frame; "J" and "F" first.
        annotated, predicted: whether the object is there, per frame.
    """

    object: int
    meta: Mapping[str, Any]
    frames: list[str] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    annotated: list[bool] = field(default_factory=list)
    predicted: list[bool] = field(default_factory=list)


class Protocol:
    """Base of the protocols, and that of DAVIS-2017, semi-supervised (Pont-Tuset et al., 2017).

    Attributes:
        name: as in `Dataset.protocol`.
        summary: one line.
        official: whether an official program defines it.
        merged: all ids are one object.
        strict_ids: an id above the annotation's largest is a problem, else it is ignored.
        global_columns, object_columns: of the two csv files.
    """

    name = "davis2017"
    summary = "objects of the first annotation, without first and last frame, mean over objects"
    official = True
    merged = False
    strict_ids = True
    global_columns: tuple[str, ...] = DAVIS_COLUMNS
    object_columns: tuple[str, ...] = ("J-Mean", "F-Mean")

    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        """Object id -> indices of the frames in which it is scored.

        Raises:
            DatasetError: the annotation that says which objects there are is broken.
        """
        indices = sorted(video.annotations)
        if video.binary:
            return {1: tuple(indices[1:-1])}
        first = read_png_labels(video.annotations[indices[0]])
        count = int(first[first != VOID].max(initial=0))
        return dict.fromkeys(range(1, count + 1), tuple(indices[1:-1]))

    def measure(self, annotation: Shape, prediction: Shape) -> dict[str, float]:
        """Values of one object in one frame: at least "J" and "F"."""
        radius = boundary_radius(*annotation.mask.shape)
        return {
            "J": jaccard(*annotation.overlap(prediction)),
            "F": annotation.contour_accuracy(prediction, radius),
        }

    def select(self, objects: Sequence[ObjectScores]) -> list[ObjectScores]:
        """The objects, and of each the frames, that count."""
        return [scores for scores in objects if scores.frames]

    def summarise(self, scores: ObjectScores) -> Row:
        """Scores of one object over its frames."""
        row: Row = {}
        for measure, values in scores.values.items():
            mean, recall, decay = statistics(values)
            row[f"{measure}-Mean"] = mean
            if measure in ("J", "F"):
                row |= {f"{measure}-Recall": recall, f"{measure}-Decay": decay}
        return row

    def overall(self, rows: Sequence[Row]) -> dict[str, float]:
        """Global scores from the table of objects, official columns first."""
        means = {name: mean_of(rows, name) for name in rows[0] if name.endswith(_SUFFIXES)}
        return {"J&F-Mean": (means["J-Mean"] + means["F-Mean"]) / 2, **means}

    def row_name(self, row: Row) -> str:
        """Name of an object in the official tables."""
        return f"{row['sequence']}_{row['object']}"

    def files(self, rows: Sequence[Row], overall: Mapping[str, float]) -> dict[str, str]:
        """File name -> text of the official tables."""
        table = [",".join(("Sequence", *self.object_columns))]
        for row in rows:
            cells = [_cell(row[column]) for column in self.object_columns]
            table.append(",".join((self.row_name(row), *cells)))
        total = [_cell(overall[column]) for column in self.global_columns]
        return {
            "global_results-val.csv": f"{','.join(self.global_columns)}\n{','.join(total)}\n",
            "per-sequence_results-val.csv": "\n".join(table) + "\n",
        }


class Davis2016(Protocol):
    """Everything that is not background is one object (Perazzi et al., CVPR 2016)."""

    name = "davis2016"
    summary = "all ids are one object, without first and last frame, mean over sequences"
    merged = True
    strict_ids = False

    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        return {1: tuple(sorted(video.annotations)[1:-1])}

    def summarise(self, scores: ObjectScores) -> Row:
        row = super().summarise(scores)
        for measure, values in scores.values.items():
            # The program averages over first and last frame too, as nan, which changes the order
            # in which numpy adds.
            row[f"{measure}-Mean"] = statistics([math.nan, *values, math.nan]).mean
        return row

    def row_name(self, row: Row) -> str:
        return str(row["sequence"])


class _SeenUnseen(Protocol):
    """Means over the objects of seen and of unseen categories, then the mean of the two."""

    strict_ids = False

    def summarise(self, scores: ObjectScores) -> Row:
        unseen = scores.object in scores.meta.get("unseen", ())
        return {**super().summarise(scores), "unseen": unseen}

    def overall(self, rows: Sequence[Row]) -> dict[str, float]:
        plain = super().overall(rows)
        groups: dict[str, float] = {}
        for measure in ("J", "F", "V"):
            if f"{measure}-Mean" not in plain:
                continue
            parts = {
                name: mean_of([row for row in rows if row["unseen"] == unseen], f"{measure}-Mean")
                for name, unseen in (("seen", False), ("unseen", True))
            }
            there = [part for part in parts.values() if not math.isnan(part)]
            groups[f"{measure}-Mean"] = sum(there) / len(there)
            groups |= {f"{measure}-{name}-Mean": part for name, part in parts.items()}
        scores = {**plain, **groups, "J&F-Mean": _mean_of_groups(groups)}
        return {name: scores[name] for name in (*self.global_columns, *scores)}


class YouTubeVos(_SeenUnseen):
    """YouTube-VOS (Xu et al., 2018) as its paper describes it; the server's program is secret."""

    name = "ytvos"
    summary = "unofficial: annotated frames after each object's first, seen and unseen categories"
    official = False
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

    def overall(self, rows: Sequence[Row]) -> dict[str, float]:
        return {**_mosev2_columns(lambda name: mean_of(rows, name)), **super().overall(rows)}

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


class Sav(Protocol):
    """SA-V (Ravi et al., 2024), whose program is vos-benchmark: an object counts from the frame
    in which it is first annotated or predicted."""

    name = "sav"
    summary = "as davis2017 for all annotated ids, each from its first appearance on"
    strict_ids = False

    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        frames = tuple(sorted(video.annotations)[1:-1])
        return dict.fromkeys(sorted(video.objects), frames)

    def select(self, objects: Sequence[ObjectScores]) -> list[ObjectScores]:
        kept = []
        for scores in objects:
            if any(scores.annotated):
                there = [a or p for a, p in zip(scores.annotated, scores.predicted, strict=True)]
                kept.append(_from(scores, there.index(True)))
        return kept

    def summarise(self, scores: ObjectScores) -> Row:
        name = scores.meta.get("object_names", {}).get(scores.object, f"{scores.object:03}")
        return {**super().summarise(scores), "name": name}

    def files(self, rows: Sequence[Row], overall: Mapping[str, float]) -> dict[str, str]:
        width = max(len(name) for name in ("Global score", *(row["sequence"] for row in rows)))
        j, f = (np.array([row[f"{m}-Mean"] for row in rows]) * 100 for m in "JF")
        lines = [f"{'sequence':<{width}},obj,  J&F,    J,    F"]
        mean_j, mean_f = j.mean(), f.mean()
        both = (mean_j + mean_f) / 2
        lines.append(f"{'Global score':<{width}},   , {both:.1f}, {mean_j:.1f}, {mean_f:.1f}")
        for row, one, two in zip(rows, j, f, strict=True):
            start = f"{row['sequence']:<{width}},{row['name']}"
            lines.append(f"{start}, {(one + two) / 2:>4.1f}, {one:>4.1f}, {two:>4.1f}")
        return {**super().files(rows, overall), "results.csv": "\n".join(lines) + "\n"}


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (Davis2016(), Protocol(), YouTubeVos(), Lvos(), MoseV2(), Sav())
}

_SUFFIXES = ("-Mean", "-Recall", "-Decay")


def find_protocol(name: str) -> Protocol:
    """The protocol called `name`. Raises UsageError listing all if there is none."""
    if name not in PROTOCOLS:
        raise UsageError(f"there is no protocol {name!r}", f"Protocols: {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]


def mean_of(rows: Sequence[Row], column: str) -> float:
    """Mean of a column over objects that have a value; nan if none has."""
    values = np.array([row[column] for row in rows if not math.isnan(row[column])])
    return float(values.mean()) if values.size else math.nan


def _mosev2_columns(value: Callable[[str], float]) -> dict[str, float]:
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


def _mean_of_groups(groups: Mapping[str, float]) -> float:
    """((J seen + F seen) + (J unseen + F unseen)) / 4, of the groups that there are."""
    sums = [groups[f"J-{name}-Mean"] + groups[f"F-{name}-Mean"] for name in ("seen", "unseen")]
    there = [total for total in sums if not math.isnan(total)]
    return sum(there) / (2 * len(there))


def _from(scores: ObjectScores, start: int) -> ObjectScores:
    return ObjectScores(
        scores.object,
        scores.meta,
        scores.frames[start:],
        {name: values[start:] for name, values in scores.values.items()},
        scores.annotated[start:],
        scores.predicted[start:],
    )


def _cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> float:
    return float(np.round(value * 100, 2))
