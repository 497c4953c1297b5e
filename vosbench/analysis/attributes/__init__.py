"""What sets sequences and objects apart: tags that people gave, and what can be measured.

DAVIS-2016 tags its 50 sequences by hand (`davis2016.csv`, from fperazzi/davis@aaee12c); a file of
tags serves any dataset. Measured attributes need none: they are read off the annotations.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vosbench.errors import DatasetError
from vosbench.parsing import read_json

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset, VideoSequence

_DAVIS_2016 = Path(__file__).parent / "davis2016.csv"

#: What DAVIS's tags stand for.
DAVIS_TAGS = {
    "AC": "appearance change", "BC": "background clutter", "CS": "camera shake",
    "DB": "dynamic background", "DEF": "deformation", "EA": "edge ambiguity", "FM": "fast motion",
    "HO": "heterogeneous object", "IO": "interacting objects", "LR": "low resolution",
    "MB": "motion blur", "OCC": "occlusion", "OV": "out of view", "ROT": "rotation",
    "SC": "shape complexity", "SV": "scale variation",
}  # fmt: skip

#: Mean visible area in pixels below which an object is small, medium (SA-V's).
SMALL, MEDIUM = 32**2, 96**2


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the annotations say of one object.

    Attributes:
        area: mean over the frames in which it is visible, in pixels; nan if it never is.
        speed: mean shift of its centre between neighbouring frames that show it, as a share of the
            frame's diagonal; nan without such frames.
        absent: share of the frames after its first in which it is not visible.
    """

    area: float
    speed: float
    absent: float


def size_class(area: float) -> str:
    """SA-V's classes: small below 32 x 32 pixels, medium below 96 x 96, else large."""
    return "small" if area < SMALL else "medium" if area < MEDIUM else "large"


def speed_class(speed: float) -> str:
    """Fast is what DAVIS tags as fast motion, 20 pixels a frame at 480p, 0.02 of the diagonal; slow
    is a quarter of that."""
    return "slow" if not speed >= 0.005 else "medium" if speed <= 0.02 else "fast"


def occlusion_class(absent: float) -> str:
    """By the share of frames in which an object is gone."""
    if absent == 0:
        return "always there"
    return "sometimes gone" if absent < 0.5 else "mostly gone"


def count_class(objects: int) -> str:
    """By the number of objects of a sequence."""
    return "1 object" if objects == 1 else "2 objects" if objects == 2 else "3 or more objects"


def length_class(frames: int) -> str:
    """By the number of frames of a sequence."""
    return "below 60 frames" if frames < 60 else "60-299 frames" if frames < 300 else "300 or more"


#: Attributes of objects and of sequences that are measured: name -> class names in their order.
OF_OBJECTS: Mapping[str, tuple[str, ...]] = {
    "size": ("small", "medium", "large"),
    "speed": ("slow", "medium", "fast"),
    "occlusion": ("always there", "sometimes gone", "mostly gone"),
}
OF_SEQUENCES: Mapping[str, tuple[str, ...]] = {
    "objects": ("1 object", "2 objects", "3 or more objects"),
    "length": ("below 60 frames", "60-299 frames", "300 or more"),
}
#: What `vosbench compare --by` takes.
ATTRIBUTES = ("attribute", *OF_OBJECTS, *OF_SEQUENCES)


def object_classes(dataset: Dataset, attribute: str) -> dict[tuple[str, int], str]:
    """(sequence, object) -> class of one of `OF_OBJECTS`. Reads every annotation."""
    classify: dict[str, Callable[[ObjectFacts], str]] = {
        "size": lambda facts: size_class(facts.area),
        "speed": lambda facts: speed_class(facts.speed),
        "occlusion": lambda facts: occlusion_class(facts.absent),
    }
    return {
        (video.name, obj): classify[attribute](facts)
        for video in dataset.sequences
        for obj, facts in object_facts(video).items()
    }


def sequence_classes(dataset: Dataset, attribute: str) -> dict[str, list[str]]:
    """Sequence -> its class, one, of one of `OF_SEQUENCES`."""
    if attribute == "objects":
        return {v.name: [count_class(len(v.objects))] for v in dataset.sequences}
    return {v.name: [length_class(len(v))] for v in dataset.sequences}


def object_facts(video: VideoSequence) -> dict[int, ObjectFacts]:
    """Facts of every object of a sequence, from its annotated frames. Raises DatasetError if one
    is broken."""
    areas: dict[int, list[float]] = defaultdict(list)
    ways: dict[int, list[float]] = defaultdict(list)
    last: dict[int, tuple[float, float] | None] = {}
    for index in sorted(video.annotations):
        masks = _masks(video, index)
        for obj, start in video.objects.items():
            if index < start:
                continue
            rows, columns = np.nonzero(masks.get(obj, _NOTHING))
            areas[obj].append(float(rows.size))
            centre = (float(rows.mean()), float(columns.mean())) if rows.size else None
            before = last.get(obj)
            if centre is not None and before is not None:
                diagonal = math.hypot(*masks[obj].shape)
                way = math.hypot(centre[0] - before[0], centre[1] - before[1])
                ways[obj].append(way / diagonal)
            last[obj] = centre
    return {obj: _facts(areas[obj], ways[obj]) for obj in video.objects}


_NOTHING = np.zeros((0, 0), np.bool_)


def _masks(video: VideoSequence, index: int) -> dict[int, np.ndarray[tuple[int, ...], np.dtype]]:
    from vosbench.datasets.masks import read_layers

    if index in video.layers:
        layers = read_layers(video.layers[index])
        return {obj: layers.of(obj) != 0 for obj in video.objects}
    labels = video.labels(index)
    return {} if labels is None else {obj: labels == obj for obj in video.objects}


def _facts(areas: Sequence[float], ways: Sequence[float]) -> ObjectFacts:
    visible = [area for area in areas if area > 0]
    after = areas[1:]
    return ObjectFacts(
        area=float(np.mean(visible)) if visible else math.nan,
        speed=float(np.mean(ways)) if ways else math.nan,
        absent=float(np.mean([area == 0 for area in after])) if after else 0.0,
    )


def davis_tags() -> dict[str, list[str]]:
    """Sequence -> tags, of the 50 sequences of DAVIS-2016; those new in DAVIS-2017 have none."""
    return read_tags(_DAVIS_2016)


def read_tags(path: Path) -> dict[str, list[str]]:
    """Sequence -> tags, from a file: csv with the columns `sequence` and `attributes` (or `tags`),
    several separated by blanks; or JSON, {sequence: [tag, ...]}, or as LVOS gives its attributes,
    {"videos": {sequence: {"attributes": [tag, ...]}}}.

    Raises:
        DatasetError: the file cannot be read as either.
    """
    try:
        if path.suffix.lower() == ".json":
            content = read_json(path)
            if isinstance(videos := content.get("videos"), dict):  # {val,test}_meta_attribute.json
                content = {name: video["attributes"] for name, video in videos.items()}
            return {str(name): [str(t) for t in tags] for name, tags in content.items()}
        text = path.read_text(encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines()))
        column = "attributes" if rows and "attributes" in rows[0] else "tags"
        return {row["sequence"]: (row[column] or "").split() for row in rows}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{path} cannot be read as tags: {error!r}",
            "csv with the columns sequence and tags, or JSON: {sequence: [tag, ...]}.",
        ) from None
