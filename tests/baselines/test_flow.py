"""`flow`: conformance, and that it follows what moves."""

from __future__ import annotations

import numpy as np
import pytest

from vosbench.datasets.registry import open_dataset
from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, moving_discs
from vosbench.tracking.clip import Clip


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture(scope="module")
def spec(plugins):
    return plugins.tracker("flow")


@pytest.mark.parametrize("case", conformance_cases(), ids=str)
def test_conformance(spec, case):
    outcome = check_tracker(spec, case)
    assert outcome.status == "passed" or case.name == "processes", outcome.reason


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
def test_follows_textured_discs(spec, track, overlap, preset):
    sequence = moving_discs("follow", (240, 400), 8, {3: 0, 8: 0}, speed=0.01)
    outputs = track(spec, sequence, preset=preset)
    for obj in (3, 8):
        followed = overlap(outputs[-1], sequence.labels[-1], obj)
        assert followed > overlap(outputs[0], sequence.labels[-1], obj) + 0.2
        assert followed > 0.65


def test_a_late_object_takes_its_pixels_and_moves_on(spec, track, overlap):
    sequence = moving_discs("late", (240, 400), 8, {1: 0, 2: 3}, speed=0.01)
    outputs = track(spec, sequence)
    assert np.array_equal(outputs[3] == 2, sequence.labels[3] == 2)
    assert overlap(outputs[-1], sequence.labels[-1], 2) > 0.8


class FirstFrames:
    """The first frames of a video."""

    def __init__(self, video, count):
        self.video, self.count = video, count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return self.video[index]


def test_beats_copying_the_first_mask_on_real_video(plugins, spec, track, overlap, davis_root):
    sequence = open_dataset("davis16-train", plugins, (davis_root.parent,)).sequence("car-turn")
    whole = Clip.of(sequence)
    clip = Clip(whole.name, FirstFrames(whole.video, 24), whole.given)
    scores = {}
    for name in ("flow", "copy-first"):
        outputs = track(plugins.tracker(name), clip)
        scores[name] = np.mean(
            [overlap(outputs[i], sequence.labels(i), 1) for i in range(1, len(outputs))]
        )
    assert scores["flow"] > 0.8
    assert scores["flow"] > scores["copy-first"] + 0.2
