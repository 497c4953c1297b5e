"""Masks made by any program, as a run: named, scored and compared like any other.

source = Source(masks=Path("their/masks"))
run = import_masks(dataset, source, "theirs", results=Path("results"), fps=12.5)
"""

from __future__ import annotations

import math
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.listing import some
from vosbench.datasets.masks import Layers
from vosbench.datasets.predictions import Predictions, open_predictions
from vosbench.datasets.reading import write_labels
from vosbench.datasets.values import grey_levels, values_of
from vosbench.errors import DatasetError, EvaluationError, RunError, UsageError
from vosbench.metrics.protocols import Protocol, find_protocol
from vosbench.store import Run, RunRecord, SequenceRecord, path_beside

if TYPE_CHECKING:
    from vosbench.types import LabelMap


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How the masks are to be read.

    Attributes:
        masks: folder or JSON file, see `vosbench.datasets.predictions`.
        threshold: of soft masks, share of 255 from which on a pixel belongs to the object; 0 for
            masks of ids.
        by_order: pair masks with all frames, or with the annotated ones, by their order and not by
            their names.
    """

    masks: Path
    threshold: float = 0.0
    by_order: bool = False

    def open(self, video: VideoSequence) -> Predictions | None:
        """The masks of `video`; None where there are none. Raises DatasetError."""

        def in_order(names: list[str]) -> Mapping[int, str]:
            annotated = sorted(video.annotations)
            for indices in (range(len(video)), annotated):
                if len(indices) == len(names):
                    return dict(zip(indices, names, strict=True))
            raise DatasetError(
                f"{self.masks / video.name} holds {len(names)} masks for {len(video)} frames, of "
                f"which {len(annotated)} are annotated",
                "--by-order needs as many masks as frames, or as annotated frames.",
            )

        return open_predictions(
            self.masks, video, in_order if self.by_order else None, self.threshold
        )


def import_masks(
    dataset: Dataset,
    source: Source,
    name: str,
    *,
    results: Path,
    fps: float | None = None,
    fresh: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Run:
    """Copy masks into the run directory `results/<dataset>/<name>`, as palette PNGs; objects that
    overlap keep a folder each.

    Args:
        dataset: what they are of, or the part that there are masks of.
        name: of the run, and of its tracker in tables.
        fps: frames per second as its authors state them; without, the run has no speed.
        fresh: replace a run of that name.
        advance: called after each sequence.

    Raises:
        UsageError: `name` cannot name a folder, or `fps` is not positive.
        RunError: there is a run of that name.
        EvaluationError: with everything that is wrong with the masks; nothing is written.
    """
    if not re.fullmatch(r"[\w.,=+-][\w .,=+-]*", name) or name in (".", ".."):
        raise UsageError(f"--name {name!r}: letters, digits and . , = + - make the name of a run")
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"--fps must be above 0, not {fps:g}")
    if not 0 <= source.threshold <= 1:
        raise UsageError(f"--threshold must lie in 0..1, not {source.threshold:g}")
    home = results / dataset.name / name
    if home.exists() and not fresh:
        raise RunError(f"there is a run {home} already", "--fresh replaces it; --name names it.")
    home.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=home.parent))
    try:
        run = Run(part, _record(dataset, source, name))
        problems: list[str] = []
        for video in dataset.sequences:
            problems += _copy(source, video, dataset, run)
            advance()
        if problems:
            raise EvaluationError(
                f"{source.masks} cannot be imported over {dataset.name}: {len(problems)} "
                f"problem{'s' if len(problems) > 1 else ''}",
                "Nothing was written. --sequence or --list import a part.",
                tuple(problems),
            )
        run.record.beside = path_beside(dataset.source, results, dataset.name)
        run.save_sequences([_timed(video, fps) for video in dataset.sequences])
        run.save()
        if home.exists():
            shutil.rmtree(home)
        part.chmod(0o755)
        part.rename(home)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Run(home, run.record)


def _record(dataset: Dataset, source: Source, name: str) -> RunRecord:
    from vosbench import __version__

    now = datetime.now(UTC).isoformat(timespec="seconds")
    return RunRecord(
        tracker=name,
        dataset=dataset.name,
        options={},
        changed={},
        seed=0,
        device="",
        fingerprint=dataset.fingerprint(),
        protocol=dataset.protocol,
        sequences=[video.name for video in dataset.sequences],
        whole=dataset.size,
        source=dataset.source,
        imported=str(source.masks.resolve()),
        versions={"vosbench": __version__},
        started=now,
        finished=now,
        status="complete",
    )


def _timed(video: VideoSequence, fps: float | None) -> SequenceRecord:
    frames = len(video)
    record = SequenceRecord(
        sequence=video.name, status="done", frames=frames, objects=len(video.objects)
    )
    if fps is None or frames < 2:
        return record
    seconds = frames / fps
    return replace(
        record, track_seconds=(seconds / (frames - 1),) * (frames - 1), total_seconds=seconds
    )


def _copy(source: Source, video: VideoSequence, dataset: Dataset, run: Run) -> list[str]:
    """Write the masks of a sequence; what is wrong with them instead."""
    try:
        predictions = source.open(video)
        if predictions is None:
            return [f"{video.name}: there are no masks of it in {source.masks}"]
        apart = _overlapping(predictions, video)
        missing: list[str] = []
        problems: list[str] = []
        rules = find_protocol(dataset.protocol)
        needed = _needed(video, dataset, rules)
        for index, frame in enumerate(video.frames):
            mask = predictions.read(index)
            if mask is None:
                missing += [frame.stem] if index in needed else []
            elif problem := _problem_of(mask, video, rules):
                problems.append(f"{video.name}: mask of frame {frame.stem} {problem}")
            else:
                _write(run.masks / video.name, f"{frame.stem}.png", mask, video, apart=apart)
    except DatasetError as error:
        return [f"{video.name}: {error.message}{f'. {error.hint}' if error.hint else ''}"]
    if missing:
        problems.append(f"{video.name}: {len(missing)} frames missing ({some(missing)})")
    return problems


def _overlapping(predictions: Predictions, video: VideoSequence) -> bool:
    masks = (predictions.read(index) for index in range(len(video)))
    return any(isinstance(mask, Layers) and mask.overlap() for mask in masks)


def _needed(video: VideoSequence, dataset: Dataset, rules: Protocol) -> set[int]:
    """Frames that are scored, or, without annotations, belong in a submission."""
    if not dataset.annotated:
        return set(video.output or range(len(video)))
    plan = rules.plan(video)
    return {index for indices in plan.values() for index in indices}


def _problem_of(mask: LabelMap | Layers, video: VideoSequence, rules: Protocol) -> str:
    if isinstance(mask, Layers) and not mask.masks:
        return ""
    height, width = video.size
    if mask.shape != (height, width):
        return f"is {mask.shape[1]}x{mask.shape[0]}, its frame {width}x{height}"
    if isinstance(mask, Layers):
        return ""
    values = values_of(mask)
    if levels := grey_levels(mask, values):
        return f"holds {levels} grey levels, no ids: --threshold 0.5 cuts them at one half"
    strange = sorted(values - video.objects.keys())
    if strange and rules.strict_ids and not video.binary:
        ids = some([str(value) for value in strange])
        return f"has ids that no object has: {ids}; its objects are {sorted(video.objects)}"
    return ""


def _write(
    folder: Path, file: str, mask: LabelMap | Layers, video: VideoSequence, *, apart: bool
) -> None:
    if isinstance(mask, Layers) and apart:
        names = video.meta.get("object_names", {})
        for obj in video.objects:
            layer = mask.of(obj) if mask.masks else np.zeros(video.size, np.uint8)
            write_labels(folder / names.get(obj, f"{obj:03d}") / file, layer)
        return
    if isinstance(mask, Layers):
        mask = mask.label_map() if mask.masks else np.zeros(video.size, np.uint8)
    write_labels(folder / file, mask != 0 if video.binary else mask)
