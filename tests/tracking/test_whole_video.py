"""Trackers that read frames themselves: all of them, those so far, as a generator."""

from __future__ import annotations

import numpy as np
import pytest

from vosbench.errors import PluginError
from vosbench.specs import Capabilities, TrackerSpec
from vosbench.testing import check_tracker, conformance_cases, make_context, moving_discs
from vosbench.tracking.session import Session, TrackerFailure
from vosbench.types import Prediction, label_map


class Generator:
    """Repeats the given masks, as a generator."""

    ahead = 0

    def __init__(self, ctx):
        pass

    def track_all(self, video, given, ctx):
        start = min(given)
        labels = np.zeros(video[start].size, np.uint8)
        index = start
        while True:
            _ = video[index + self.ahead].image.sum()
            for obj, mask in given.get(index, {}).items():
                labels[mask] = obj
            yield Prediction.from_labels(labels)
            index += 1


class Iterates(Generator):
    def track_all(self, video, given, ctx):
        assert len(video) == min(given) + 1
        for frame in video:
            if frame.index == min(given):
                labels = label_map(given[frame.index], frame.size)
            yield Prediction.from_labels(labels)


class Ahead(Generator):
    ahead = 1


class TooSoon(Generator):
    """Two frames a step."""

    def track_all(self, video, given, ctx):
        for frame in video:
            if frame.index % 2:
                yield Prediction.from_labels(np.zeros(frame.size, np.uint8))


def spec(factory, access):
    whole = Capabilities(access=access)
    return TrackerSpec(name="g", factory=factory, summary="", capabilities=whole)


def run(factory, access, tmp_path, given=None):
    clip = moving_discs("clip", (24, 32), 5, given or {1: 0, 2: 0}).clip()
    one = spec(factory, access)
    outputs = []
    Session(factory(None), one.capabilities).run(
        clip, make_context(one, tmp_path), lambda _, labels, __: outputs.append(labels)
    )
    return outputs


@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_a_generator_that_keeps_to_frames_so_far_conforms(case):
    outcome = check_tracker(spec(Generator, "causal"), case)
    assert outcome.status == ("skipped" if "processes" in case.needs else "passed"), outcome.reason


def test_it_may_iterate_and_begins_where_the_objects_do(tmp_path):
    outputs = run(Iterates, "causal", tmp_path, {1: 1, 2: 1})
    assert not outputs[0].any() and outputs[1].any()
    assert all(np.array_equal(one, outputs[1]) for one in outputs[1:])


def test_frames_to_come_are_out_of_reach_unless_the_whole_video_is_declared(tmp_path):
    with pytest.raises(
        TrackerFailure, match="init, frame 00000: IndexError: frame 1 is yet to come"
    ):
        run(Ahead, "causal", tmp_path)
    with pytest.raises(TrackerFailure, match="track, frame 00004: IndexError"):
        run(Ahead, "video", tmp_path)  # there is no frame after the last


def test_one_that_yields_too_seldom_is_told(tmp_path):
    with pytest.raises(TrackerFailure, match="track_all yielded nothing for frame 00000"):
        run(TooSoon, "causal", tmp_path)


def test_the_causality_check_applies_to_frames_so_far():
    (causal,) = [case for case in conformance_cases() if case.name == "causal"]
    assert check_tracker(spec(Iterates, "causal"), causal).status == "passed"
    assert check_tracker(spec(Iterates, "video"), causal).status == "skipped"


def test_a_generator_is_not_streaming(tmp_path):
    with pytest.raises(PluginError, match="declares to be streaming"):
        run(Generator, "streaming", tmp_path)


def test_frames_so_far_as_a_folder(tmp_path):
    seen = []

    class Folder(Generator):
        def track_all(self, video, given, ctx):
            for frame in video:
                seen.append(len(list(video.as_folder(ctx.scratch / "frames").iterdir())))
                yield Prediction.from_labels(np.zeros(frame.size, np.uint8))

    run(Folder, "causal", tmp_path)
    assert seen == [1, 2, 3, 4, 5]
