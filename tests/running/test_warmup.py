"""`--warmup`: what a tracker does once, when it is first used, is not timed."""

from __future__ import annotations

from pathlib import Path

import pytest

from vosbench.errors import UsageError
from vosbench.plugins import Plugins
from vosbench.running.runner import RunSettings, run
from vosbench.testing import fakes

COLD = """
import time
import numpy as np
from vosbench import Prediction, TrackerSpec, hookimpl

class Cold:
    def __init__(self, ctx):
        self.frames = 0

    def init(self, frame, targets, ctx):
        if not self.frames:
            time.sleep(0.6)
        self.masks = dict(targets)

    def track(self, frame, targets, ctx):
        self.frames += 1
        self.masks |= targets
        ids, masks = zip(*self.masks.items())
        return Prediction.from_probabilities(ids, np.stack(masks).astype(np.float32))

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="cold", factory=Cold, summary="Slow at first."))
"""


def test_the_first_sequence_is_timed_warm_and_masks_stay_the_same(tmp_path, dataset, masks):
    plugin = tmp_path / "cold.py"
    plugin.write_text(COLD)
    plugins = Plugins([Path(fakes.__file__), plugin])

    def go(frames):
        how = RunSettings(warmup=frames)
        [made] = run(plugins, dataset, "cold", how, results=tmp_path / f"after-{frames}")
        return made, made.sequences()["ant"]

    cold, first = go(0)
    warm, second = go(2)
    assert first.init_seconds > 0.5 > second.init_seconds
    assert second.frames == first.frames == 5
    assert masks(warm) == masks(cold)
    assert warm.record.hardware["warmup_frames"] == 2
    assert "warmup_frames" not in cold.record.hardware


def test_a_negative_number_is_refused():
    with pytest.raises(UsageError, match="--warmup"):
        RunSettings(warmup=-1)
