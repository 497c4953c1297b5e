"""What a report shows, gathered from scored runs and their dataset.

Everything that the page's program needs is plain JSON: `overview` once, `sequence_pages` once a
sequence, so that a browser unpacks pictures only when they are looked at. NaN becomes null.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vosbench.analysis.scored import ScoredRun
from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.predictions import Predictions, label_map, open_predictions
from vosbench.errors import EvaluationError
from vosbench.export import Table
from vosbench.export.plots import over_time, pareto_front
from vosbench.report.failures import LOST_BELOW, lost_objects, worst_frames
from vosbench.report.pictures import pack_labels, picture_address, scaled_size, thin

_HEAT = ("J&F", "J", "F", "J-Recall", "J-Decay")
_TIME = ("J", "F")
_BINS = 20
_THREADS = 2
#: Curves are stored in thousandths.
_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinning:
    """How much of the videos goes into the page.

    Attributes:
        width: of a picture in pixels; frames are never enlarged.
        frames: pictures of a sequence, evenly spread; each run's worst frame comes besides.
        total: pictures of all sequences together. Where they do not suffice for `frames` each,
            sequences get fewer, but not below `least`: then only those that are tracked worst get
            any.
        least: see `total`.
    """

    width: int = 480
    frames: int = 24
    total: int = 1000
    least: int = 8

    def share(self, sequences: int) -> tuple[int, int]:
        """(sequences with pictures, pictures of each) of so many sequences."""
        least = min(self.least, self.frames)
        shown = min(sequences, max(1, self.total // least))
        return shown, max(least, min(self.frames, self.total // max(1, shown)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What the page is made from.

    Attributes:
        name: of the dataset.
        runs: side by side, in the order of the tables.
        dataset: for the pictures; None where it is not here.
        shown: sequences with pictures, and how many each.
    """

    name: str
    runs: Sequence[ScoredRun]
    dataset: Dataset | None
    shown: Mapping[str, int]

    @property
    def sequences(self) -> list[str]:
        """Names of all sequences of any run, in the dataset's order."""
        return list(dict.fromkeys(s for scored in self.runs for s in scored.run.record.sequences))


def choose_pictures(
    runs: Sequence[ScoredRun], sequences: Sequence[str], thinning: Thinning
) -> dict[str, int]:
    """Sequences that get pictures -> how many. The worst tracked come first if not all can."""
    count, each = thinning.share(len(sequences))
    if count == len(sequences):
        return dict.fromkeys(sequences, each)
    scores = [s.evaluation.sequences["J&F"] for s in runs if s.evaluation is not None]
    mean = pd.concat(scores, axis=1).mean(axis=1) if scores else pd.Series(dtype=float)
    order = sorted(sequences, key=lambda name: float(mean.get(name, math.inf)))
    chosen = set(order[:count])
    return {name: each for name in sequences if name in chosen}


def overview(material: Material, main: Table) -> dict[str, Any]:
    """Tables and plots: see the keys. Lists of runs are in the order of `material.runs`.

    Args:
        main: of `vosbench.analysis.compare.main_table`, the rows of published methods last.
    """
    runs, names = material.runs, material.sequences
    tables = [None if s.evaluation is None else s.evaluation.sequences for s in runs]
    measures = [m for m in _HEAT if any(t is not None and m in t for t in tables)]
    heat = {
        measure: [[_score(table, name, measure) for table in tables] for name in names]
        for measure in measures
    }
    return {
        "dataset": material.name,
        "runs": [scored.name for scored in runs],
        "sequences": names,
        "best": _best(runs),
        "pictures": [name in material.shown for name in names],
        "heat": heat,
        "time": {m: _over_time(runs, m) for m in _TIME} if measures else {},
        "plane": _plane(main, len(runs)),
        "worst": _worst(runs),
        "lost": _lost(runs),
        "lost_below": LOST_BELOW,
    }


def sequence_pages(material: Material, width: int) -> Iterator[dict[str, Any]]:
    """One dictionary a sequence: its frames, scores by frame, pictures and label maps."""
    with ThreadPoolExecutor(_THREADS) as pool:
        yield from pool.map(lambda name: _sequence_page(material, name, width), material.sequences)


def _sequence_page(material: Material, name: str, width: int) -> dict[str, Any]:
    scores = [
        None if s.evaluation is None else _of(s.evaluation.frames, name) for s in material.runs
    ]
    video = None
    if material.dataset is not None:
        video = next((v for v in material.dataset.sequences if v.name == name), None)
    frames = [path.stem for path in video.frames] if video else _scored_frames(scores)
    page: dict[str, Any] = {
        "name": name,
        "frames": frames,
        "objects": sorted({int(o) for t in scores if t is not None for o in t["object"]}),
        "curves": {},
        "shown": [],
    }
    place = {frame: index for index, frame in enumerate(frames)}
    for measure in _TIME:
        page["curves"][measure] = [_curves(table, measure, place) for table in scores]
    if video is not None and name in material.shown:
        masks = [open_predictions(scored.run.masks, video) for scored in material.runs]
        worst = {place[frame] for frame in _worst_of(scores) if frame in place}
        page |= _pictures(video, masks, material.shown[name], worst, width)
    return page


