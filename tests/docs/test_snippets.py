"""The trackers shown in the README and in the tutorial work as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.datasets.reading import write_labels
from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, moving_discs

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["README.md", "docs/tutorial.md"])
def plugin(request, tmp_path):
    """The page's first block of Python that registers a tracker, as a file."""
    text = (ROOT / request.param).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    code = next(block for block in blocks if "vosbench_register_trackers" in block)
    path = tmp_path / "snippet.py"
    path.write_text(code)
    return path


def tracker_of(plugin: Path):
    plugins = Plugins([plugin])
    (info,) = [info for info in plugins.infos if info.name == "snippet"]
    assert info.problem == ""
    (name,) = info.provides["trackers"]
    return plugins.tracker(name)


def test_it_conforms(plugin):
    spec = tracker_of(plugin)
    outcomes = [check_tracker(spec, case, size=(48, 64)) for case in conformance_cases()]
    assert [f"{o.case}: {o.reason}" for o in outcomes if not o.ok] == []


def test_it_runs_and_is_scored(plugin, tmp_path):
    video = moving_discs("discs", (60, 80), 5, {1: 0, 2: 0})
    data = tmp_path / "mine"
    for index, image in enumerate(video.images):
        import cv2

        path = data / "JPEGImages" / "480p" / "discs" / f"{index:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image[..., ::-1])
        write_labels(data / "Annotations" / "480p" / "discs" / path.name, video.labels[index])
    name = tracker_of(plugin).name
    arguments = ["run", "--plugin", str(plugin), "--tracker", name, "--dataset", str(data)]
    arguments += ["--results", str(tmp_path / "results"), "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    (outcome,) = json.loads(result.stdout)
    assert outcome["run"]["status"] == "complete"
    assert 0 < outcome["scores"]["J&F-Mean"] <= 1
