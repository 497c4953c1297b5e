"""Submission archives for evaluation servers, checked before they are written.

Layouts: DAVIS' scoring program wants the sequences' folders directly inside the archive
(davis2017-evaluation, `evaluation_codalab.py`), MOSE alike; YouTube-VOS and LVOS want them in a
folder `Annotations`; SA-V keeps one folder of binary masks for each object
(`sav_dataset/sav_evaluator.py`, structure 1).
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.reading import encode_labels, read_labels
from vosbench.errors import DatasetError, EvaluationError, UsageError


@dataclass(frozen=True, slots=True)
class Layout:
    """How a server wants its archive.

    Attributes:
        name: what users type after `--layout`.
        prefix: folder inside the archive that holds the sequences; "" for its top.
        per_object: one folder of binary masks for each object instead of label maps.
    """

    name: str
    prefix: str = ""
    per_object: bool = False


LAYOUTS = {
    layout.name: layout
    for layout in (
        Layout("davis"),
        Layout("ytvos", prefix="Annotations/"),
        Layout("mose"),
        Layout("lvos", prefix="Annotations/"),
        Layout("sav", per_object=True),
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
    """Check all masks, then write the archive `output`; returns the number of files in it.

    Only the frames that a submission must hold go in (`Sequence.output`), whatever else the
    folder has. The same masks always give the same bytes, and the file appears whole or not at
    all.

    Args:
        masks: folder that holds <sequence>/<frame>.png.

    Raises:
        EvaluationError: with every problem of every mask; nothing is written.
    """
    found = problems(dataset, masks)
    if found:
        raise EvaluationError(
            f"{masks} is not a valid submission for {dataset.name}: {len(found)} problems",
            "Nothing was written.",
            tuple(found),
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    count = 0
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, data in sorted(_members(dataset, masks, layout)):
                entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data)
                count += 1
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)
    return count


def problems(dataset: Dataset, masks: Path) -> list[str]:
    """Everything that keeps the masks from being a submission: missing sequences and frames, wrong
    size, no palette PNG, ids that the sequence does not have (yet). Empty if all is well."""
    found: list[str] = []
    for sequence in dataset.sequences:
        if (masks / sequence.name).is_dir():
            found += _problems_of(sequence, masks / sequence.name)
        else:
            found.append(f"{sequence.name}: no masks")
    return found


def required(sequence: VideoSequence) -> tuple[int, ...]:
    """Indices of the frames whose masks a submission must hold."""
    return sequence.output or tuple(range(len(sequence)))


def _problems_of(sequence: VideoSequence, folder: Path) -> list[str]:
    found: list[str] = []
    missing = []
    size = sequence.size
    for index in required(sequence):
        path = folder / f"{sequence.frames[index].stem}.png"
        if not path.is_file():
            missing.append(path.stem)
            continue
        problem = _problem_of(path, sequence, index, size)
        if problem:
            found.append(f"{sequence.name}/{path.name}: {problem}")
    if missing:
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        found.append(f"{sequence.name}: {len(missing)} frames missing ({some})")
    return found


def _problem_of(path: Path, sequence: VideoSequence, index: int, size: tuple[int, int]) -> str:
    try:
        with PillowImage.open(path) as image:
            kind, mode = image.format, image.mode
        labels = read_labels(path)
    except (DatasetError, OSError, SyntaxError, ValueError) as error:
        return str(error).replace("\n", " ")
    if kind != "PNG" or mode != "P":
        return f"is no palette PNG but {kind} of mode {mode}"
    if labels.shape != size:
        return f"is {labels.shape[1]}x{labels.shape[0]}, its frame {size[1]}x{size[0]}"
    known = {0, *(obj for obj, start in sequence.objects.items() if start <= index)}
    strange = sorted(set(np.unique(labels).tolist()) - known)
    if strange:
        return f"has ids {strange}; known in this frame are {sorted(known - {0})}"
    return ""


def _members(dataset: Dataset, masks: Path, layout: Layout) -> Iterator[tuple[str, bytes]]:
    for sequence in dataset.sequences:
        for index in required(sequence):
            path = masks / sequence.name / f"{sequence.frames[index].stem}.png"
            folder = f"{layout.prefix}{sequence.name}"
            if not layout.per_object:
                yield f"{folder}/{path.name}", path.read_bytes()
                continue
            labels = read_labels(path)
            for obj in sequence.objects:
                mask = (labels == obj).astype(np.uint8)
                yield f"{folder}/{obj:03d}/{path.name}", encode_labels(mask)
