"""One sequence, one or more trackers: masks on disk to values per object and frame.

Runs in worker processes, so it imports neither pandas nor torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path
from typing import TypeAlias

import numpy as np

from vosbench.datasets.base import VideoSequence
from vosbench.datasets.listing import some
from vosbench.datasets.masks import Layers, object_mask, read_layers
from vosbench.datasets.png import read_png_labels
from vosbench.datasets.predictions import Predictions, open_predictions
from vosbench.datasets.values import grey_levels, values_of
from vosbench.errors import DatasetError, PluginError
from vosbench.evaluation.recorder import TrackRecorder
from vosbench.metrics import MetricSpec, SequenceMetricSpec
from vosbench.metrics.contour import Shape
from vosbench.metrics.protocols import ObjectScores, Protocol
from vosbench.metrics.sequence import Measured, SequenceMetric
from vosbench.types import VOID, LabelMap

AnySpec: TypeAlias = MetricSpec | SequenceMetricSpec

_TOUCHING = 0.05  # J of MOSEv2 is above 0 even for masks that have nothing in common


@dataclass(slots=True)
class SequenceScores:
    """The scores of one tracker in one sequence.

    Attributes:
        sequence: its name.
        objects: scores by object.
        problems: why it cannot be scored; empty if it can.
        unscorable: whether that lies in the sequence itself, whatever the predictions.
        warnings: what looks wrong.
        identical: whether predictions and annotations are the same in every frame.
        measured: what the sequence metrics found, by their names.
    """

    sequence: str
    objects: list[ObjectScores] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unscorable: bool = False
    warnings: list[str] = field(default_factory=list)
    identical: bool = False
    measured: dict[str, Measured] = field(default_factory=dict)


def score_sequence(
    video: VideoSequence, folders: Sequence[Path], rules: Protocol, metrics: Sequence[AnySpec] = ()
) -> list[SequenceScores]:
    """Score the masks of each of `folders`, see `open_predictions`.

    Annotations are read, and what is needed of them is computed, once for all folders. Metrics that
    see whole sequences get the shapes that J and F were computed from.
    """
    functions = [(m.name, m.resolve()) for m in metrics if isinstance(m, MetricSpec)]
    through = [(m.name, m.resolve()) for m in metrics if isinstance(m, SequenceMetricSpec)]
    try:
        plan = rules.plan(video)
        frames = sorted({index for indices in plan.values() for index in indices})
        problem = _unscorable(video, rules, plan, frames)
        if problem:
            return [_without_scores(video, problem) for _ in folders]
        scorers = [_Scorer(video, folder, rules, plan, functions) for folder in folders]
        usable = [scorer for scorer in scorers if scorer.find_masks(frames)]
        if through:
            frames = sorted(video.annotations)
            for scorer in usable:
                scorer.recorder = TrackRecorder(video, plan, merged=rules.merged)
        for index in frames if usable else ():
            labels = read_annotation(video, index)
            shapes: dict[int, Shape] = {}
            for scorer in usable:
                scorer.score(index, labels, shapes)
    except DatasetError as error:
        return [_without_scores(video, error.message) for _ in folders]
    return [scorer.finish(through) for scorer in scorers]


def read_annotation(video: VideoSequence, index: int) -> LabelMap | Layers:
    """The annotation of a frame: a label map (H, W) uint8, or masks that may overlap. Raises
    DatasetError if it is broken."""
    if video.layers:
        return read_layers(video.layers[index])
    try:
        labels = read_png_labels(video.annotations[index])
    except DatasetError:
        decoded = video.labels(index)  # binary annotations may be colours
        if decoded is None:
            raise
        return decoded
    return (labels != 0).view(np.uint8) if video.binary else labels


def _unscorable(
    video: VideoSequence, rules: Protocol, plan: dict[int, tuple[int, ...]], frames: list[int]
) -> str:
    if not plan:
        first = video.annotations[min(video.annotations)]
        return f"{video.name}: there is no object in the first annotation, {first}"
    if not frames:
        return (
            f"{video.name}: {len(video.annotations)} annotated frames leave none to score under "
            f"{rules.name}"
        )
    return ""


def _without_scores(video: VideoSequence, problem: str) -> SequenceScores:
    return SequenceScores(video.name, problems=[problem], unscorable=True)


class _Scorer:
    """One tracker's masks of one sequence, frame by frame; collects what is wrong with them."""

    def __init__(
        self,
        video: VideoSequence,
        folder: Path,
        rules: Protocol,
        plan: dict[int, tuple[int, ...]],
        metrics: Sequence[tuple[str, Callable[..., float]]],
    ) -> None:
        self.root = folder
        self.folder = folder / video.name if folder.is_dir() else folder
        self.names = [path.stem for path in video.frames]
        self.video, self.rules, self.metrics = video, rules, metrics
        self.objects = {obj: ObjectScores(obj, video.meta) for obj in plan}
        self.scored = {obj: frozenset(indices) for obj, indices in plan.items()}
        self.result = SequenceScores(video.name, identical=True)
        self.faults: dict[str, list[str]] = {}
        self.unreadable: dict[str, str] = {}
        self.strange: dict[int, list[str]] = {}
        self.recorder: TrackRecorder | None = None
        self.masks: Predictions | None = None
        self.looked_at = -1

    def find_masks(self, frames: Sequence[int]) -> bool:
        """Whether there is anything to score in `frames`."""
        try:
            self.masks = open_predictions(self.root, self.video)
        except DatasetError as error:
            hint = f". {error.hint}" if error.hint else ""
            self.result.problems.append(f"{self.video.name}: {error.message}{hint}")
            return False
        if self.masks is None:
            what = "no folder" if self.root.is_dir() else "no mask of it in"
            text = f"there is {what} {self.folder} ({len(frames)} frames expected)"
            inside = [path.parent for path in self.root.glob(f"*/{escape(self.video.name)}")]
            if inside:
                text += f"; {inside[0]} holds one"
            self.result.problems.append(f"{self.video.name}: {text}")
            return False
        self.looked_at = frames[len(frames) // 2]
        if strays := self.masks.strays:
            what = f"{_count(len(strays), 'mask')} of no frame ({some(strays)})"
            self.result.warnings.append(f"{self.video.name}: {what}, in {self.folder}")
        return True

    def score(self, index: int, annotation: LabelMap | Layers, shapes: dict[int, Shape]) -> None:
        """Score frame `index`; `shapes` holds what other trackers needed of the annotation."""
        needed = any(index in indices for indices in self.scored.values())
        prediction = self._read(index, annotation, needed)
        if prediction is None:
            return
        if self.recorder is not None:
            self.recorder.begin(index, annotation, prediction)
        for obj, scores in self.objects.items():
            if index in self.scored[obj]:
                self._score_object(index, obj, scores, annotation, prediction, shapes)
            elif self.recorder is not None:
                truth = self._annotated(obj, annotation, shapes)
                self.recorder.add(obj, truth, Shape(self._mask(obj, prediction)), {})

    def _read(
        self, index: int, annotation: LabelMap | Layers, needed: bool
    ) -> LabelMap | Layers | None:
        """The prediction of a frame, or None and the reason among the faults. A frame that the
        protocol does not score may be missing: a given one is taken as given then."""
        name = self.names[index]
        try:
            prediction = self.masks.read(index) if self.masks else None
        except DatasetError as error:
            self.unreadable[name] = error.message
            return None
        if prediction is None:
            if needed:
                self.faults.setdefault("missing", []).append(name)
                return None
            return annotation if index == min(self.video.annotations) else None
        if isinstance(prediction, Layers):
            if not prediction.masks:  # a file that says that nothing is there
                return Layers((annotation.shape[0], annotation.shape[1]), {})
            for obj, called in self.masks.names.items() if self.masks else ():
                if obj not in prediction.masks and index in self.scored.get(obj, ()):
                    self.faults.setdefault(f"of object {called} missing", []).append(name)
        if prediction.shape != annotation.shape:
            size, expected = (f"{m.shape[1]}x{m.shape[0]}" for m in (prediction, annotation))
            fault = f"of size {size} instead of {expected}"
            if prediction.shape == self._frame_size():
                where = self.video.annotations[index].parent
                fault = f"as large as the frame, {size}, but annotated in {expected} ({where})"
            self.faults.setdefault(fault, []).append(name)
            return None
        return prediction if isinstance(prediction, Layers) else self._checked(index, prediction)

    def _frame_size(self) -> tuple[int, int] | None:
        try:
            return self.video.size
        except DatasetError:  # frames need not be there to be scored
            return None

    def _checked(self, index: int, prediction: LabelMap) -> LabelMap | None:
        """A label map whose values can be scored, or None."""
        largest = int(prediction.max()) if prediction.size else 0
        if index == self.looked_at and (largest > 1 or (largest and 1 not in self.objects)):
            self._look_at(index, prediction)
        if self.rules.merged:
            return prediction
        if self.video.binary:
            foreground: LabelMap = (prediction != 0).view(np.uint8)
            return foreground
        if largest > max(self.objects) and any(index in of for of in self.scored.values()):
            self.strange.setdefault(largest, []).append(self.names[index])
            if self.rules.strict_ids:
                return None
        return prediction

    def _look_at(self, index: int, prediction: LabelMap) -> None:
        """Note what is odd about the values of one mask."""
        doubt = self.result.warnings.append
        where = f"{self.video.name}: mask {self.names[index]}"
        values = values_of(prediction[::2, ::2])  # a quarter of the pixels tells
        if levels := grey_levels(prediction, values):
            doubt(
                f"{where} holds {levels} grey levels: probabilities, or a smoothed mask? All "
                "above 0 counts; `vosbench import --threshold 0.5` cuts them at one half"
            )
        elif self.rules.merged or self.video.binary:
            odd = prediction.min() > 0 or VOID in values or not self.rules.merged
            if len(values) > 1 and odd:
                doubt(f"{where} holds the values {_ids(values)}, and all count as the object")
        elif strange := values - {VOID, *self.objects, *self.video.objects}:
            doubt(
                f"{where} shows ids that no object has: {_ids(strange)}, not {_ids(self.objects)}"
            )

    def _mask(self, obj: int, labels: LabelMap | Layers) -> LabelMap:
        if not self.rules.merged:
            return object_mask(labels, obj)
        return labels.label_map() if isinstance(labels, Layers) else labels

    def _annotated(
        self, obj: int, annotation: LabelMap | Layers, shapes: dict[int, Shape]
    ) -> Shape:
        if obj not in shapes:
            shapes[obj] = Shape(self._mask(obj, annotation))
        return shapes[obj]

    def _score_object(
        self,
        index: int,
        obj: int,
        scores: ObjectScores,
        annotation: LabelMap | Layers,
        prediction: LabelMap | Layers,
        shapes: dict[int, Shape],
    ) -> None:
        name = self.names[index]
        truth = self._annotated(obj, annotation, shapes)
        guess = Shape(self._mask(obj, prediction))
        values = self.rules.measure(truth, guess)
        if self.recorder is not None:
            self.recorder.add(obj, truth, guess, values)
        for metric, function in self.metrics:
            masks = (self._mask(obj, annotation) != 0, self._mask(obj, prediction) != 0)
            try:
                values[metric] = float(function(*masks))
            except Exception as error:
                raise PluginError(
                    f"metric {metric} failed on {self.video.name}, frame {name}, object {obj}: "
                    f"{error!r}"
                ) from error
        for measure, value in values.items():
            scores.values.setdefault(measure, []).append(value)
        scores.frames.append(name)
        scores.annotated.append(truth.area > 0)
        scores.predicted.append(guess.area > 0)
        if values["J"] < 1:
            self.result.identical = False

    def finish(self, through: Sequence[tuple[str, SequenceMetric]] = ()) -> SequenceScores:
        """All values, those of the metrics `through` the sequence included, or all problems."""
        result, name = self.result, self.video.name
        for fault, frames in self.faults.items():
            result.problems.append(f"{name}: {_list(frames)} {fault}, in {self.folder}")
        if self.unreadable:
            first = next(iter(self.unreadable.values()))
            result.problems.append(f"{name}: {_list([*self.unreadable])} unreadable: {first}")
        for largest, frames in self.strange.items():
            known = max(self.objects)
            text = f"{name}: {_list(frames)} with object id {largest}, where ids end at {known}"
            if largest == VOID:
                text += " (masks of 0 and 255 belong to the protocol davis2016)"
            elif largest in self.video.objects:
                text += " (it appears late: --protocol objects scores such objects)"
            (result.problems if self.rules.strict_ids else result.warnings).append(text)
        if result.problems:
            return result
        result.objects = self.rules.select(list(self.objects.values()))
        for obj in self.objects.keys() - {scores.object for scores in result.objects}:
            result.warnings.append(f"{name}: object {obj} has no frame to score and is left out")
        if not result.objects:
            result.problems.append(f"{name}: no object has a frame to score")
        result.warnings += [text for text in map(self._doubt, result.objects) if text]
        if self.recorder is not None:
            kept = [scores.object for scores in result.objects]
            tracks = self.recorder.tracks(kept)
            result.warnings += self.recorder.doubts()
            for metric, measure in through:
                try:
                    result.measured[metric] = measure.measure(tracks)
                except Exception as error:
                    raise PluginError(f"metric {metric} failed on {name}: {error!r}") from error
        return result

    def _doubt(self, scores: ObjectScores) -> str:
        """What is odd about an object's scores, or nothing."""
        who = f"{self.video.name}: object {scores.object}"
        there = [j for j, a in zip(scores.values["J"], scores.annotated, strict=True) if a]
        if not there and not any(scores.predicted) and scores.object not in self.video.objects:
            return f"{who} occurs in no mask at all, and counts as right under {self.rules.name}"
        if not there or max(there) > _TOUCHING:
            return ""
        if not any(scores.predicted):
            return f"{who} is never predicted"
        return f"{who} is predicted, but never where it is annotated: is the id right?"


def _list(frames: Sequence[str]) -> str:
    """The count and the first of some frames."""
    return f"{_count(len(frames), 'frame')} ({some(frames)})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


def _ids(values: Iterable[int]) -> str:
    return some([str(value) for value in sorted(values)], 8)
