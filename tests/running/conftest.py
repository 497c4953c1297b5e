"""Three tiny sequences and the misbehaving trackers."""

from __future__ import annotations

from pathlib import Path

import pytest

from vosbench.datasets.registry import open_dataset
from vosbench.plugins import Plugins
from vosbench.running.runner import RunSettings, run
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs


@pytest.fixture
def plugins():
    return Plugins([Path(fakes.__file__)])


@pytest.fixture
def dataset(tmp_path, plugins):
    clips = [
        moving_discs("ant", (24, 32), 5),
        moving_discs("bee", (24, 40), 5, {1: 0, 2: 0}),
        moving_discs("cat", (32, 24), 6, {1: 0, 2: 2}),
    ]
    root = fakes.write_dataset(tmp_path / "tiny", clips)
    return open_dataset(str(root), plugins, ())


@pytest.fixture
def go(tmp_path, plugins, dataset):
    """Run a fake over the dataset; gives the run."""

    def go(tracker="fake", results="results", **settings):
        there = {"dataset": dataset}
        for name in ("dataset", "sequences", "progress"):
            if name in settings:
                there[name] = settings.pop(name)
        how = RunSettings(**settings)
        return run(plugins, tracker=tracker, settings=how, results=tmp_path / results, **there)[0]

    return go


@pytest.fixture
def masks():
    """Bytes of every file of a run's masks."""

    def masks(run):
        return {str(p.relative_to(run.masks)): p.read_bytes() for p in run.masks.rglob("*.*")}

    return masks
