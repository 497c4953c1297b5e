"""What a tracker costs: time with its warm-up apart, and memory over frames and over objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from vosbench.analysis.scored import ScoredRun
from vosbench.export import Column, Table
from vosbench.store import Run, SequenceRecord

_MEGABYTE = 1e6


def cost_table(runs: Sequence[ScoredRun], dataset: str) -> Table:
    """A row for each run, see `run_cost`."""
    frame = pd.DataFrame.from_dict({s.name: run_cost(s.run) for s in runs}, orient="index")
    frame.index.name = "Tracker"
    low = Column(decimals=1, best="min", significant=2)
    shared = frozenset(
        (row, name)
        for row, scored in enumerate(runs)
        if not scored.ranked
        for name in ("Load s", "Init s", "Warm-up s", "Frame ms", "95% ms", "J/frame")
    )
    return Table(
        title=f"{dataset}: cost",
        frame=frame,
        columns=dict.fromkeys(map(str, frame), low),
        parentheses=shared,
        notes=(
            "Load: once a process. Init: median over sequences. Warm-up: how much longer the first "
            "tracked frame took than the median one, the longest of all sequences. Frame: median, "
            "and 95 % are faster than; update included.",
            "J: energy of the whole machine, where it tells.",
            "MB: peak memory of the tracker's process, largest over sequences; MB/100 frames, "
            "MB/object: its slopes over sequences, least squares, where these differ in both.",
            "(...): the machine did other work meanwhile; not ranked.",
        ),
    )


def run_cost(run: Run) -> dict[str, float]:
    """Seconds, milliseconds and megabytes of a run; nan where nothing is known."""
    records = [r for r in run.sequences().values() if r.status == "done" and r.track_seconds]
    if not records:
        return {}
    frames = [_frame_seconds(record) for record in records]
    every = np.concatenate(frames)
    median = float(np.median(every))
    peak = max(record.peak_memory_bytes for record in records)
    joules = sum(record.energy_joules for record in records)
    per_frame, per_object = memory_slopes(records)
    return {
        "Load s": max(record.load_seconds for record in records),
        "Init s": float(np.median([record.init_seconds for record in records])),
        "Warm-up s": max(0.0, max(float(seconds[0]) - median for seconds in frames)),
        "Frame ms": median * 1e3,
        "95% ms": float(np.percentile(every, 95)) * 1e3,
        "J/frame": joules / sum(r.frames for r in records) if joules else float("nan"),
        "MB": peak / _MEGABYTE if peak else float("nan"),
        "MB/100 frames": per_frame * 100 / _MEGABYTE,
        "MB/object": per_object / _MEGABYTE,
    }


def memory_slopes(records: Sequence[SequenceRecord]) -> tuple[float, float]:
    """By how many bytes the peak memory grows with a frame, and with an object, over sequences
    (least squares); nan where they do not tell the two apart."""
    known = [record for record in records if record.peak_memory_bytes]
    facts = np.array([[1.0, r.frames, r.objects] for r in known]).reshape(-1, 3)
    if len(known) < 3 or np.linalg.matrix_rank(facts) < 3:
        return float("nan"), float("nan")
    peaks = np.array([float(record.peak_memory_bytes) for record in known])
    _, per_frame, per_object = np.linalg.lstsq(facts, peaks, rcond=None)[0]
    return float(per_frame), float(per_object)


def _frame_seconds(record: SequenceRecord) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    updates = record.update_seconds or [0.0] * len(record.track_seconds)
    return np.array(record.track_seconds, dtype=np.float64) + np.array(updates, dtype=np.float64)
