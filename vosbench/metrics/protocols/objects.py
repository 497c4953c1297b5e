"""The protocol of folders that no official one fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vosbench.metrics.protocols.base import Protocol

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence


class Objects(Protocol):
    """The objects that occur, whatever their ids, each in the annotated frames after the one in
    which its mask is given; the mean is over objects."""

    name = "objects"
    summary = "objects that occur, each in the frames after it is given, mean over objects"
    official = False

    def plan(self, video: VideoSequence) -> dict[int, tuple[int, ...]]:
        indices = sorted(video.annotations)
        return {
            obj: tuple(i for i in indices if i > start)
            for obj, start in sorted(video.objects.items())
        }
