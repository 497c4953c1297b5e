"""`vosbench sweep` on tiny data: real runs of fakes that can and cannot answer several values."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.export import plots
from vosbench.store import Run
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs


@pytest.fixture
def arguments(tmp_path):
    clips = [moving_discs("ant", (24, 32), 4), moving_discs("bee", (24, 40), 4, {1: 0, 2: 0})]
    data = fakes.write_dataset(tmp_path / "tiny", clips)
    return [
        *("sweep", "--plugin", fakes.__file__, "--dataset", str(data)),
        *("--results", str(tmp_path / "results")),
    ]


@pytest.fixture
def sweep(arguments):
    def invoke(*more):
        return CliRunner().invoke(main, [*arguments, *more])

    return invoke


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results" / "tiny"


def stamps(run: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in run.glob("*/*/*.png")} | {
        str(p): p.stat().st_mtime_ns for p in run.glob("sequences/*.json")
    }


def test_one_run_answers_all_values_and_more_are_added(sweep, results, tmp_path):
    files = [*("--plot", str(tmp_path / "curve.svg")), *("--csv", str(tmp_path / "curve.csv"))]
    first = sweep("--tracker", "fake", "--set", "iterations=16,8,8,1000", *files)
    assert first.exit_code == 0, first.output
    table = pd.read_csv(tmp_path / "curve.csv", index_col=0)
    assert table.index.tolist() == [16, 8, 1000]
    assert table.loc[8, "J&F"] < table.loc[16, "J&F"] < table.loc[1000, "J&F"]
    assert set(table["timing"]) == {"derived"}
    assert "its time was shared out" in first.output
    assert ET.parse(tmp_path / "curve.svg").getroot().tag.endswith("svg")
    # One process: the variants have no log of their own.
    names = {"fake", "fake+iterations=8", "fake+iterations=16"}
    assert {path.name for path in results.iterdir()} == names
    assert [path.parent.name for path in results.glob("*/log.txt")] == ["fake"]

    before = {name: stamps(results / name) for name in names}
    log = (results / "fake" / "log.txt").read_bytes()
    second = sweep("--tracker", "fake", "--set", "iterations=8,12,16,1000", "--json")
    assert second.exit_code == 0, second.output
    points = json.loads(second.stdout)
    assert [point["value"] for point in points] == [8, 12, 16, 1000]
    assert points[0]["scores"]["J&F"] == pytest.approx(table.loc[8, "J&F"])
    assert {name: stamps(results / name) for name in names} == before
    assert (results / "fake" / "log.txt").read_bytes() == log


def test_a_tracker_that_cannot_gets_one_run_per_value_and_a_part_stands_for_itself(sweep, results):
    whole = sweep("--tracker", "fake-single", "--set", "iterations=8", "--json")
    assert whole.exit_code == 0, whole.output
    part = ("--tracker", "fake-single", "--set", "iterations=8,16", "--sequence", "ant", "--json")
    points = json.loads(sweep(*part).stdout)
    assert [point["derived_timing"] for point in points] == [False, False]
    assert Run.open(results / "fake-single+iterations=8").record.sequences == ["ant", "bee"]
    assert Run.open(results / "fake-single+iterations=16").record.sequences == ["ant"]
    assert points[0]["scores"] != json.loads(whole.stdout)[0]["scores"]
    assert points[0]["scores"]["J&F"] < points[1]["scores"]["J&F"]


def test_times_are_measured_where_that_is_asked_for(sweep, results):
    chosen = ("--tracker", "fake", "--set", "iterations=8,16", "--sequence", "ant", "--json")
    shared = json.loads(sweep(*chosen).stdout)
    assert all(point["derived_timing"] for point in shared)
    alone = json.loads(sweep(*chosen, "--alone").stdout)
    assert not any(point["derived_timing"] for point in alone)
    assert [p["scores"] for p in alone] == [p["scores"] for p in shared]
    before = stamps(results / "fake+iterations=8")
    sweep(*chosen, "--alone")
    assert stamps(results / "fake+iterations=8") == before


def test_a_killed_sweep_goes_on(arguments, results):
    command = [sys.executable, "-m", "vosbench", *arguments, "--tracker", "fake-single"]
    command += ["--set", "iterations=8,16", "-o", "sleep=0.2", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first, second = (results / f"fake-single+iterations={n}+sleep=0.2" for n in (8, 16))
    deadline = time.monotonic() + 120
    while not (second / "sequences/ant.json").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = stamps(first)
    kept = (second / "sequences/ant.json").stat().st_mtime_ns
    again = subprocess.run(command, check=True, capture_output=True)
    assert [point["complete"] for point in json.loads(again.stdout)] == [True, True]
    assert stamps(first) == before
    assert (second / "sequences/ant.json").stat().st_mtime_ns == kept


def test_a_failed_value_is_named_and_leaves_a_gap(sweep):
    given = ("--tracker", "fake", "--set", "fault=none,raise", "-o", "sequence=bee")
    result = sweep(*given)
    assert result.exit_code == 5
    assert "failed: fake, fault=raise, 1 sequence(s)" in result.stderr
    assert "bee: track, frame 00002: RuntimeError: no more ideas" in result.stderr
    row = next(line for line in result.stdout.splitlines() if line.startswith("raise"))
    assert re.fullmatch(r"raise\*?( +-)+ +1 of 2 sequences( +-)?", row), row
    sound = next(line for line in result.stdout.splitlines() if line.startswith("none"))
    assert "-" not in sound.split()


def test_other_weights_do_not_enter_the_same_curve(sweep, tmp_path):
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"one")
    given = ("--tracker", "fake", "-o", f"weights={weights}", "--sequence", "ant")
    assert sweep(*given, "--set", "iterations=8").exit_code == 0
    weights.write_bytes(b"two")
    result = sweep(*given, "--set", "iterations=8,16")
    assert result.exit_code == 5
    assert "holds another run: weights.bin was" in result.stderr


def test_another_card_does_not_enter_the_same_curve(sweep, results):
    given = ("--tracker", "fake", "--sequence", "ant")
    assert sweep(*given, "--set", "iterations=8").exit_code == 0
    run = Run.open(results / "fake+iterations=8")
    run.record.device = "cpu:1"
    run.save()
    result = sweep(*given, "--set", "iterations=8,16")
    assert result.exit_code == 5
    assert "iterations=8 and iterations=16 cannot stand in one curve: device is" in result.stderr


def test_another_state_of_the_code_does_not_enter_the_same_curve(arguments, tmp_path):
    plugin = tmp_path / "edited.py"
    plugin.write_text(Path(fakes.__file__).read_text())
    arguments[arguments.index(fakes.__file__)] = str(plugin)
    given = [*arguments, "--tracker", "fake", "--sequence", "ant", "--set"]
    assert CliRunner().invoke(main, [*given, "iterations=8"]).exit_code == 0
    plugin.write_text(f"{plugin.read_text()}# edited\n")
    result = CliRunner().invoke(main, [*given, "iterations=8,16"])
    assert result.exit_code == 5
    assert "the plugin's code has changed since" in result.stderr


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (("--set", "iterations=1,x"), 2, "iterations='x' is not a valid int"),
        (("--set", "steps=1"), 2, "has no option 'steps'"),
        (("--set", "fault=none,oops"), 2, "fault='oops' is not one of"),
        (("--set", "iterations"), 2, "--set iterations: expected OPTION=VALUE"),
        (("--set", "iterations=1,,2"), 2, "expected OPTION=VALUE"),
        (("--set", "frame=1", "-o", "frame=2"), 2, "-o frame=2 contradicts --set frame"),
        (("--set", "frame=1", "--plot", "a.gif"), 2, "--plot a.gif: unknown kind of picture"),
        (("--set", "frame=1", "--format", "word"), 4, "no format 'word'"),
        (("--set", "frame=1", "--sequence", "bea"), 3, "no sequence 'bea'"),
    ],
)
def test_bad_input_is_named_before_anything_runs(sweep, results, given, code, message):
    result = sweep("--tracker", "fake", *given)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert not results.exists()


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1, 10, 100], "log"),
        ([0, 1, 100], "symlog"),
        ([1, 2, 3], "linear"),
        ([-1, 0, 1], "linear"),
        (["fast", "slow", "slower"], "linear"),
        ([5, 5.5, 6], "linear"),
    ],
)
def test_axes_fit_the_values(values, scale, tmp_path):
    points = pd.DataFrame(
        {"J&F": [0.5, np.nan, 0.7], "FPS": [20.0, 2.0, np.nan], "shared": [True, False, False]},
        index=values,
    )
    figure = plots.sweep_plot(points, "a_b$", "title")
    upper, lower = figure.axes
    assert lower.get_xscale() == scale
    assert lower.get_yscale() == "log"
    assert [tick.get_text() for tick in lower.get_xticklabels()] == [str(v) for v in values]
    assert upper.get_ylabel() == "J&F (%)"
    for suffix, magic in ((".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG")):
        plots.save(figure, tmp_path / f"plot{suffix}")
        assert (tmp_path / f"plot{suffix}").read_bytes().startswith(magic)


def test_flow_on_a_real_sequence(davis_root, tmp_path):
    """Its preset is no number, and each value is a run of its own."""
    for kind, suffix in (("JPEGImages", "jpg"), ("Annotations", "png")):
        folder = tmp_path / "real" / kind / "480p" / "bear"
        folder.mkdir(parents=True)
        for frame in range(4):
            source = davis_root / kind / "480p" / "bear" / f"{frame:05d}.{suffix}"
            (folder / source.name).symlink_to(source)
    arguments = ["sweep", "--tracker", "flow", "--dataset", str(tmp_path / "real")]
    arguments += ["--set", "preset=ultrafast,fast", "--results", str(tmp_path / "results")]
    arguments += ["--json", "--plot", str(tmp_path / "flow.pdf")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    points = json.loads(result.stdout)
    assert [point["value"] for point in points] == ["ultrafast", "fast"]
    assert all(point["scores"]["J&F"] > 0.8 for point in points)
    assert points[0]["scores"] != points[1]["scores"]
    assert (tmp_path / "flow.pdf").stat().st_size > 1000
