"""The protocol of SA-V, whose program is vos-benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vosbench.metrics.protocols.base import ObjectScores, Protocol, Row, csv_cell

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence


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
        names = [csv_cell(str(row["sequence"])) for row in rows]
        width = max(len(name) for name in ("Global score", *names))
        j, f = (np.array([row[f"{m}-Mean"] for row in rows]) * 100 for m in "JF")
        lines = [f"{'sequence':<{width}},obj,  J&F,    J,    F"]
        mean_j, mean_f = j.mean(), f.mean()
        both = (mean_j + mean_f) / 2
        lines.append(f"{'Global score':<{width}},   , {both:.1f}, {mean_j:.1f}, {mean_f:.1f}")
        for row, name, one, two in zip(rows, names, j, f, strict=True):
            start = f"{name:<{width}},{csv_cell(str(row['name']))}"
            lines.append(f"{start}, {(one + two) / 2:>4.1f}, {one:>4.1f}, {two:>4.1f}")
        return {**super().files(rows, overall), "results.csv": "\n".join(lines) + "\n"}


def _from(scores: ObjectScores, start: int) -> ObjectScores:
    return ObjectScores(
        scores.object,
        scores.meta,
        scores.frames[start:],
        {name: values[start:] for name, values in scores.values.items()},
        scores.annotated[start:],
        scores.predicted[start:],
    )
