"""Trackers that are generators: `track_all(video, given, ctx)` as `init` and `track`."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from vosbench.types import Context, Frame, LabelMap, Prediction, Targets, TrackerVideo


class _FromStart:
    """A video whose iteration begins with the first frame that has objects."""

    def __init__(self, video: TrackerVideo, start: int) -> None:
        self._video = video
        self._start = start

    def __len__(self) -> int:
        return len(self._video)

    def __getitem__(self, index: int) -> Frame:
        return self._video[index]

    def __iter__(self) -> Iterator[Frame]:
        index = self._start
        while index < len(self._video):  # which may grow
            yield self._video[index]
            index += 1

    def as_folder(self, folder: Path) -> Path:
        return self._video.as_folder(folder)


class Generated:
    """A plain tracker made of one with `track_all`, see `vosbench.types.Tracker`."""

    def __init__(self, tracker: Any) -> None:
        self._tracker = tracker
        self._steps: Generator[Prediction | None] | None = None
        self._given: dict[int, Targets] = {}

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Start the generator and let it learn the first objects."""
        self._given = {frame.index: targets}
        assert ctx.video is not None  # the session sees to it
        video = _FromStart(ctx.video, frame.index)
        self._steps = self._tracker.track_all(video, self._given, ctx)
        self._next(frame)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction | None:  # noqa: ARG002
        """What the generator yields next."""
        if targets:
            self._given[frame.index] = targets
        return self._next(frame)

    def update(self, frame: Frame, prediction: LabelMap, ctx: Context) -> None:
        """Pass on, to trackers that have it."""
        self._tracker.update(frame, prediction, ctx)

    def close(self, ctx: Context) -> None:
        """End the generator, which may be in the middle of the video."""
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        if hasattr(self._tracker, "close"):
            self._tracker.close(ctx)

    def _next(self, frame: Frame) -> Prediction | None:
        assert self._steps is not None
        try:
            return next(self._steps)
        except StopIteration:
            raise RuntimeError(
                f"track_all yielded nothing for frame {frame.name}: it yields once for each frame "
                "from the first with objects on, before it reads the next"
            ) from None
