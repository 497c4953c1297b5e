"""The shapes of a sequence as they are scored, kept for the metrics that see all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from vosbench.datasets.base import VideoSequence
from vosbench.datasets.masks import Layers, object_mask
from vosbench.metrics.contour import Shape
from vosbench.metrics.tracks import SequenceTracks, Track
from vosbench.types import VOID, LabelMap

Pair = tuple[Shape, Shape]


class TrackRecorder:
    """Collects one tracker's masks of one sequence.

    Args:
        plan: object id -> indices of the frames in which the protocol scores it.
        merged: whether all ids are one object.
    """

    def __init__(
        self, video: VideoSequence, plan: Mapping[int, Sequence[int]], *, merged: bool
    ) -> None:
        self.video, self.plan, self.merged = video, plan, merged
        self.indices: list[int] = []
        self.size = (0, 0)
        self.pairs: dict[int, list[Pair]] = {obj: [] for obj in plan}
        self.values: dict[int, list[Mapping[str, float]]] = {obj: [] for obj in plan}
        self.others: dict[int, dict[int, Pair]] = {}

    def begin(
        self, index: int, annotation: LabelMap | Layers, prediction: LabelMap | Layers
    ) -> None:
        """A frame begins: `add` follows for each object of the plan."""
        self.indices.append(index)
        self.size = (annotation.shape[0], annotation.shape[1])
        if not self.merged:
            self._add_others(index, annotation, prediction)

    def add(self, obj: int, truth: Shape, guess: Shape, values: Mapping[str, float]) -> None:
        """One object in the frame begun; `values` is empty where the protocol does not score it."""
        self.pairs[obj].append((truth, guess))
        self.values[obj].append(dict(values))

    def tracks(self, objects: Collection[int]) -> SequenceTracks:
        """What was collected; `objects` are those that the protocol kept."""
        count = len(self.indices)
        empty = Shape(np.zeros(self.size, np.uint8))
        tracks = {obj: self._track(obj, self.pairs[obj]) for obj in self.plan if obj in objects}
        others = {
            obj: self._track(obj, [found.get(index, (empty, empty)) for index in self.indices])
            for obj, found in sorted(self.others.items())
        }
        frames = [self.video.frames[index].stem for index in self.indices]
        assert all(len(track) == count for track in tracks.values())
        return SequenceTracks(
            sequence=self.video.name, frames=frames, size=self.size, tracks=tracks, others=others
        )

    def doubts(self) -> list[str]:
        """What the reader of the scores should know."""
        missing = [i for i in self.video.annotations if i not in self.indices]
        if not missing:
            return []
        names = ", ".join(self.video.frames[i].stem for i in sorted(missing))
        return [f"{self.video.name}: no mask of frame {names}: measures of all frames go without"]

    def _track(self, obj: int, pairs: Sequence[Pair]) -> Track:
        values = self.values.get(obj, [])
        names = next((list(row) for row in values if row), [])
        start = self.video.objects.get(obj, self.indices[0])
        before = [n for n, index in enumerate(self.indices) if index <= start]
        return Track(
            object=obj,
            given=before[-1] if before else 0,
            annotations=[truth for truth, _ in pairs],
            predictions=[guess for _, guess in pairs],
            values={name: np.array([row.get(name, np.nan) for row in values]) for name in names},
        )

    def _add_others(
        self, index: int, annotation: LabelMap | Layers, prediction: LabelMap | Layers
    ) -> None:
        for obj in sorted({*self._unplanned(annotation), *self._unplanned(prediction)}):
            masks = (object_mask(labels, obj) for labels in (annotation, prediction))
            truth, guess = map(Shape, masks)
            self.others.setdefault(obj, {})[index] = (truth, guess)

    def _unplanned(self, labels: LabelMap | Layers) -> list[int]:
        """Ids that occur and are not planned. Mostly there are none, and a maximum tells."""
        if isinstance(labels, Layers):
            return [o for o, mask in labels.masks.items() if o not in self.plan and mask.any()]
        largest = int(labels.max(initial=0))
        if largest == VOID:
            largest = int(labels[labels != VOID].max(initial=0))
        candidates = [obj for obj in range(1, largest + 1) if obj not in self.plan]
        return [obj for obj in candidates if (labels == obj).any()]
