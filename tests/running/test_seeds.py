"""What a tracker draws at random does not depend on which sequences its process tracked before."""

from __future__ import annotations

from pathlib import Path

from vosbench.plugins import Plugins
from vosbench.running.runner import RunSettings, run

#: OpenCV is imported in the midst of the first sequence, as some libraries do.
PLUGIN = """
import numpy as np
from vosbench import Prediction, TrackerSpec, hookimpl

class Drawing:
    def __init__(self, ctx): pass
    def init(self, frame, targets, ctx): pass
    def track(self, frame, targets, ctx):
        import cv2
        noise = cv2.randu(np.zeros(frame.size, np.uint8), 0, 255)
        pixels = frame.image.reshape(-1, 3).astype(np.float32)
        stop = (cv2.TERM_CRITERIA_MAX_ITER, 1, 0)
        labels = cv2.kmeans(pixels, 2, None, stop, 1, cv2.KMEANS_RANDOM_CENTERS)[1]
        return Prediction.from_labels(((noise > 99) ^ labels.reshape(frame.size)).astype(np.uint8))

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="drawing", factory=Drawing, summary="Draws at random."))
"""


def test_a_resumed_run_of_a_tracker_that_draws_with_opencv_equals_a_whole_one(
    dataset, masks, tmp_path
):
    file = tmp_path / "drawing.py"
    file.write_text(PLUGIN)
    plugins = Plugins([Path(file)])

    def go(results, sequences=(), seed=1):
        how = RunSettings(seed=seed)
        where = {"results": tmp_path / results, "sequences": sequences}
        return run(plugins, dataset, "drawing", how, **where)[0]

    whole = go("whole")
    for name in ("bee", "ant", "cat"):  # each in a process of its own
        resumed = go("resumed", [name])
    assert resumed.complete
    assert masks(resumed) == masks(whole)
    assert masks(go("other", seed=2)) != masks(whole)
