"""`vosbench baselines search-lr`: resumable, honest about what it searched."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.datasets.registry import open_dataset
from vosbench.errors import RunError, UsageError
from vosbench.plugins import Plugins
from vosbench.testing import moving_discs
from vosbench_baselines.search_lr import RateSearch, thinned

OPTIONS = {"iterations": "2", "transforms": "0", "bf16": "off"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two rendered sequences in DAVIS layout."""
    root = tmp_path_factory.mktemp("fit")
    for name in ("one", "two"):
        sequence = moving_discs(name, (64, 96), 5)
        images = root / "JPEGImages" / "480p" / name
        images.mkdir(parents=True)
        for index in range(len(sequence)):
            cv2.imwrite(str(images / f"{index:05d}.jpg"), sequence.images[index][..., ::-1])
        sequence.write_annotations(root / "Annotations" / "480p")
    return root


@pytest.fixture(scope="module")
def dataset(folder):
    return open_dataset(str(folder), Plugins(), ())


@pytest.fixture
def search(dataset, osvos_weights, tmp_path):
    def make(**changes):
        options = {**OPTIONS, "weights": str(osvos_weights), **changes}
        spec = Plugins().tracker("osvos-10")
        return RateSearch(spec, options, dataset, tmp_path / "search", stride=2)

    return make


def test_goes_on_where_it_stopped(search):
    heard = []
    first = search()

    def die(row):
        heard.append((row.rate, row.sequence))
        if len(heard) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run([0.0, 0.1], die)
    assert list(first.curve()) == [0.0]
    search().run([0.0, 0.1], lambda row: heard.append((row.rate, row.sequence)))
    assert heard == [(0.0, "one"), (0.0, "two"), (0.1, "one"), (0.1, "two")]


def test_finds_the_rate_that_learns(search):
    whole = search()
    whole.run([0.0, 0.1])
    curve = whole.curve()
    assert curve[0.1] > curve[0.0]
    rows = {(row.rate, row.sequence): row.J for row in whole.rows()}
    assert curve[0.1] == pytest.approx((rows[0.1, "one"] + rows[0.1, "two"]) / 2)


def test_other_settings_are_refused(search):
    search()
    with pytest.raises(RunError, match="options"):
        search(iterations="3")


def test_the_rate_itself_cannot_be_given(search, dataset, tmp_path):
    with pytest.raises(UsageError, match="searched"):
        search(rate="1")
    with pytest.raises(UsageError, match="flow"):
        RateSearch(Plugins().tracker("flow"), {}, dataset, tmp_path, stride=1)


def test_thinned_keeps_frames_with_given_masks(dataset):
    video = dataset.sequence("one")
    part = thinned(video, 2)
    assert [path.stem for path in part.frames] == ["00000", "00002", "00004"]
    assert np.array_equal(part.labels(1), video.labels(2))
    assert part.objects == video.objects


def test_command_prints_the_curve(folder, osvos_weights, tmp_path):
    arguments = ["baselines", "search-lr", "--tracker", "osvos-10", "--dataset", str(folder)]
    arguments += ["--sequence", "one", "--stride", "4", "--out", str(tmp_path / "out")]
    arguments += ["-o", f"weights={osvos_weights}", "-o", "iterations=1", "-o", "transforms=0"]
    wrong = CliRunner().invoke(main, [*arguments, "--rates", "fast"])
    assert wrong.exit_code == 2
    done = CliRunner().invoke(main, [*arguments, "--rates", "0,0.1"])
    assert done.exit_code == 0, done.output
    assert "<- best" in done.output
    assert (tmp_path / "out" / "search.csv").is_file()
