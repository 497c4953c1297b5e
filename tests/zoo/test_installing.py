"""`vosbench trackers install` from a real registry; some minutes, gigabytes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs


@pytest.mark.slow
def test_deaot_is_installed_runs_beside_another_tracker_and_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    clip = moving_discs("ant", (96, 128), 4, {1: 0, 7: 2})
    videos = str(fakes.write_dataset(tmp_path / "tiny", [clip]))

    def call(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.output

    call("trackers", "install", "deaot-t")
    call(
        "run", "--tracker", "deaot-t", "--tracker", "copy-first", "--dataset", videos,
        "-o", "weights=random",
    )  # fmt: skip
    assert len(list(tmp_path.glob("results/*/deaot-t*/masks/ant/*.png"))) == 4
    call("trackers", "remove", "deaot-t")
