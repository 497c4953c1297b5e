"""The baselines that need no learning. The box trackers are in another OpenCV than ours."""

from __future__ import annotations

import cv2
import pytest

from vosbench.errors import UsageError
from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, make_context
from vosbench.tracking.session import make_tracker


@pytest.mark.parametrize("case", conformance_cases(), ids=str)
def test_histogram(case):
    outcome = check_tracker(Plugins().tracker("histogram"), case)
    assert outcome.status == ("skipped" if "processes" in case.needs else "passed"), outcome.reason


@pytest.mark.parametrize("name", ["csrt", "kcf"])
@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_box_trackers(name, case):
    if not hasattr(cv2, "TrackerKCF"):
        pytest.skip("OpenCV has no contributed modules here")
    outcome = check_tracker(Plugins().tracker(name), case)
    assert outcome.status == ("skipped" if "processes" in case.needs else "passed"), outcome.reason


@pytest.mark.parametrize("name", ["csrt", "kcf"])
def test_without_the_contributed_modules_the_message_says_how_to_get_them(
    name, tmp_path, monkeypatch
):
    monkeypatch.delattr(cv2, f"Tracker{name.upper()}", raising=False)
    spec = Plugins().tracker(name)
    with pytest.raises(UsageError) as caught:
        make_tracker(spec, make_context(spec, tmp_path))
    assert "opencv-contrib-python-headless" in caught.value.message
    assert f"vosbench trackers install {name}" in caught.value.hint
