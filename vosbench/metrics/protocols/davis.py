"""The protocols of DAVIS: one object (2016), several (2017, semi-supervised)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vosbench.datasets.png import read_png_labels
from vosbench.metrics.protocols.base import ObjectScores, Protocol, Row
from vosbench.metrics.series import statistics
from vosbench.types import VOID

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence


class Davis2017(Protocol):
    """The objects of the first annotation, each for itself (Pont-Tuset et al., 2017)."""

    name = "davis2017"
    summary = "objects of the first annotation, without first and last frame, mean over objects"

    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        indices = sorted(video.annotations)
        if video.binary:
            return {1: tuple(indices[1:-1])}
        if video.layers:
            return dict.fromkeys(video.objects, tuple(indices[1:-1]))
        first = read_png_labels(video.annotations[indices[0]])
        count = int(first[first != VOID].max(initial=0))
        return dict.fromkeys(range(1, count + 1), tuple(indices[1:-1]))


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
