"""What a report shows, gathered from scored runs and their dataset.

Everything that the page's program needs is plain JSON: `overview` once, and a block for each
sequence and each picture, so that a browser reads only what is looked at. NaN becomes null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from vosbench.analysis.attributes import DAVIS_TAGS, count_class, length_class
from vosbench.analysis.scored import ScoredRun
from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.predictions import open_predictions
from vosbench.export import Table
from vosbench.export.plots import over_time, pareto_front
from vosbench.overlay import OBJECT_COLOURS
from vosbench.report.failures import (
    LOST_BELOW,
    lost_objects,
    most_different_frame,
    worst_frames,
)
from vosbench.report.frames import Clip, bytes_of_a_picture, share
from vosbench.report.pictures import address, text

_HEAT = ("J&F", "J", "F", "J-Recall", "J-Decay")
_TIME = ("J", "F")
_BINS = 20
_THREADS = 2
#: Curves are stored in thousandths.
_STEPS = 1000
#: Frames of a sequence that are worth showing, at least.
_LEAST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What the page is made from.

    Attributes:
        name: of the dataset.
        runs: side by side, in the order of the tables.
        clips: sequence -> the frames that are shown; sequences without pictures are missing.
        tags: sequence -> what can be filtered by, e.g. "several objects".
        remote: whether the page fetches sequences and pictures when they are looked at.
    """

    name: str
    runs: Sequence[ScoredRun]
    clips: Mapping[str, Clip]
    tags: Mapping[str, Sequence[str]]
    remote: bool = False

    @property
    def sequences(self) -> list[str]:
        """Names of all sequences of any run, in the dataset's order."""
        return sequence_names(self.runs)


def sequence_names(runs: Sequence[ScoredRun]) -> list[str]:
    """Names of all sequences of any run, in the dataset's order."""
    return list(dict.fromkeys(s for scored in runs for s in scored.run.record.sequences))


def choose_frames(
    runs: Sequence[ScoredRun],
    videos: Sequence[VideoSequence],
    *,
    width: int,
    count: int | None = None,
    megabytes: float | None = None,
) -> dict[str, Clip]:
    """Sequence -> the frames to show: as many as fit. Besides them come each run's worst frame and
    the one in which runs differ most.

    Args:
        width: of the pictures in pixels; frames are never enlarged.
        count: frames of a sequence at most.
        megabytes: what all pictures may take together, about. If they do not suffice for a few
            frames of every sequence, those that are tracked worst get some and the others none.
    """
    masks = {v.name: [open_predictions(s.run.masks, v) for s in runs] for v in videos}
    clips = {v.name: Clip.of(v, masks[v.name], width) for v in videos}
    lengths = {name: min(len(c.shown), count or len(c.shown)) for name, c in clips.items()}
    if megabytes is not None and (each := bytes_of_a_picture(list(clips.values()))):
        extra = len(videos) * (len(runs) + 1) // 2  # many of them are shown anyway
        total = max(_LEAST, int(1e6 * megabytes / each) - extra)
        lengths = share(lengths, total, min(_LEAST, count or _LEAST), _worst_first(runs, lengths))
    return {
        v.name: Clip.of(v, masks[v.name], width, lengths[v.name], _telling(runs, v))
        for v in videos
        if lengths.get(v.name)
    }


def _telling(runs: Sequence[ScoredRun], video: VideoSequence) -> set[int]:
    """Indices of the worst frame of each run and of the one in which they differ most."""
    place = {path.stem: index for index, path in enumerate(video.frames)}
    scores = [_of(s.evaluation.frames, video.name) for s in runs if s.evaluation is not None]
    names = {str(f) for table in scores if len(table) for f in worst_frames(table)["frame"]}
    names |= most_different_frame(scores)
    return {place[name] for name in names if name in place}


def _opening_frame(runs: Sequence[ScoredRun], name: str) -> set[str]:
    """The frame of a sequence in which the runs differ most, or where the only one is worst."""
    scores = [_of(s.evaluation.frames, name) for s in runs if s.evaluation is not None]
    if len(scores) == 1:
        return set(worst_frames(scores[0])["frame"])
    return most_different_frame(scores)


def _worst_first(runs: Sequence[ScoredRun], names: Iterable[str]) -> list[str]:
    scores = [s.evaluation.sequences["J&F"] for s in runs if s.evaluation is not None]
    mean = pd.concat(scores, axis=1).mean(axis=1) if scores else pd.Series(dtype=float)
    return sorted(names, key=lambda name: float(mean.get(name, math.inf)))


def filter_tags(dataset: Dataset, given: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Sequence -> what it can be filtered by: number of objects, length, and the tags `given`; what
    those of DAVIS stand for is said."""
    return {
        video.name: [
            count_class(len(video.objects)),
            length_class(len(video)),
            *(_spelled_out(tag) for tag in given.get(video.name, ())),
        ]
        for video in dataset.sequences
    }


def _spelled_out(tag: str) -> str:
    return f"{DAVIS_TAGS[tag]} ({tag})" if tag in DAVIS_TAGS else tag


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
        "pictures": [name in material.clips for name in names],
        "tags": [list(material.tags.get(name, ())) for name in names],
        "colours": OBJECT_COLOURS,
        "remote": material.remote,
        "heat": heat,
        "time": {m: _over_time(runs, m) for m in _TIME} if measures else {},
        "plane": _plane(main, len(runs)),
        "worst": _worst(runs),
        "lost": _lost(runs),
        "lost_below": LOST_BELOW,
    }


def sequence_blocks(material: Material) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the page holds of the sequences: (name of the block, content).

    "sequence-N" is what `sequence_page` gives of sequence N, "picture-N-I" its frame I and label
    maps. The sequence that the page opens with comes first, then the picture that it opens at.
    """
    numbers = range(len(material.sequences))
    order = sorted(numbers, key=lambda n: material.sequences[n] not in material.clips)
    with ThreadPoolExecutor(_THREADS) as pool:
        for blocks in pool.map(lambda number: _blocks(material, number), order):
            yield from blocks


def _blocks(material: Material, number: int) -> list[tuple[str, dict[str, Any]]]:
    name = material.sequences[number]
    blocks = [(f"sequence-{number}", sequence_page(material, name))]
    if (clip := material.clips.get(name)) is not None:
        place = {path.stem: index for index, path in enumerate(clip.video.frames)}
        opened = {place.get(frame) for frame in _opening_frame(material.runs, name)}
        for index in sorted(clip.shown, key=lambda index: index not in opened):
            image = address(clip.picture(index), "image/webp")
            blocks.append(
                (f"picture-{number}-{index}", {"image": image, "maps": text(clip.maps(index))})
            )
    return blocks


def sequence_page(material: Material, name: str) -> dict[str, Any]:
    """A sequence without its pictures: names of the frames, ids, scores by frame, which are
    shown, whether there are annotations."""
    scores = [
        None if s.evaluation is None else _of(s.evaluation.frames, name) for s in material.runs
    ]
    clip = material.clips.get(name)
    frames = [path.stem for path in clip.video.frames] if clip else _scored_frames(scores)
    place = {frame: index for index, frame in enumerate(frames)}
    scored = {int(o) for t in scores if t is not None for o in t["object"]}
    return {
        "name": name,
        "frames": frames,
        "objects": sorted(scored | set(clip.video.objects if clip else ())),
        "curves": {m: [_curves(table, m, place) for table in scores] for m in _TIME},
        "shown": list(clip.shown) if clip else [],
        "size": clip.size if clip else (1, 1),
        "annotated": clip is not None and len(clip.video.annotations) > 1,
    }


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
