"""What a tracker is handed of one sequence: its frames, read ahead, and the given masks."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.backports import dataclass
from vosbench.errors import DatasetError
from vosbench.tracking.timing import Stopwatch
from vosbench.types import Frame, Targets, Video

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence

#: Frames decoded ahead of the tracker.
DEPTH = 4


@dataclass(frozen=True, slots=True)
class Clip:
    """One sequence without its ground truth.

    Attributes:
        name: of the sequence.
        video: its frames by index.
        given: frame index -> masks (H, W) bool of the objects that start there.
    """

    name: str
    video: Video
    given: Mapping[int, Targets]

    @classmethod
    def of(cls, sequence: VideoSequence) -> Clip:
        """The clip of a dataset's sequence; annotations of later frames stay out of it."""
        return cls(sequence.name, _Files(sequence.frames), given_masks(sequence))

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of all objects in the order in which they appear, then by id."""
        return tuple(obj for index in sorted(self.given) for obj in sorted(self.given[index]))


@dataclass(frozen=True, slots=True)
class _Files:
    """Frames only: nothing here leads to the annotations."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Frame:
        from vosbench.datasets.reading import read_image

        index = range(len(self.paths))[index]
        path = self.paths[index]
        return Frame(read_image(path), index, path.stem)


def given_masks(sequence: VideoSequence) -> dict[int, Targets]:
    """Frame index -> the masks that the protocol gives away there.

    Raises:
        DatasetError: no object has a mask, so that there is nothing to track.
    """
    starts = sorted(set(sequence.objects.values()))
    given: dict[int, Targets] = {start: sequence.targets(start) for start in starts}
    given = {start: targets for start, targets in given.items() if targets}
    if not given:
        raise DatasetError(f"sequence {sequence.name} gives no object a mask: nothing to track")
    return given


@contextlib.contextmanager
def prefetched(video: Video, start: int) -> Iterator[Iterator[Frame]]:
    """Frames `start` to the end, decoded by a thread up to `DEPTH` ahead, images read-only.

    An error while reading is raised where the frame would have been.
    """
    ready: queue.Queue[Frame | BaseException | None] = queue.Queue(DEPTH)
    stopped = threading.Event()

    def put(item: Frame | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for index in range(start, len(video)):
                frame = video[index]
                frame.image.flags.writeable = False
                if not put(frame):
                    return
            put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            put(error)

    def frames() -> Iterator[Frame]:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    reader = threading.Thread(target=read, name="prefetch", daemon=True)
    reader.start()
    try:
        yield frames()
    finally:
        stopped.set()
        reader.join()


@dataclass(frozen=True, slots=True)
class UnclockedVideo:
    """All frames of a clip, as a tracker may read them: reading stops its clock."""

    video: Video
    watch: Stopwatch

    def __len__(self) -> int:
        return len(self.video)

    def __getitem__(self, index: int) -> Frame:
        with self.watch.paused():
            return self.video[index]

    def as_folder(self, folder: Path) -> Path:
        """See `vosbench.types.TrackerVideo`."""
        with self.watch.paused():
            return _write_pictures(self.video, folder)


@dataclass(slots=True)
class FramesSoFar:
    """The frames of a clip up to frame `now`, as a tracker may read them again: a sequence that
    grows. Those to come are not in it, nor is their number. Reading stops the tracker's clock."""

    video: UnclockedVideo
    now: int

    def __len__(self) -> int:
        return self.now + 1

    def __getitem__(self, index: int) -> Frame:
        if index > self.now:
            raise IndexError(f"frame {index} is yet to come: this tracker sees frames as they come")
        return self.video[range(len(self))[index]]

    def as_folder(self, folder: Path) -> Path:
        """See `vosbench.types.TrackerVideo`."""
        with self.video.watch.paused():
            return _write_pictures(self, folder)


def _write_pictures(video: Video, folder: Path) -> Path:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for index in range(len(video)):
        image = Image.fromarray(video[index].image)
        image.save(folder / f"{index:05d}.jpg", quality=100, subsampling=0)
    return folder
