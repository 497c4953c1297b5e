"""Which frames a page shows, and what it needs of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from vosbench.datasets.base import VideoSequence
from vosbench.datasets.predictions import Predictions, label_map
from vosbench.errors import EvaluationError
from vosbench.report.pictures import pack_image, pack_maps, scaled_size, thin
from vosbench.types import LabelMap

#: Sequences from which the size of a picture is estimated.
_SAMPLES = 8
_BASE64 = 4 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A sequence as a page shows it.

    Attributes:
        video: its frames and annotations.
        masks: for each run its masks, None where it has none.
        shown: indices of the frames that have pictures, ascending.
        size: (height, width) of the pictures.
    """

    video: VideoSequence
    masks: Sequence[Predictions | None]
    shown: Sequence[int]
    size: tuple[int, int]

    @classmethod
    def of(
        cls,
        video: VideoSequence,
        masks: Sequence[Predictions | None],
        width: int,
        count: int | None = None,
        keep: Collection[int] = (),
    ) -> Clip:
        """The frames that have masks; those that can be judged where only some are annotated, as
        YouTube-VOS annotates every fifth.

        Args:
            width: of the pictures in pixels; frames are never enlarged.
            count: keep so many, evenly spread, and those of `keep`; all if None.
        """
        indices = presentable(video, masks)
        if count is not None:
            indices = thin(indices, count, keep)
        size = scaled_size(*video.size, width) if indices else (1, 1)
        return cls(video=video, masks=masks, shown=indices, size=size)

    def picture(self, index: int) -> bytes:
        """Frame `index` as WebP."""
        return pack_image(self.video.frame(index).image, self.size)

    def maps(self, index: int) -> bytes:
        """The annotation and every run's prediction of frame `index`, see `pack_maps`.

        Raises:
            EvaluationError: a mask is not of the frame's size.
        """
        answers = [self._prediction(masks, index) for masks in self.masks]
        return pack_maps([self.video.labels(index), *answers], self.size)

    def _prediction(self, masks: Predictions | None, index: int) -> LabelMap | None:
        labels = None if masks is None else label_map(masks, index, self.video)
        if labels is not None and labels.shape != self.video.size:
            own, right = labels.shape[::-1], self.video.size[::-1]
            raise EvaluationError(
                f"mask {self.video.frames[index].stem} of {self.video.name} is {own[0]}x{own[1]}, "
                f"its frame {right[0]}x{right[1]}"
            )
        return labels


def presentable(video: VideoSequence, masks: Sequence[Predictions | None]) -> list[int]:
    """Indices of the frames for which there is a mask, annotated ones where there are several."""
    indices = sorted({index for found in masks if found for index in found.indices})
    if len(video.annotations) > 1:
        indices = [i for i in indices if i in video.annotations]
    return indices


def bytes_of_a_picture(clips: Sequence[Clip]) -> float:
    """What a picture with its label maps takes in the page, on average over a sample."""
    step = max(1, len(clips) // _SAMPLES)
    sizes = [
        _BASE64 * (len(clip.picture(index)) + len(clip.maps(index)))
        for clip in clips[::step][:_SAMPLES]
        if clip.shown
        for index in (clip.shown[len(clip.shown) // 2],)
    ]
    return sum(sizes) / len(sizes) if sizes else 0.0


def share(
    lengths: Mapping[str, int], total: int, least: int, order: Sequence[str]
) -> dict[str, int]:
    """Deals `total` pictures out to sequences: sequence -> how many it gets.

    All get the same number, short ones no more than they have. Where that would be fewer than
    `least`, only the first of `order` get any, `least` each.
    """
    names = [name for name in lengths if lengths[name]]
    if total < least * len(names):
        chosen = set(order[: max(1, total // least)])
        return {name: min(least, lengths[name]) for name in names if name in chosen}
    left, dealt = total, dict[str, int]()
    for place, name in enumerate(sorted(names, key=lambda name: lengths[name])):
        dealt[name] = min(lengths[name], left // (len(names) - place))
        left -= dealt[name]
    return {name: dealt[name] for name in names}