def _pictures(
    video: VideoSequence,
    masks: Sequence[Predictions | None],
    count: int,
    keep: Collection[int],
    width: int,
) -> dict[str, Any]:
    """Pictures, annotation and every run's prediction of the frames that are shown. Frames that
    can be judged are preferred: datasets like YouTube-VOS annotate every fifth."""
    indices = sorted({index for found in masks if found for index in found.indices})
    if len(video.annotations) > 1:
        indices = [i for i in indices if i in video.annotations]
    shown = thin(indices, count, keep)
    size = scaled_size(*video.size, width) if shown else (1, 1)
    images, truths = [], []
    predictions: list[list[str | None]] = [[] for _ in masks]
    for index in shown:
        frame = video.frame(index)
        images.append(picture_address(frame.image, size))
        truth = video.labels(index)
        truths.append(None if truth is None else pack_labels(truth, size))
        for found, packed in zip(masks, predictions, strict=True):
            packed.append(_prediction(found, video, index, frame.size, size) if found else None)
    return {
        "shown": shown,
        "size": size,
        "images": images,
        "annotation": truths,
        "predictions": predictions,
    }


def _prediction(
    found: Predictions,
    video: VideoSequence,
    index: int,
    frame: tuple[int, int],
    size: tuple[int, int],
) -> str | None:
    labels = label_map(found, index, video)
    if labels is None:
        return None
    if labels.shape != frame:
        own, right = labels.shape[::-1], frame[::-1]
        raise EvaluationError(
            f"mask {video.frames[index].stem} of {video.name} is {own[0]}x{own[1]}, its frame "
            f"{right[0]}x{right[1]}"
        )
    return pack_labels(labels, size)


def _curves(
    table: pd.DataFrame | None, measure: str, place: Mapping[str, int]
) -> dict[str, list[int | None]]:
    """Object id -> one value a frame in thousandths, null where it was not scored."""
    if table is None:
        return {}
    curves: dict[str, list[int | None]] = {}
    columns = zip(table["object"], table["frame"], table[measure], strict=True)
    for obj, frame, value in columns:
        curve = curves.setdefault(str(obj), [None] * len(place))
        if frame in place and math.isfinite(value):
            curve[place[frame]] = round(_STEPS * value)
    return curves


def _scored_frames(scores: Sequence[pd.DataFrame | None]) -> list[str]:
    return sorted({str(f) for table in scores if table is not None for f in table["frame"]})


def _worst_of(scores: Sequence[pd.DataFrame | None]) -> set[str]:
    there = [table for table in scores if table is not None and len(table)]
    return {str(frame) for table in there for frame in worst_frames(table)["frame"]}


def _of(frames: pd.DataFrame, sequence: str) -> pd.DataFrame:
    return frames[frames["sequence"] == sequence]


def _over_time(runs: Sequence[ScoredRun], measure: str) -> list[list[float | None] | None]:
    """For each run the mean of `measure` in each of `_BINS` equal parts of the videos."""
    curves: list[list[float | None] | None] = []
    for scored in runs:
        if scored.evaluation is None:
            curves.append(None)
        else:
            _, values = over_time(scored.evaluation.frames, measure, _BINS)
            curves.append([plain(value) for value in values])
    return curves


def _plane(main: Table, own: int) -> dict[str, list[dict[str, Any]]]:
    """Measure -> points of accuracy and speed, those on the Pareto front marked."""
    frame = main.frame
    planes: dict[str, list[dict[str, Any]]] = {}
    for measure in ("J&F", "J"):
        if measure not in frame or "FPS" not in frame:
            continue
        scores = frame[measure].to_numpy(dtype=np.float64)
        speeds = frame["FPS"].to_numpy(dtype=np.float64)
        drawn = np.isfinite(scores) & np.isfinite(speeds) & (speeds > 0)
        rows = np.flatnonzero(drawn).tolist()
        front = {rows[i] for i in pareto_front(speeds[rows], scores[rows])}
        planes[measure] = [
            {
                "name": str(frame.index[row]),
                "score": plain(scores[row]),
                "fps": plain(speeds[row]),
                "run": row if row < own else None,
                "shared": (row, "FPS") in main.parentheses,
                "front": row in front,
            }
            for row in rows
        ]
    return planes


def _best(runs: Sequence[ScoredRun]) -> int | None:
    scores = {number: s.scores()["J&F"] for number, s in enumerate(runs) if "J&F" in s.scores()}
    return max(scores, key=lambda number: scores[number]) if scores else None


def _worst(runs: Sequence[ScoredRun]) -> list[dict[str, Any]]:
    found = [
        {"run": number, "sequence": row.sequence, "frame": row.frame, "J": plain(row.J)}
        for number, scored in enumerate(runs)
        if scored.evaluation is not None
        for row in worst_frames(scored.evaluation.frames).itertuples()
    ]
    return sorted(found, key=lambda entry: entry["J"])


def _lost(runs: Sequence[ScoredRun]) -> list[dict[str, Any]]:
    found = [
        {
            "run": number,
            "sequence": row.sequence,
            "object": plain(row.object),
            "frame": row.frame,
            "lost": plain(row.lost),
            "share": plain(row.share),
            "before": plain(row.before),
        }
        for number, scored in enumerate(runs)
        if scored.evaluation is not None
        for row in lost_objects(scored.evaluation.frames).itertuples()
    ]
    return sorted(found, key=lambda entry: -entry["share"])


def _score(table: pd.DataFrame | None, sequence: str, measure: str) -> float | None:
    if table is None or measure not in table or sequence not in table.index:
        return None
    value: float | None = plain(table.at[sequence, measure])
    return value


def plain(value: Any) -> Any:
    """For JSON: numpy's numbers become Python's, shortened; what is not finite becomes None."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
