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


CLIPS = (
    moving_discs("ant", (24, 32), 5),
    moving_discs("bee", (24, 40), 5, {1: 0, 2: 0}),
    moving_discs("cat", (32, 24), 6, {1: 0, 2: 2}),
)


@pytest.fixture
def dataset(tmp_path, plugins):
    return open_dataset(str(fakes.write_dataset(tmp_path / "tiny", CLIPS)), plugins, ())


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


@pytest.fixture(scope="session")
def sound(masks, tmp_path_factory):
    """Masks of the fake where nothing goes wrong."""
    folder = tmp_path_factory.mktemp("sound")
    plugins = Plugins([Path(fakes.__file__)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VOSBENCH_CACHE", str(folder / "cache"))
        dataset = open_dataset(str(fakes.write_dataset(folder / "tiny", CLIPS)), plugins, ())
        return masks(run(plugins, dataset, "fake", RunSettings(), results=folder / "results")[0])


@pytest.fixture(scope="session")
def masks():
    """Bytes of every file of a run's masks."""

    def masks(run):
        return {str(p.relative_to(run.masks)): p.read_bytes() for p in run.masks.rglob("*.*")}

    return masks
