"""Trackers by others from a real registry, as their page says; some minutes, gigabytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("tracker", "options"),
    [
        ("deaot-t", ("weights=random",)),
        ("cutie-small", ("weights=random", "short_side=96")),
        ("sam2", ("weights=random",)),
        ("csrt", ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_tracker_is_installed_behaves_runs_beside_another_and_is_removed(
    tracker, options, tmp_path, monkeypatch
):
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    clip = moving_discs("ant", (96, 128), 4, {1: 0, 7: 2})
    videos = str(fakes.write_dataset(tmp_path / "tiny", [clip]))
    given = [part for option in options for part in ("-o", option)]

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    call("trackers", "install", tracker)
    assert f"{tracker} passes" in call("test-tracker", tracker, "--untrained", *given)
    call("run", "--tracker", tracker, "--tracker", "copy-first", "--dataset", videos, *given)
    assert len(list(tmp_path.glob(f"results/*/{tracker}*/masks/ant/*.png"))) == 4
    call("trackers", "remove", tracker)
    assert not list((tmp_path / "cache/environments").glob("*/bin"))


def test_the_extra_of_a_checkout_brings_what_sam_2_needs(tmp_path):
    folder = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([folder / "bin/pip", "install", "--quiet", f"{ROOT}[zoo]"], check=True)
    command = "run --tracker sam2.1-hiera-tiny -o weights=random --dataset demo --limit 1"
    environment = os.environ | {"VOSBENCH_CACHE": str(tmp_path / "cache")}
    subprocess.run(
        [folder / "bin/vosbench", *command.split()], cwd=tmp_path, env=environment, check=True
    )
    assert list(tmp_path.glob("results/demo/sam2.1-hiera-tiny*/masks/*/*.png"))
