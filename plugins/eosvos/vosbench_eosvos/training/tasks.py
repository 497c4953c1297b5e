"""Tasks for meta-training: one object in a training frame and in another frame.

From videos: two frames of a sequence. From photos: two views of one photo, with an instance of
another image put in, which gives the objects more variety than a few dozen videos have. Other
instances are background to the task, so that it teaches to tell the object from its like.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from vosbench_eosvos.imagined import imagined_view
from vosbench_learning.corpus import Corpus, Image, Labels
from vosbench_learning.views import (
    Random,
    Target,
    View,
    ViewSettings,
    jitter_colour,
    paste,
    random_scale,
    random_view,
    view_of,
)


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """Where tasks come from and how their frames are seen.

    Attributes:
        videos: share of tasks from videos, the rest are from photos.
        distractor: probability that an instance of another image is put into both frames.
        view: of the training frame.
        drift: how much more the test frame of a photo is changed than its training frame
            (magnification, as a logarithm).
        zoom: magnification of a frame against its task's, as a logarithm.
        task_colour: colour change shared by the frames of a task.
        imagined: share of tasks that learn as the tracker does of an object that is alone: in every
            other step from a new view of the training frame.
    """

    videos: float = 0.6
    distractor: float = 0.35
    view: ViewSettings = field(
        default_factory=lambda: ViewSettings(
            size=(384, 640),
            side=(60.0, 340.0),
            coverage=1.0,
            rotation=10.0,
            stretch=0.08,
            colour=0.08,
        )
    )
    drift: float = 0.25
    zoom: float = 0.15
    task_colour: float = 0.2
    imagined: float = 0.6


@dataclass(frozen=True)
class Task:
    """Images (1, 3, H, W) uint8 with the one object that the task is about.

    Attributes:
        train: the training frame, then the views of it that inner steps learn from, if any.
        test: the test frame.
    """

    train: tuple[tuple[Tensor, Target], ...]
    test: tuple[Tensor, Target]

    def turn(self, step: int) -> int:
        """Which of `train` inner step `step` learns from: the frame and a new view in turn."""
        return 1 + step // 2 % (len(self.train) - 1) if step % 2 and len(self.train) > 1 else 0


class TaskSampler:
    """Draws tasks; equal generators give equal tasks."""

    def __init__(self, corpus: Corpus, settings: TaskSettings) -> None:
        self._corpus = corpus
        self._settings = settings
        self._photos = corpus.photos()
        self._videos = [v for v in corpus.sequences().values() if len(v) > 1]

    def task(self, random: Random, steps: int) -> Task:
        """A task of `steps` inner steps whose object is visible in both frames."""
        while True:
            if not self._photos or (self._videos and random.random() < self._settings.videos):
                pair = self._from_video(random)
            else:
                pair = self._from_photo(random)
            if pair is not None:
                train, test, chosen = pair
                count = steps // 2 if random.random() < self._settings.imagined else 0
                views = (_imagined(train, chosen, random) for _ in range(count))
                return Task(
                    tuple(_shown(view, chosen) for view in (train, *views)), _shown(test, chosen)
                )

    def _from_video(self, random: Random) -> tuple[View, View, int] | None:
        settings = self._settings
        video = self._videos[random.integers(len(self._videos))]
        first, second = (int(i) for i in random.choice(video, 2, replace=False))
        item = self._corpus.items[first]
        chosen = int(random.choice(item.objects))
        if chosen not in self._corpus.items[second].objects:
            return None
        scale = random_scale(self._corpus[first][1], chosen, settings.view, random)
        flip = bool(random.random() < 0.5)
        views = []
        tint = int(random.integers(2**31))
        for index in (first, second):
            image, labels = self._corpus[index]
            zoom = float(np.exp(random.uniform(-settings.zoom, settings.zoom)))
            view = view_of(
                image, labels, chosen, settings.view, random, scale=scale * zoom, flip=flip
            )
            views.append(self._tinted(view, tint))
        if random.random() < settings.distractor:
            other = random_view(*self._any_item(random), settings.view, random)
            chosen_other = int(random.integers(max(1, len(other.ids))))
            views = [_with_distractor(v, other, chosen_other, random) for v in views]
        return _both_show(views[0], views[1], chosen)

    def _from_photo(self, random: Random) -> tuple[View, View, int] | None:
        settings = self._settings
        index = int(random.choice(self._photos))
        plain = replace(settings.view, rotation=0.0, colour=0.0, shift=0.15)
        scene = random_view(*self._corpus[index], plain, random)
        if random.random() < settings.distractor:
            scene = paste(scene, random_view(*self._any_item(random), plain, random), random)
        if not scene.ids:
            return None
        chosen = int(random.choice(scene.ids))
        tint = int(random.integers(2**31))
        views = []
        for drift in (0.0, settings.drift):
            spread = settings.zoom + drift
            moved = replace(
                settings.view, shift=0.1 + drift, rotation=settings.view.rotation + 30 * drift
            )
            view = view_of(
                scene.image,
                scene.labels,
                chosen,
                moved,
                random,
                scale=float(np.exp(random.uniform(-0.5 * spread, spread))),
                flip=False,
            )
            views.append(self._tinted(view, tint))
        return _both_show(views[0], views[1], chosen)

    def _tinted(self, view: View, seed: int) -> View:
        random = np.random.default_rng(seed)
        image = jitter_colour(view.image, self._settings.task_colour, random)
        return View(image, view.masks, view.ids)

    def _any_item(self, random: Random) -> tuple[Image, Labels]:
        return self._corpus[int(random.integers(len(self._corpus)))]


def _with_distractor(view: View, other: View, chosen: int, random: Random) -> View:
    """`view` with instance number `chosen` of `other` moved to a random place."""
    if not other.ids:
        return view
    height, width = view.image.shape[:2]
    dy, dx = (int(random.integers(-s // 3, s // 3)) for s in (height, width))
    image = np.roll(other.image, (dy, dx), (0, 1))
    mask = np.zeros_like(other.masks[chosen])
    source = other.masks[chosen]
    mask[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = source[
        max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
    ]
    if not mask.any():
        return view
    return paste(view, View(image, mask[None], (1,)), random)


def _imagined(view: View, chosen: int, random: Random) -> View:
    image, mask = imagined_view(view.image, view.masks[view.ids.index(chosen)], random)
    return View(image, mask[None], (chosen,))


def _shown(view: View, chosen: int) -> tuple[Tensor, Target]:
    return view.tensor()[None], view.target((chosen,))


def _both_show(train: View, test: View, chosen: int) -> tuple[View, View, int] | None:
    return (train, test, chosen) if chosen in train.ids and chosen in test.ids else None
