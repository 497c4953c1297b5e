"""A session hands a tracker what the protocol gives, times it and believes nothing it says."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench import Capabilities, Context, Prediction, hookimpl
from vosbench.errors import DatasetError, PluginError
from vosbench.testing.synthetic import moving_discs
from vosbench.tracking.session import Session, TrackerFailure
from vosbench.types import paint


@pytest.fixture
def ctx(tmp_path):
    (tmp_path / "scratch").mkdir()
    return Context("cpu", 0, {}, tmp_path / "scratch", logging.getLogger("test"))


class Copies:
    """Repeats the given masks and writes down its calls."""

    def __init__(self):
        self.calls = []

    def init(self, frame, targets, ctx):
        self.calls.append(("init", frame.index, sorted(targets)))
        self.masks = dict(targets)

    def track(self, frame, targets, ctx):
        self.calls.append(("track", frame.index, sorted(targets)))
        self.masks |= targets
        scores = np.stack([mask * 0.9 for mask in self.masks.values()])
        return Prediction.from_probabilities(list(self.masks), scores)

    def update(self, frame, prediction, ctx):
        self.calls.append(("update", frame.index, prediction.max()))

    def close(self, ctx):
        self.calls.append(("close",))


def run(tracker, clip, ctx, capabilities=None, **kwargs):
    frames, variants = [], []

    def emit(index, labels, others):
        assert index == len(frames)
        frames.append(labels)
        variants.append(others)

    timings = Session(tracker, capabilities or Capabilities(), **kwargs).run(clip, ctx, emit)
    return np.stack(frames), timings, variants


def test_calls_come_in_order_with_late_objects(ctx):
    tracker = Copies()
    clip = moving_discs("a", (24, 32), 4, {3: 0, 7: 2}).clip()
    labels, timings, _ = run(tracker, clip, ctx)
    assert tracker.calls == [
        ("init", 0, [3]),
        ("track", 1, []),
        ("update", 1, 3),
        ("track", 2, [7]),
        ("update", 2, 7),
        ("track", 3, []),
        ("update", 3, 7),
        ("close",),
    ]
    assert sorted(timings.track) == sorted(timings.update) == [1, 2, 3]
    assert timings.total >= timings.init > 0
    assert np.array_equal(labels[0] == 3, clip.given[0][3])
    assert np.array_equal(labels[2] == 7, clip.given[2][7])


def test_given_masks_replace_what_is_predicted(ctx):
    class Floods(Copies):
        def track(self, frame, targets, ctx):
            return Prediction.from_labels(np.full(frame.size, 1 if frame.index < 2 else 2))

    clip = moving_discs("a", (24, 32), 4, {1: 0, 2: 2}).clip()
    labels, *_ = run(Floods(), clip, ctx)
    assert np.array_equal(labels[0] == 1, clip.given[0][1])
    assert (labels[1] == 1).all()
    assert np.array_equal(labels[2], np.where(clip.given[2][2], 2, 0))
    assert (labels[3] == 2).all()


def test_frames_before_the_first_object_are_background(ctx):
    tracker = Copies()
    labels, *_ = run(tracker, moving_discs("a", (24, 32), 4, {1: 2}).clip(), ctx)
    assert labels[:2].max() == 0
    assert labels[2].max() == 1
    assert tracker.calls[0] == ("init", 2, [1])


def test_a_tracker_may_go_on_writing_into_what_it_returned(ctx):
    class Reuses(Copies):
        def track(self, frame, targets, ctx):
            if frame.index == 1:
                self.labels = np.zeros(frame.size, np.uint8)
            self.labels[:] = frame.index % 2
            return Prediction(labels=self.labels)

    labels, *_ = run(Reuses(), moving_discs("a", (24, 32), 4).clip(), ctx)
    assert [frame.max() for frame in labels[1:]] == [1, 0, 1]


@pytest.mark.parametrize("capability", ["multi_object", "late_objects"])
def test_wrapped_gives_what_a_capable_tracker_gives(ctx, capability):
    clip = moving_discs("a", (40, 32), 5, {3: 0, 7: 2, 9: 2}).clip()
    expected, *_ = run(Copies(), clip, ctx)
    tracker = Copies()
    lacking = Capabilities(**{capability: False})
    labels, timings, _ = run(tracker, clip, ctx, lacking)
    assert np.array_equal(labels, expected)
    inits = [call for call in tracker.calls if call[0] == "init"]
    by_object = [("init", 0, [3]), ("init", 2, [7]), ("init", 2, [9])]
    by_group = [("init", 0, [3]), ("init", 2, [7, 9])]
    assert inits == (by_object if capability == "multi_object" else by_group)
    assert sorted(timings.track) == [1, 2, 3, 4]
    assert "session per" in Session(tracker, lacking).wrapped(clip)


def test_one_object_needs_no_wrapping():
    clip = moving_discs("a", (24, 32), 3).clip()
    assert Session(Copies(), Capabilities(multi_object=False)).wrapped(clip) == ""


def test_fusion_takes_the_most_probable_object_and_the_first_on_ties(ctx):
    class Sure(Copies):
        def track(self, frame, targets, ctx):
            obj = next(iter(self.masks))
            value = {1: 0.6, 2: 0.6, 3: 0.8}[obj]
            scores = np.full((1, *frame.size), value, np.float32)
            scores[:, :, :8] = {1: 0.7, 2: 0.9, 3: 0.4}[obj]
            scores[:, :, 8:16] = {1: 0.6, 2: 0.6, 3: 0.5}[obj]
            return Prediction.from_probabilities([obj], scores)

    clip = moving_discs("a", (60, 32), 2, {1: 0, 2: 0, 3: 0}).clip()
    labels, *_ = run(Sure(), clip, ctx, Capabilities(multi_object=False))
    assert (labels[1, :, :8] == 2).all()
    assert (labels[1, :, 8:16] == 1).all()
    assert (labels[1, :, 16:] == 3).all()


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4))
def test_painting_is_the_argmax_above_one_half(seed, objects):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 5, (objects, 6, 7)).astype(np.float32) / 4
    ids = generator.permutation(np.arange(1, 200))[:objects].tolist()
    labels = Prediction.from_probabilities(ids, scores).label_map()
    for y, x in np.ndindex(6, 7):
        column = scores[:, y, x].tolist()
        best = max(column, default=0)
        assert labels[y, x] == (ids[column.index(best)] if best > 0.5 else 0)


def test_paint_changes_nothing_at_one_half():
    labels, best = np.zeros((1, 2), np.uint8), np.full((1, 2), 0.5, np.float32)
    paint(labels, best, 4, np.array([[0.5, 0.75]], np.float32))
    assert labels.tolist() == [[0, 4]]
    assert best.tolist() == [[0.5, 0.75]]


SIZE = (24, 32)
ZEROS = np.zeros(SIZE, np.uint8)
SCORES = np.zeros((1, *SIZE), np.float32)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (None, "NoneType, not a Prediction"),
        (ZEROS, "ndarray, not a Prediction"),
        (Prediction(), "either labels or scores"),
        (Prediction(labels=ZEROS, ids=(1,), scores=SCORES), "either labels or scores"),
        (Prediction(labels=ZEROS[1:]), r"shape \(23, 32\), the frame is \(24, 32\)"),
        (Prediction(labels=ZEROS.astype(np.int64)), "uint8, not int64"),
        (Prediction(labels=ZEROS + 1), r"unknown object ids \[1\]; known are \[2, 5\]"),
        (Prediction(labels=ZEROS + 255), r"unknown object ids \[255\]"),
        (Prediction(ids=(2,), scores=SCORES * np.nan), "NaN"),
        (Prediction(ids=(2,), scores=SCORES - 0.1), r"\[0, 1\], not -0.1"),
        (Prediction(ids=(2,), scores=SCORES + 1.1), r"\[0, 1\]"),
        (Prediction(ids=(2,), scores=SCORES.astype(np.float64)), "float32, not float64"),
        (Prediction(ids=(2, 5), scores=SCORES), "for 2 ids"),
        (Prediction(ids=(2, 2), scores=np.vstack([SCORES] * 2)), "repeat"),
        (Prediction(ids=(1,), scores=SCORES), r"unknown object ids \[1\]"),
    ],
)
def test_garbage_is_refused_with_frame_and_reason(ctx, answer, problem):
    class Garbage(Copies):
        def track(self, frame, targets, ctx):
            return super().track(frame, targets, ctx) if frame.index < 2 else answer

    clip = moving_discs("a", SIZE, 4, {2: 0, 5: 0}).clip()
    tracker = Garbage()
    with pytest.raises(TrackerFailure, match=f"^track, frame 00002: .*{problem}"):
        run(tracker, clip, ctx)
    assert tracker.calls[-1] == ("close",)


@pytest.mark.parametrize("call", ["init", "track", "update", "close"])
def test_what_a_tracker_raises_names_the_call(ctx, call):
    tracker = Copies()

    def fail(*_):
        raise SystemExit("gone")

    setattr(tracker, call, fail)
    with pytest.raises(TrackerFailure, match=f"^{call}, frame .*SystemExit: gone") as caught:
        run(tracker, moving_discs("a", SIZE, 3).clip(), ctx)
    assert isinstance(caught.value.__cause__, SystemExit)


def test_a_given_mask_of_another_size_is_the_datasets_fault(ctx):
    video = moving_discs("a", SIZE, 3)
    clip = video.clip()
    clip.given[0][1] = clip.given[0][1][:-1]
    with pytest.raises(DatasetError, match="object 1 has size"):
        run(Copies(), clip, ctx)


def test_a_frame_that_cannot_be_read_fails_the_sequence(ctx):
    class Broken:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            if index == 2:
                raise DatasetError("00002.jpg is cut off")
            return video[index]

    video = moving_discs("a", SIZE, 3)
    clip = type(video.clip())("a", Broken(), video.clip().given)
    with pytest.raises(DatasetError, match="cut off"):
        run(Copies(), clip, ctx)


def test_images_are_read_only(ctx):
    class Scribbles(Copies):
        def track(self, frame, targets, ctx):
            frame.image[:] = 0

    with pytest.raises(TrackerFailure, match="read-only"):
        run(Scribbles(), moving_discs("a", SIZE, 3).clip(), ctx)


def test_hooks_and_observers(ctx):
    seen = []

    class Hooked:
        @hookimpl
        def tracker_init(self, frame, targets):
            self.labels = np.zeros(frame.size, np.uint8)

        @hookimpl
        def tracker_track(self):
            return Prediction.from_labels(self.labels)

    class Watches:
        @hookimpl
        def sequence_started(self, ctx):
            seen.append(f"{ctx.sequence} started")

        @hookimpl(wrapper=True)
        def tracker_track(self, frame):
            result = yield
            seen.append(frame.index)
            return result

        @hookimpl
        def sequence_finished(self, ctx):
            seen.append(f"{ctx.sequence} finished")

    labels, timings, _ = run(
        Hooked(), moving_discs("a", SIZE, 3).clip(), ctx, observers=[Watches()]
    )
    assert seen == ["a started", 1, 2, "a finished"]
    assert not timings.update
    assert labels[1:].max() == 0


def test_a_tracker_without_track_is_refused():
    with pytest.raises(PluginError, match="no method track"):
        Session(type("Half", (), {"init": lambda *_: None})(), Capabilities())


def test_only_video_trackers_see_the_whole_video(ctx):
    class Peeks(Copies):
        def init(self, frame, targets, ctx):
            super().init(frame, targets, ctx)
            self.last = None if ctx.video is None else ctx.video[len(ctx.video) - 1].index

    clip = moving_discs("a", SIZE, 3).clip()
    streaming, whole = Peeks(), Peeks()
    run(streaming, clip, ctx)
    run(whole, clip, ctx, Capabilities(access="video"))
    assert (streaming.last, whole.last) == (None, 2)


class Steps(Copies):
    """Answers several numbers of iterations at once."""

    def init(self, frame, targets, ctx):
        super().init(frame, targets, ctx)
        for value in ctx.snapshots["iterations"]:
            ctx.snapshot_ready(f"iterations={value}")

    def track(self, frame, targets, ctx):
        def answer(value):
            labels = np.zeros(frame.size, np.uint8)
            for obj in self.masks:
                labels[obj, :value] = obj
            return Prediction.from_labels(labels)

        variants = {f"iterations={v}": answer(v) for v in ctx.snapshots["iterations"]}
        return Prediction(answer(ctx.options["iterations"]).labels, variants=variants)


@pytest.mark.parametrize("multi_object", [True, False])
def test_variants_are_answered_beside_the_prediction(ctx, multi_object):
    ctx.options = {"iterations": 10}
    ctx.snapshots = {"iterations": (1, 5, 10)}
    clip = moving_discs("a", SIZE, 3, {1: 0, 4: 0}).clip()
    labels, timings, variants = run(
        Steps(), clip, ctx, Capabilities(multi_object=multi_object, snapshots=("iterations",))
    )
    assert all(sorted(others) == ["iterations=1", "iterations=5"] for others in variants)
    assert np.array_equal(variants[0]["iterations=1"], labels[0])
    assert np.count_nonzero(labels[2]) == 20
    assert np.count_nonzero(variants[2]["iterations=5"]) == 10
    assert 0 < timings.marks["iterations=1"] <= timings.marks["iterations=5"] <= timings.init


def test_a_missing_variant_is_refused(ctx):
    ctx.options, ctx.snapshots = {"iterations": 10}, {"iterations": (1,)}
    with pytest.raises(TrackerFailure, match="no variant 'iterations=1'"):
        run(Copies(), moving_discs("a", SIZE, 3).clip(), ctx)
