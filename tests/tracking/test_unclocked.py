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
