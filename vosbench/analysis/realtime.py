"""Scores as a viewer of a live video sees them: while a tracker is busy its last masks stay.

After the rule of VOTS (votchallenge/toolkit, `vot/tracker/__init__.py`, RealtimeTrackerRuntime):
frames come at a fixed rate, 20 a second; a tracker that takes longer for one misses those that come
meanwhile, but is forgiven three times a sequence. There the tracker is run so. Here a run is scored
by the times that it recorded, so masks are those of a tracker that was shown every frame: one that
loses objects when it skips frames would do worse.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from vosbench.analysis.scored import ScoredRun
from vosbench.errors import RunError
from vosbench.export import Column, Table
from vosbench.store import Run, SequenceRecord

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset
    from vosbench.evaluation import Evaluation
    from vosbench.metrics import SequenceMetricSpec

#: Frames a second, and how often a tracker may be late in a sequence (VOTS).
FPS, GRACE = 20.0, 3


@dataclass(frozen=True, slots=True)
class Realtime:
    """A run as it would have been seen live.

    Attributes:
        scored: the run, scored by all of its masks.
        evaluation: scored by the masks that were on show at each frame.
        held: share of the tracked frames that show an older mask.
    """

    scored: ScoredRun
    evaluation: Evaluation
    held: float


def shown_frames(seconds: Sequence[float], interval: float, grace: int = GRACE) -> list[int]:
    """Which frame's masks are on show at each frame.

    Args:
        seconds: what the tracker took for each frame (N,); those of frames that it misses do not
            count.
        interval: seconds between frames.
        grace: how often it may take longer without consequence.
    """
    shown, busy, last = [], 0.0, 0
    for index, taken in enumerate(seconds):
        if busy > interval:
            busy -= interval
            shown.append(last)
            continue
        busy, last = 0.0, index
        shown.append(index)
        if taken > interval:
            if grace > 0:
                grace -= 1
            else:
                busy = taken
    return shown


def realtime(
    scored: ScoredRun,
    dataset: Dataset,
    metrics: Sequence[SequenceMetricSpec] = (),
    fps: float = FPS,
    grace: int = GRACE,
) -> Realtime:
    """Score a run by what it shows at `fps` frames a second.

    Raises:
        RunError: nothing is done, or its masks are not one file a frame.
        EvaluationError: its masks cannot be scored.
    """
    from vosbench.datasets.registry import select
    from vosbench.evaluation import evaluate

    run, done = scored.run, tuple(scored.run.done())
    if not done:
        raise RunError(f"run {run.name} has no sequence that is done")
    records = run.sequences()
    part = select(dataset, done, None)
    late = tracked = 0
    with tempfile.TemporaryDirectory() as scratch:
        for video in part.sequences:
            shown = _shown(records[video.name], 1 / fps, grace)
            start = len(video) - len(shown)
            late += sum(source != index for index, source in enumerate(shown))
            tracked += len(shown)
            sources = [*range(start), *(start + source for source in shown)]
            names = [path.stem for path in video.frames]
            _link(run, video.name, names, sources, Path(scratch, video.name))
        evaluation = evaluate(part, Path(scratch), run.record.protocol, metrics=metrics)
    return Realtime(scored, evaluation, late / tracked if tracked else 0.0)


def _shown(record: SequenceRecord, interval: float, grace: int) -> list[int]:
    updates = record.update_seconds or [0.0] * len(record.track_seconds)
    seconds = [t + u for t, u in zip(record.track_seconds, updates, strict=True)]
    return shown_frames(seconds, interval, grace)


def _link(
    run: Run, sequence: str, names: Sequence[str], sources: Sequence[int], folder: Path
) -> None:
    """A folder of masks in which every frame is a link to the mask that is on show."""
    folder.mkdir()
    for name, source in zip(names, sources, strict=True):
        mask = (run.masks / sequence / f"{names[source]}.png").resolve()
        if mask.is_file():
            (folder / f"{name}.png").symlink_to(mask)
    if not any(folder.iterdir()):
        raise RunError(
            f"{run.masks / sequence} holds no mask {names[-1]}.png",
            "Real-time scores need one label map a frame.",
        )


def realtime_table(found: Sequence[Realtime], dataset: str, fps: float = FPS) -> Table:
    """Scores by all masks beside those by the masks on show."""
    rows = {}
    for one in found:
        plain, live = one.scored.scores(), one.evaluation.global_scores
        rows[one.scored.name] = {
            "J&F": plain.get("J&F", float("nan")),
            "J&F real-time": live["J&F-Mean"],
            "Q real-time": live.get("VOTS-Q", float("nan")),
            "Held": one.held,
        }
    share = Column(scale=100, decimals=1, best="max")
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index.name = "Tracker"
    shared = any(not one.scored.ranked for one in found)
    notes = [
        f"At {fps:g} frames a second; {GRACE} late frames a sequence are free, as in VOTS. Held: "
        "frames that show older masks. By recorded times: the tracker was shown every frame.",
    ]
    notes += ["Some runs shared the machine: their times are too long."] if shared else []
    return Table(
        title=f"{dataset}: real time",
        frame=frame,
        columns={
            "J&F": share,
            "J&F real-time": share,
            "Q real-time": share,
            "Held": Column(scale=100, decimals=1, best="min"),
        },
        notes=tuple(notes),
    )
