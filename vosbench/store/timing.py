"""How fast a run was."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from vosbench.store.records import RunRecord, SequenceRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How fast a run was, over its done sequences; seconds, frames per second, bytes.

    Attributes:
        init_seconds: median over sequences.
        frame_median, frame_p95: of the steady state: `track`, with its `update` where there is
            one, per tracked frame.
        fps: frames of all sequences / everything the tracker took, init and updates included:
            the figure that papers of fine-tuning methods quote.
        object_fps: the same with each frame counted once per object.
        update_seconds: median of an `update` call; 0 without updates.
        peak_memory_bytes, peak_device_memory_bytes: largest over sequences.
        comparable: the machine was not shared, and the times are measured, neither derived nor
            stated, by a clock that agrees with the harness's.
    """

    init_seconds: float
    frame_median: float
    frame_p95: float
    fps: float
    object_fps: float
    update_seconds: float
    peak_memory_bytes: int
    peak_device_memory_bytes: int
    comparable: bool

    @classmethod
    def of(cls, run: RunRecord, sequences: Iterable[SequenceRecord]) -> Self | None:
        """The speed over those of `sequences` that are done; None if none is."""
        records = [record for record in sequences if record.status == "done"]
        total = sum(record.total_seconds for record in records)
        if not records or total <= 0:
            return None
        steady = sorted(seconds for record in records for seconds in _steady(record))
        updates = [seconds for record in records for seconds in record.update_seconds]
        return cls(
            init_seconds=statistics.median(record.init_seconds for record in records),
            frame_median=statistics.median(steady) if steady else 0.0,
            frame_p95=_percentile(steady, 0.95),
            fps=sum(record.frames for record in records) / total,
            object_fps=sum(record.frames * record.objects for record in records) / total,
            update_seconds=statistics.median(updates) if updates else 0.0,
            peak_memory_bytes=max(record.peak_memory_bytes for record in records),
            peak_device_memory_bytes=max(record.peak_device_memory_bytes for record in records),
            comparable=not (run.shared_machine or run.derived_timing or run.imported)
            and all(record.clock_agrees for record in records),
        )


def _steady(record: SequenceRecord) -> Iterator[float]:
    updates = record.update_seconds or (0.0,) * len(record.track_seconds)
    for track, update in zip(record.track_seconds, updates, strict=True):
        yield track + update


def _percentile(ordered: list[float], part: float) -> float:
    """Nearest rank: the smallest value that at least `part` of all do not exceed."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else 0.0
