"""What passes between the harness and a tracker.

Images are RGB uint8 (H, W, 3); masks are bool (H, W); label maps are uint8 (H, W) where 0 is
background and 1..254 are object ids (255 is void in annotations and never an object).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vosbench.backports import dataclass, file_digest, zip
from vosbench.specs import OptionValue

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
LabelMap = NDArray[np.uint8]
Scores = NDArray[np.float32]

#: Object id -> mask (H, W), for the objects that the protocol gives away in this frame.
#: Empty on most frames. Ids are the annotation's own, 1..254, not necessarily contiguous.
Targets = Mapping[int, Mask]

VOID = 255

#: A numpy array, or a torch tensor (numpy's own type knows nothing of those).
ArrayLike = Any


def _array(values: ArrayLike) -> NDArray[Any]:
    """A tensor as a numpy array; torch itself is not needed for that."""
    if hasattr(values, "detach"):
        values = values.detach()
        if values.is_floating_point():
            values = values.float()  # numpy has no bfloat16
        values = values.cpu().numpy()
    return np.asarray(values)


def label_map(targets: Targets, size: tuple[int, int]) -> LabelMap:
    """Masks as one label map (H, W): objects that come later in `targets` lie over earlier ones."""
    labels = np.zeros(size, np.uint8)
    for obj, mask in targets.items():
        labels[mask] = obj
    return labels


@dataclass(frozen=True, slots=True)
class Frame:
    """One video frame.

    Attributes:
        image: RGB uint8 (H, W, 3) at native size, read-only.
        index: position in the sequence, from 0.
        name: file name without suffix, e.g. "00012".
    """

    image: Image
    index: int
    name: str

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A tracker's answer for one frame: labels, or one probability map per object.

    Build it with `from_labels`, `from_probabilities`, `from_logits` or `from_softmax`. They take
    numpy arrays, and torch tensors of any type, on any device, with gradients or without.

    Attributes:
        labels: (H, W) uint8, 0 for background; None if `scores` are given.
        ids: the object id of each channel of `scores`.
        scores: (K, H, W) float32 probabilities in [0, 1]; None if `labels` are given.
        variants: further predictions of the same frame by name ("iterations=10"), for trackers
            that answer several values of an option in one run (`Capabilities.snapshots`).
    """

    labels: LabelMap | None = None
    ids: tuple[int, ...] = ()
    scores: Scores | None = None
    variants: Mapping[str, Prediction] = field(default_factory=dict)

    @classmethod
    def from_labels(cls, labels: ArrayLike) -> Prediction:
        """From a label map (H, W) of any integer type with values in 0..254."""
        labels = _array(labels)
        if labels.dtype.kind not in "iu":
            raise ValueError(f"labels must be integers (object ids), not {labels.dtype}")
        if labels.size and (labels.min() < 0 or labels.max() >= VOID):
            raise ValueError(f"labels must lie in 0..254, not {labels.min()}..{labels.max()}")
        return cls(labels=labels.astype(np.uint8, copy=False))

    @classmethod
    def from_probabilities(cls, ids: Sequence[int], probabilities: ArrayLike) -> Prediction:
        """From object probabilities (K, H, W) in [0, 1]; channel k belongs to `ids[k]`."""
        return cls(ids=tuple(ids), scores=np.asarray(_array(probabilities), dtype=np.float32))

    @classmethod
    def from_softmax(cls, ids: Sequence[int], probabilities: ArrayLike) -> Prediction:
        """From probabilities (K + 1, H, W) that sum to 1, background first; channel k + 1 belongs
        to `ids[k]`. Each pixel goes to the largest, be it above one half or not.

        Raises:
            ValueError: there is not one channel more than ids.
        """
        maps = _array(probabilities)
        if len(maps) != len(ids) + 1:
            raise ValueError(f"{len(ids)} ids need {len(ids) + 1} channels, not {len(maps)}")
        return cls(labels=np.array((0, *ids), np.uint8)[maps.argmax(axis=0)])

    @classmethod
    def from_logits(cls, ids: Sequence[int], logits: ArrayLike) -> Prediction:
        """From per-object logits (K, H, W); 0 is probability one half."""
        with np.errstate(over="ignore"):
            probabilities = 1.0 / (1.0 + np.exp(-np.asarray(_array(logits), dtype=np.float32)))
        return cls.from_probabilities(ids, probabilities)

    def label_map(self) -> LabelMap:
        """Labels (H, W): in each pixel the object of highest probability if that is above one
        half (first in `ids` on ties), else background. This is the fusion of e-OSVOS (NeurIPS
        2020, sec. 3.3): maximum over the objects' pixel probabilities.
        """
        if self.labels is not None:
            return self.labels
        if self.scores is None:
            raise ValueError("a Prediction needs labels or scores")
        size = self.scores.shape[-2:]
        labels, best = np.zeros(size, np.uint8), np.full(size, 0.5, np.float32)
        for obj, probability in zip(self.ids, self.scores, strict=True):
            paint(labels, best, obj, probability)
        return labels


