"""Fusing sessions one after the other gives what fusing them at once would, in little space."""

from __future__ import annotations

import logging

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench import Capabilities, Context, Prediction
from vosbench.tracking.canvas import Canvas
from vosbench.tracking.clip import Clip
from vosbench.tracking.session import Session
from vosbench.types import Frame

LEVELS = np.array([0, 0.2, 0.5, np.nextafter(np.float32(0.5), 1), 0.75, 0.9, 1], np.float32)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans())
@settings(max_examples=60)
def test_it_is_the_label_map_of_all_scores_together(tmp_path_factory, seed, objects, hard):
    random = np.random.default_rng(seed)
    levels = LEVELS[[0, -1]] if hard else LEVELS
    scores = random.choice(levels, (objects, 5, 7))
    scores[:, :, : random.integers(0, 7)] = 0
    canvas = Canvas(tmp_path_factory.mktemp("canvas"))
    ids = [3 * k + 1 for k in range(objects)]
    for obj, score in zip(ids, scores, strict=True):
        if hard:
            canvas.add(0, Prediction.from_labels((score > 0.5).astype(np.uint8) * obj), (5, 7))
        else:
            canvas.add(0, Prediction.from_probabilities([obj], score[None]), (5, 7))
    together = Prediction.from_probabilities(ids, scores).label_map()
    assert np.array_equal(canvas.labels(0, (5, 7)), together)
    assert not canvas.labels(1, (2, 3)).any()


def test_a_long_video_takes_little_space(tmp_path):
    rows, columns = np.ogrid[:480, :854]
    disc = (rows - 240) ** 2 + (columns - 400) ** 2 < 80**2
    blurred = np.where(disc, np.linspace(0.6, 1, 854, dtype=np.float32), 0.1)
    canvas = Canvas(tmp_path)
    for index in range(10):
        for obj in (1, 2, 3):
            canvas.add(index, Prediction.from_probabilities([obj], blurred[None]), (480, 854))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 10 * 100e3  # of 2.05 MB a frame as arrays of labels and float32


class Zooming:
    """A video whose frames change their size."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        height, width = 20 + 4 * index, 30 + 2 * index
        return Frame(np.zeros((height, width, 3), np.uint8), index, f"{index:05d}")


class Everything:
    def init(self, frame, targets, ctx):
        self.obj = min(targets)

    def track(self, frame, targets, ctx):
        return Prediction.from_labels(np.full(frame.size, self.obj, np.uint8))


def test_frames_may_change_their_size(tmp_path):
    (tmp_path / "scratch").mkdir()
    ctx = Context("cpu", 0, {}, tmp_path / "scratch", logging.getLogger("test"))
    masks = {index: np.ones(Zooming()[index].size, bool) for index in (1, 3)}
    clip = Clip("zooming", Zooming(), {1: {1: masks[1]}, 3: {2: masks[3]}})
    for capabilities in (Capabilities(), Capabilities(multi_object=False)):
        shown = []
        Session(Everything(), capabilities).run(
            clip, ctx, lambda index, labels, _, shown=shown: shown.append(labels)
        )
        assert [labels.shape for labels in shown] == [Zooming()[i].size for i in range(5)]
        assert [int(labels.max()) for labels in shown] == [0, 1, 1, 2, 1]
