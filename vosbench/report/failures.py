"""What went wrong in a run, from its per-frame scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

#: An object is lost where J stays below this value.
LOST_BELOW = 0.1


def worst_frames(frames: pd.DataFrame) -> pd.DataFrame:
    """The worst frame of each sequence: columns `sequence`, `frame` (its name), `J` (mean over the
    objects scored in it), the worst first. Of several equally bad frames it is the earliest.

    Args:
        frames: `Evaluation.frames`.
    """
    by_frame = frames.groupby(["sequence", "frame"], sort=False)["J"].mean().reset_index()
    worst = by_frame.dropna().sort_values("J", kind="stable").drop_duplicates("sequence")
    return worst.reset_index(drop=True)


def most_different_frame(runs: Sequence[pd.DataFrame]) -> set[str]:
    """The frame of one sequence in which the runs' J, mean over objects, lie furthest apart; empty
    for fewer than two runs.

    Args:
        runs: for each run `Evaluation.frames` of the sequence.
    """
    means = [table.groupby("frame", sort=False)["J"].mean() for table in runs if len(table)]
    if len(means) < 2:
        return set()
    beside = pd.concat(means, axis=1)
    return {str((beside.max(axis=1) - beside.min(axis=1)).idxmax())}


def lost_objects(frames: pd.DataFrame, below: float = LOST_BELOW) -> pd.DataFrame:
    """Objects that are lost and never found again: J is below `below` from a frame on to the end.

    Columns `sequence`, `object`, `frame` (name of the first lost one), `lost` (number of frames
    from there on), `share` of the object's scored frames, `before` (mean J until then, NaN if it
    was never found); the largest share first.

    Args:
        frames: `Evaluation.frames`, rows in the order of frames.
    """
    rows = []
    for (sequence, obj), group in frames.groupby(["sequence", "object"], sort=False):
        values = group["J"].to_numpy(dtype=np.float64)
        found = np.flatnonzero(~(values < below))
        start = int(found[-1]) + 1 if found.size else 0
        if start < values.size:
            lost = values.size - start
            before = float(np.nanmean(values[:start])) if start else float("nan")
            name = str(group["frame"].iloc[start])
            rows.append((sequence, obj, name, lost, lost / values.size, before))
    columns = ["sequence", "object", "frame", "lost", "share", "before"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("share", ascending=False, kind="stable").reset_index(drop=True)
