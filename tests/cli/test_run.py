"""`vosbench run` and `vosbench trackers` as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs


@pytest.fixture
def folder(tmp_path):
    clips = [moving_discs("ant", (24, 32), 4), moving_discs("bee", (24, 40), 4, {1: 0, 2: 0})]
    return fakes.write_dataset(tmp_path / "tiny", clips)


@pytest.fixture
def vosbench(tmp_path, folder):
    def invoke(*arguments, command="run"):
        given = list(arguments)
        if command == "run":
            given += ["--results", str(tmp_path / "results"), "--plugin", fakes.__file__]
            if "--dataset" not in given:
                given += ["--dataset", str(folder)]
            if "--evaluate" in given:
                given.remove("--evaluate")
            else:
                given.append("--no-evaluate")
        return CliRunner().invoke(main, [command, *given])

    return invoke


def test_trackers_and_datasets_at_once(vosbench, folder, tmp_path):
    other = fakes.write_dataset(tmp_path / "other", [moving_discs("fly", (24, 32), 3)])
    result = vosbench(
        *("--tracker", "fake", "--tracker", "copy-first"),
        *("--dataset", str(folder), "--dataset", str(other), "-o", "sleep=0.01", "--json"),
    )
    assert result.exit_code == 0, result.output
    runs = json.loads(result.stdout)
    assert [(r["run"]["dataset"], r["run"]["tracker"]) for r in runs] == [
        ("tiny", "fake"),
        ("tiny", "copy-first"),
        ("other", "fake"),
        ("other", "copy-first"),
    ]
    assert all(r["run"]["status"] == "complete" and r["timing"]["fps"] > 0 for r in runs)
    assert runs[0]["run"]["changed"] == {"sleep": 0.01}
    assert runs[1]["run"]["changed"] == {}
    assert (tmp_path / "results/other/fake+sleep=0.01/masks/fly/00002.png").is_file()


def test_scores_are_written_and_shown(vosbench, tmp_path):
    result = vosbench("--tracker", "copy-first", "--evaluate")
    assert result.exit_code == 0, result.output
    assert "J&F" in result.stdout
    scores = tmp_path / "results/tiny/copy-first/scores"
    assert (scores / "global_results-val.csv").is_file()
    assert (scores / "scores.json").is_file()


def test_parts_of_a_dataset(vosbench, tmp_path):
    assert vosbench("--tracker", "fake", "--limit", "1").exit_code == 0
    assert [p.name for p in (tmp_path / "results/tiny/fake/masks").iterdir()] == ["ant"]
    result = vosbench("--tracker", "fake", "--sequence", "bee", "--json")
    assert json.loads(result.stdout)[0]["run"]["sequences"] == ["ant", "bee"]


def test_scores_are_those_of_all_that_is_done(vosbench, tmp_path):
    vosbench("--tracker", "copy-first")
    vosbench("--tracker", "copy-first", "--sequence", "bee", "--evaluate")
    table = tmp_path / "results/tiny/copy-first/scores/per-sequence_results-val.csv"
    assert "ant" in table.read_text()


def test_a_failed_sequence_is_told_and_the_exit_code_says_partial(vosbench):
    arguments = ["--tracker", "fake", "-o", "fault=raise", "-o", "sequence=ant"]
    result = vosbench(*arguments, "--evaluate")
    assert result.exit_code == 5
    assert "ant: track, frame 00002: RuntimeError: no more ideas" in result.stderr
    assert "1/2" in result.stdout
    result = vosbench(*arguments, "--json")
    assert result.exit_code == 5
    assert list(json.loads(result.stdout)[0]["failed"]) == ["ant"]


def test_one_tracker_that_cannot_be_loaded_does_not_stop_the_others(vosbench):
    result = vosbench("--tracker", "fake", "--tracker", "copy-first", "-o", "load=raise", "--json")
    assert result.exit_code == 4
    broken, sound = json.loads(result.stdout)
    assert "weights are missing" in broken["error"]
    assert sound["run"]["status"] == "complete"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--tracker", "fak"], 4, "no tracker called 'fak'\nDid you mean fake"),
        (["--tracker", "fake", "--dataset", "davis17-vall"], 3, "Did you mean davis17-val"),
        (["--tracker", "fake", "-o", "falt=raise"], 2, "tracker 'fake' has no option 'falt'"),
        (["--tracker", "fake", "-o", "fault"], 2, "-o fault: expected KEY=VALUE"),
        (["--tracker", "fake", "-o", "fault=oops"], 2, "fault='oops' is not one of"),
        (["--tracker", "fake", "-o", "frame=x"], 2, "frame='x' is not a valid int"),
        (["--tracker", "fake", "--sequence", "bea"], 3, "no sequence 'bea'\nDid you mean bee"),
        (["--tracker", "fake", "--limit", "0"], 2, "--limit must be at least 1"),
        (["--tracker", "fake", "--jobs", "0"], 2, "'--jobs': 0 is not in the range x>=1"),
        (["--tracker", "fake", "--timeout", "0"], 2, "--timeout must be above 0"),
        (["--tracker", "copy-first", "--device", "cuda"], 2, "--device cuda: tracker copy-first"),
        (["--tracker", "fake", "--python", "/nowhere"], 2, "--python /nowhere cannot be started"),
        (["--tracker", "fake", "--executor", "lokal"], 4, "no executor called 'lokal'"),
        (["--tracker", "fake", "--seed", "-1"], 2, "--seed"),
        (["--dataset", "demo"], 2, "Missing option '--tracker'"),
    ],
)
def test_bad_input_is_named(vosbench, tmp_path, arguments, code, message):
    result = vosbench(*arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("results/*/*/masks"))


def test_nothing_heavy_is_imported_for_the_help():
    heavy = "{'numpy', 'torch', 'pandas', 'matplotlib', 'cv2', 'rich', 'scipy', 'psutil'}"
    for arguments in (["--help"], ["run", "--help"], ["trackers", "--json"]):
        code = (
            "import sys; from vosbench.cli import main\n"
            f"main({arguments!r}, standalone_mode=False)\n"
            f"found = {heavy} & set(sys.modules)\n"
            "assert not found, found"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_trackers_are_listed_with_options(vosbench):
    result = vosbench("--plugin", fakes.__file__, "--json", command="trackers")
    by_name = {tracker["name"]: tracker for tracker in json.loads(result.stdout)}
    assert by_name["fake"]["plugin"] == "fakes"
    assert {"fake-single", "copy-first", "flow"} <= set(by_name)
    result = vosbench("--plugin", fakes.__file__, "fake-single", command="trackers")
    assert result.exit_code == 0
    assert "several objects" in result.stdout
    assert "segfault" in result.stdout
    assert vosbench("fak", command="trackers").exit_code == 4
    assert "copy-first" in vosbench(command="trackers").stdout


def test_names_are_completed(vosbench, monkeypatch):
    monkeypatch.setenv("COMP_WORDS", "vosbench run --tracker copy")
    monkeypatch.setenv("COMP_CWORD", "3")
    result = CliRunner().invoke(
        main, prog_name="vosbench", env={"_VOSBENCH_COMPLETE": "bash_complete"}
    )
    assert "copy-first" in result.stdout


def test_an_environment_may_be_given_as_its_folder(vosbench, tmp_path):
    python = tmp_path / "there" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    result = vosbench("--tracker", "fake", "--limit", "1", "--python", str(tmp_path / "there"))
    assert result.exit_code == 0, result.output
