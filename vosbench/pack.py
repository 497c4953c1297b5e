"""Submission archives for evaluation servers, checked before they are written.

Layouts: DAVIS' scoring program wants the sequences' folders directly inside the archive
(davis2017-evaluation, `evaluation_codalab.py`), MOSE alike; YouTube-VOS and LVOS want them in a
folder `Annotations`; SA-V keeps one folder of binary masks for each object
(`sav_dataset/sav_evaluator.py`, structure 1). `coco` is no server's: one JSON file of COCO's
run-length codes in the form of YouTube-VIS.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vosbench.datasets import rle
from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.listing import some
from vosbench.datasets.masks import Layers, object_mask
from vosbench.datasets.predictions import Predictions, open_predictions
from vosbench.datasets.reading import encode_labels
from vosbench.durable import whole_file
from vosbench.errors import DatasetError, EvaluationError, UsageError

if TYPE_CHECKING:
    from vosbench.types import LabelMap


@dataclass(frozen=True, slots=True)
class Layout:
    """How a server wants its archive.

    Attributes:
        name: what users type after `--layout`.
        prefix: folder inside the archive that holds the sequences; "" for its top.
        per_object: one folder of binary masks for each object instead of label maps.
        codes: one JSON file of COCO's run-length codes instead of an archive.
    """

    name: str
    prefix: str = ""
    per_object: bool = False
    codes: bool = False


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("davis"),
        Layout("ytvos", prefix="Annotations/"),
        Layout("mose"),
        Layout("lvos", prefix="Annotations/"),
        Layout("sav", per_object=True),
        Layout("coco", codes=True),
    )
}
_OF_PROTOCOL = {
    "davis2016": "davis",
    "davis2017": "davis",
    "ytvos": "ytvos",
    "lvos": "lvos",
    "mosev2": "mose",
    "sav": "sav",
}


def layout_of(dataset: Dataset) -> Layout:
    """The layout that the server of `dataset` wants. Raises UsageError if none is known."""
    # MOSE's first version is scored by the protocol of DAVIS-2017; both layouts are one.
    name = _OF_PROTOCOL.get(dataset.protocol)
    if name is None:
        raise UsageError(
            f"no server's layout is known for {dataset.name} (protocol {dataset.protocol})",
            f"Choose --layout: {', '.join(LAYOUTS)}.",
        )
    return LAYOUTS[name]


def pack(dataset: Dataset, masks: Path, output: Path, layout: Layout) -> int:
    """Check all masks, then write the archive `output`; returns the number of masks in it.

    Only the frames that a submission must hold go in (`VideoSequence.output`), whatever else the
    folder has; grey masks get the palette. The same masks always give the same bytes, and the file
    appears whole or not at all.

    Args:
        masks: folder or JSON file, see `vosbench.datasets.predictions`.

    Raises:
        EvaluationError: with every problem of every mask; nothing is written.
    """
    found = problems(dataset, masks, layout)
    if found:
        count = f"{len(found)} problem{'s' if len(found) > 1 else ''}"
        raise EvaluationError(
            f"{masks} is not a valid submission for {dataset.name}: {count}",
            "Nothing was written.",
            tuple(found),
        )
    write = _write_codes if layout.codes else _write_archive
    with whole_file(output) as part:
        return write(dataset, masks, part, layout)


def problems(dataset: Dataset, masks: Path, layout: Layout) -> list[str]:
    """Everything that keeps the masks from being a submission: missing sequences and frames, wrong
    size, ids that the sequence does not have (yet), objects that overlap where the layout has one
    label map for all. Empty if all is well."""
    found: list[str] = []
    for sequence in dataset.sequences:
        try:
            predictions = open_predictions(masks, sequence)
        except DatasetError as error:
            found.append(f"{sequence.name}: {error.message}")
            continue
        if predictions is None:
            found.append(f"{sequence.name}: no masks")
        else:
            found += _problems_of(sequence, predictions, layout)
    return found


def required(sequence: VideoSequence) -> tuple[int, ...]:
    """Indices of the frames whose masks a submission must hold."""
    return sequence.output or tuple(range(len(sequence)))


def _problems_of(sequence: VideoSequence, predictions: Predictions, layout: Layout) -> list[str]:
    found: list[str] = []
    missing = []
    size = sequence.size
    for index in required(sequence):
        name = sequence.frames[index].stem
        try:
            mask = predictions.read(index)
        except DatasetError as error:
            found.append(f"{sequence.name}/{name}.png: {error}".replace("\n", " "))
            continue
        if mask is None:
            missing.append(name)
        elif problem := _problem_of(mask, sequence, index, size, layout):
            found.append(f"{sequence.name}/{name}.png: {problem}")
    if missing:
        found.append(f"{sequence.name}: {len(missing)} frames missing ({some(missing)})")
    return found


def _problem_of(
    mask: LabelMap | Layers,
    sequence: VideoSequence,
    index: int,
    size: tuple[int, int],
    layout: Layout,
) -> str:
    if isinstance(mask, Layers):
        shown = {obj for obj, layer in mask.masks.items() if layer.any()}
        if mask.masks and not (layout.per_object or layout.codes) and mask.overlap():
            return f"has objects that overlap, and the layout {layout.name} cannot hold them"
    else:
        shown = set(np.unique(mask).tolist()) - {0}
        if sequence.binary and len(shown) == 1:
            shown = {1}
    if mask.shape != size and not (isinstance(mask, Layers) and not mask.masks):
        return f"is {mask.shape[1]}x{mask.shape[0]}, its frame {size[1]}x{size[0]}"
    known = {obj for obj, start in sequence.objects.items() if start <= index}
    if strange := sorted(shown - known):
        return f"has ids {strange}; known in this frame are {sorted(known)}"
    return ""


def _write_archive(dataset: Dataset, masks: Path, path: Path, layout: Layout) -> int:
    count = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(_members(dataset, masks, layout)):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
            count += 1
    return count


def _members(dataset: Dataset, masks: Path, layout: Layout) -> Iterator[tuple[str, bytes]]:
    for sequence, index, mask in _masks(dataset, masks):
        folder = f"{layout.prefix}{sequence.name}"
        file = f"{sequence.frames[index].stem}.png"
        if not layout.per_object:
            labels = mask.label_map() if isinstance(mask, Layers) else mask
            yield f"{folder}/{file}", encode_labels(labels)
            continue
        names = sequence.meta.get("object_names", {})
        for obj in sequence.objects:
            called = names.get(obj, f"{obj:03d}")
            yield f"{folder}/{called}/{file}", encode_labels(object_mask(mask, obj))


def _write_codes(dataset: Dataset, masks: Path, path: Path, _: Layout) -> int:
    """One JSON file of run-length codes: what `vosbench.datasets.rle` reads."""
    codes: dict[str, dict[int, list[dict[str, Any]]]] = {}
    count = 0
    for sequence, _index, mask in _masks(dataset, masks):
        for obj in sequence.objects:
            code = rle.encode(object_mask(mask, obj))
            codes.setdefault(sequence.name, {}).setdefault(obj, []).append(code)
            count += 1
    videos, annotations = [], []
    for number, sequence in enumerate(dataset.sequences, 1):
        height, width = sequence.size
        files = [f"{sequence.name}/{sequence.frames[i].name}" for i in required(sequence)]
        video = {"id": number, "name": sequence.name, "length": len(files)}
        videos.append({**video, "height": height, "width": width, "file_names": files})
        annotations += [
            {"video_id": number, "object_id": obj, "segmentations": of_object}
            for obj, of_object in codes[sequence.name].items()
        ]
    annotations = [{"id": n, "category_id": 1, **a} for n, a in enumerate(annotations, 1)]
    categories = [{"id": 1, "name": "object"}]
    document = {"videos": videos, "categories": categories, "annotations": annotations}
    path.write_text(json.dumps(document), encoding="utf-8")
    return count


def _masks(dataset: Dataset, masks: Path) -> Iterator[tuple[VideoSequence, int, LabelMap | Layers]]:
    """Every mask of a submission that has no problems."""
    for sequence in dataset.sequences:
        predictions = open_predictions(masks, sequence)
        for index in required(sequence) if predictions else ():
            mask = predictions.read(index) if predictions else None
            if isinstance(mask, Layers):
                yield sequence, index, mask if mask.masks else Layers(sequence.size, {})
            elif mask is not None:
                yield sequence, index, (mask != 0).view(np.uint8) if sequence.binary else mask