def paint(labels: LabelMap, best: Scores, obj: int, probability: Scores) -> None:
    """Give object `obj` the pixels of `labels` in which its `probability` exceeds `best`, and
    raise `best` there. All are (H, W) and changed in place; start from 0 and one half."""
    won = probability > best
    np.copyto(best, probability, where=won)
    np.copyto(labels, np.uint8(obj), where=won)


class Video(Protocol):
    """Frames of a sequence by index: all of them for trackers with `access="video"`, those so far
    with `access="causal"`."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Frame: ...


class TrackerVideo(Video, Protocol):
    """What `ctx.video` is: reading from it does not count as the tracker's time."""

    def as_folder(self, folder: Path) -> Path:
        """Write all frames as `00000.jpg`, `00001.jpg`, ... (quality 100, full chroma) for trackers
        that read a folder; returns it. Does not count as the tracker's time either."""
        ...


@dataclass(slots=True)
class Context:
    """What the harness gives a tracker besides frames and targets.

    Attributes:
        device: torch device string, "cpu" or "cuda" or "cuda:1".
        seed: already applied to `random`, numpy and (if imported) torch before each sequence.
        options: every declared option with its value; read-only.
        scratch: an empty folder of the tracker's own, removed after the sequence.
        logger: messages land in the run's log.
        sequence: name of the sequence being tracked; "" while the factory runs.
        video: for trackers with `access="causal"` or `access="video"`, see `Video`.
        snapshots: option name -> values that this run shall answer through
            `Prediction.variants`, keyed "name=value"; only for options in
            `Capabilities.snapshots`.
        on_file: called by `used_file`. on_snapshot: called by `snapshot_ready`. on_progress: called
            by `progress`. Set by the harness.
    """

    device: str
    seed: int
    options: Mapping[str, OptionValue]
    scratch: Path
    logger: logging.Logger
    sequence: str = ""
    video: TrackerVideo | None = None
    snapshots: Mapping[str, tuple[OptionValue, ...]] = field(default_factory=dict)
    on_file: Callable[[Path, str], None] | None = None
    on_snapshot: Callable[[str], None] | None = None
    on_progress: Callable[[float], None] | None = None

    def __post_init__(self) -> None:
        """What is handed to a tracker once must not change under the next sequence."""
        self.options = MappingProxyType(dict(self.options))
        self.snapshots = MappingProxyType(dict(self.snapshots))

    def progress(self, done: float) -> None:
        """Say that a long call advances: `done` is a count that grows within the call, such as the
        steps of fine-tuning so far. Each renews the call's time limit (`--timeout`)."""
        if self.on_progress is not None:
            self.on_progress(done)

    def used_file(self, path: Path) -> None:
        """Record that the result depends on `path` (weights): its SHA-256 goes into the run."""
        if self.on_file is not None:
            with path.open("rb") as stream:
                digest = file_digest(stream, "sha256").hexdigest()
            self.on_file(path, digest)

    def snapshot_ready(self, name: str) -> None:
        """Note the time at which a snapshot ("iterations=10") is ready, since the call began."""
        if self.on_snapshot is not None:
            self.on_snapshot(name)

    def mark(self, name: str) -> None:
        """Deprecated name of `snapshot_ready`."""
        warnings.warn("ctx.mark is now ctx.snapshot_ready", DeprecationWarning, stacklevel=2)
        self.snapshot_ready(name)


class Tracker(Protocol):
    """A tracker as a plain class. `update` and `close` may be left out.

    Instead of `init` and `track` it may have `track_all(video, given, ctx)`, a generator that
    yields a `Prediction` for each frame of `video`, the first with objects included (what it yields
    there does not count). `video` is `ctx.video`, iterated from that frame on; `given` holds the
    targets by frame index as they become known. It declares `access="causal"`, or "video" if it
    reads ahead.

    The factory is called once per worker process; then, for each sequence, `init` once, `track`
    for each later frame in order, `update` after each `track`, and `close` at the end.
    """

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Learn the objects of the first frame. State of an earlier sequence is forgotten."""

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Predict all known objects in `frame`. `targets` holds objects that appear only now;
        their given masks replace whatever is predicted for them in this frame."""
        ...

    def update(self, frame: Frame, prediction: LabelMap, ctx: Context) -> None:
        """Learn from the final label map (H, W) of the frame just tracked (online adaptation)."""

    def close(self, ctx: Context) -> None:
        """The sequence is over."""
