"""Worse input: the same worse pixels each time, a run of its own, scored by the true masks."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.datasets.png import read_png_labels
from vosbench.datasets.registry import open_dataset
from vosbench.errors import UsageError
from vosbench.plugins import Plugins
from vosbench.store import find_runs
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs
from vosbench.tracking.perturbation import Perturbation, perturbed


@pytest.fixture
def data(tmp_path):
    clips = [moving_discs("ant", (40, 56), 6), moving_discs("bee", (40, 56), 6)]
    return open_dataset(str(fakes.write_dataset(tmp_path / "tiny", clips)), Plugins(), ())


@pytest.mark.parametrize("text", ["blur=3", "noise=0.05", "scale=0.5", "jpeg=30", "drop=2"])
def test_frames_are_worse_and_always_the_same(data, text):
    one, two = (perturbed(data, Perturbation.parse(text)).sequence("ant") for _ in range(2))
    plain = data.sequence("ant")
    frames = [one.frame(n) for n in range(6)]
    for n, frame in enumerate(frames):
        assert np.array_equal(frame.image, two.frame(n).image)
        assert frame.image.shape == plain.frame(n).image.shape
        assert frame.image.dtype == np.uint8
        assert (frame.index, frame.name) == (n, plain.frames[n].stem)
    changed = [not np.array_equal(f.image, plain.frame(n).image) for n, f in enumerate(frames)]
    assert changed == ([False, True] * 3 if text == "drop=2" else [True] * 6)
    assert one.targets(0)[1].sum() == plain.targets(0)[1].sum()


def test_noise_differs_from_frame_to_frame(data):
    video = perturbed(data, Perturbation.parse("noise=0.1")).sequence("ant")
    noise = [video.frame(n).image.astype(int) - data.sequence("ant").frame(n).image for n in (1, 2)]
    assert not np.array_equal(*noise)
    assert 15 < noise[0].std() < 30


def test_given_masks_are_those_of_a_sloppy_annotator(data):
    true = data.sequence("ant").targets(0)[1]
    eroded = perturbed(data, Perturbation.parse("mask-erode=2")).sequence("ant").targets(0)[1]
    assert 0 < eroded.sum() < true.sum()
    assert not (eroded & ~true).any()
    box = perturbed(data, Perturbation.parse("mask-box")).sequence("ant").targets(0)[1]
    rows, columns = np.nonzero(true)
    assert box.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    gone = perturbed(data, Perturbation.parse("mask-erode=50")).sequence("ant").targets(0)[1]
    assert np.array_equal(gone, true)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fog=1", "there is no 'fog'"),
        ("blur=wide", "'wide' is no value of blur"),
        ("jpeg=0", "jpeg is between 1 and 100"),
        ("mask-box=1", "no value of mask-box"),
        ("drop", "is no value of drop"),
        ("", "nothing is named"),
    ],
)
def test_what_is_no_perturbation_is_named(text, message):
    with pytest.raises(UsageError, match=message):
        Perturbation.parse(text)


def test_order_and_spelling_do_not_matter():
    one, two = Perturbation.parse("blur=3,noise=.05"), Perturbation.parse("noise=0.050, blur=3.0")
    assert one == two
    assert str(one) == "blur=3,noise=0.05"
    assert str(Perturbation.parse("mask-box,drop=2")) == "drop=2,mask-box"


def test_it_is_a_run_of_its_own(data, tmp_path):
    arguments = ["run", "--tracker", "copy-first", "--dataset", str(data.root)]
    arguments += ["--results", str(tmp_path / "results")]
    for more in ((), ("--perturb", "mask-box,drop=2")):
        result = CliRunner().invoke(main, [*arguments, *more])
        assert result.exit_code == 0, result.output
    plain, worse = find_runs(tmp_path / "results")
    assert plain.name == "copy-first"
    assert worse.record.changed == {"perturb": "drop=2,mask-box"}
    assert worse.record.fingerprint == plain.record.fingerprint
    first, last = (
        [read_png_labels(run.masks / "ant" / f"{n:05d}.png") for run in (plain, worse)]
        for n in (0, 5)
    )
    assert last[1].sum() > last[0].sum()  # the box reached the tracker
    assert first[1].sum() >= first[0].sum()
    shown = CliRunner().invoke(main, ["compare", "--results", str(tmp_path / "results")])
    assert shown.exit_code == 0, shown.output
    assert worse.name in shown.output
    again = CliRunner().invoke(main, [*arguments, "--perturb", "drop=2,mask-box"])
    assert again.exit_code == 0, again.output
    assert len(find_runs(tmp_path / "results")) == 2
