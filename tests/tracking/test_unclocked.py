"""Reading through `ctx.video` is not the tracker's time."""

from __future__ import annotations

import time

import numpy as np
from PIL import Image

from vosbench.specs import Capabilities, TrackerSpec
from vosbench.testing import make_context, moving_discs
from vosbench.tracking.clip import Clip
from vosbench.tracking.session import Session
from vosbench.types import Frame, Prediction

NAP = 0.03


class Slow:
    """A video whose every frame takes a while to decode."""

    def __init__(self, video) -> None:
        self.video = video

    def __len__(self) -> int:
        return len(self.video)

    def __getitem__(self, index: int) -> Frame:
        time.sleep(NAP)
        return self.video[index]


class Whole:
    """Reads the whole video in `init`, as a folder too."""

    def init(self, frame, targets, ctx) -> None:
        self.labels = np.zeros(frame.size, np.uint8)
        self.frames = [ctx.video[i] for i in range(len(ctx.video))]
        self.folder = ctx.video.as_folder(ctx.scratch / "frames")
        self.files = [np.asarray(Image.open(path)) for path in sorted(self.folder.iterdir())]

    def track(self, frame, targets, ctx) -> Prediction:
        time.sleep(NAP)
        return Prediction.from_labels(self.labels)


def test_only_what_the_tracker_does_counts(tmp_path) -> None:
    sequence = moving_discs("discs", (32, 48), 5)
    clip = sequence.clip()
    slow = Clip(clip.name, Slow(sequence), clip.given)
    whole = Capabilities(access="video")
    spec = TrackerSpec(name="whole", factory=Whole, summary="Reads all.", capabilities=whole)
    ctx = make_context(spec, tmp_path)
    tracker = Whole()
    began = time.perf_counter()
    timings = Session(tracker, spec.capabilities).run(slow, ctx, lambda *_: None)
    assert time.perf_counter() - began > 15 * NAP
    assert timings.init < 5 * NAP  # ten frames were read in it
    assert sum(timings.track.values()) >= 4 * NAP
    assert len(tracker.frames) == len(tracker.files) == 5
    for frame, image in zip(tracker.frames, tracker.files, strict=True):
        assert np.abs(frame.image.astype(int) - image).mean() < 2


class Works:
    """Spends some milliseconds of processor time on each frame that it is given."""

    def init(self, frame, targets, ctx) -> None:
        self.labels = np.zeros(frame.size, np.uint8)
        self.work(frame)

    def work(self, frame) -> None:
        for _ in range(15):
            np.sort(frame.image, axis=None)

    def track(self, frame, targets, ctx) -> Prediction:
        self.work(frame)
        return Prediction.from_labels(self.labels)


class WorksOnAll(Works):
    """The same work, on frames that it reads itself, all of them at once."""

    def init(self, frame, targets, ctx) -> None:
        self.frames = [ctx.video[index] for index in range(len(ctx.video))]
        super().init(self.frames[0], targets, ctx)

    def track(self, frame, targets, ctx) -> Prediction:
        return super().track(self.frames[frame.index], targets, ctx)


def test_reading_all_frames_costs_no_speed(tmp_path, monkeypatch) -> None:
    """In processor time, which other programs change little; in turns, the quickest of each."""
    monkeypatch.setattr(time, "perf_counter", time.thread_time)
    sequence = moving_discs("discs", (96, 128), 8)
    files = [tmp_path / f"{index}.png" for index in range(len(sequence))]
    for image, file in zip(sequence.images, files, strict=True):
        Image.fromarray(image).save(file)

    class Decoded(Slow):
        def __getitem__(self, index: int) -> Frame:
            images = [np.asarray(Image.open(files[index])) for _ in range(20)]  # takes long
            return Frame(images[-1], index, f"{index}")

    clip = Clip("discs", Decoded(sequence), sequence.clip().given)
    seconds: dict[type, list[float]] = {Works: [], WorksOnAll: []}
    for _ in range(8):
        for kind, taken in seconds.items():
            whole = Capabilities(access="video" if kind is WorksOnAll else "streaming")
            spec = TrackerSpec(name="works", factory=kind, summary="Works.", capabilities=whole)
            ctx = make_context(spec, tmp_path)
            taken.append(Session(kind(), whole).run(clip, ctx, lambda *_: None).total)
    ratio = min(seconds[Works]) / min(seconds[WorksOnAll])
    assert 0.9 < ratio < 1.1
