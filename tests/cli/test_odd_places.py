"""Full disks, odd names, pipes instead of files: one clear line each, and the rest goes on."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys

import pytest

from vosbench.datasets.reading import read_image
from vosbench.errors import DatasetError, RunError, VosbenchError, printable
from vosbench.parsing import record_from
from vosbench.running.runner import RunSettings, run
from vosbench.store import Run, RunRecord, SequenceRecord, check_name
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs


@pytest.fixture
def data(tmp_path):
    clips = [moving_discs("ant", (24, 32), 4), moving_discs("bee", (24, 40), 4)]
    return fakes.write_dataset(tmp_path / "tiny", clips)


def vosbench(*arguments, largest=None):
    """Run a command; a file that it writes may have `largest` bytes, as if the disk were full."""

    def limit():
        if largest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    return subprocess.run(
        [sys.executable, "-m", "vosbench", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )


def test_a_disk_that_fills_up_stops_with_a_line_and_goes_on_later(data, tmp_path):
    results = tmp_path / "results"
    command = ("run", "--tracker", "copy-first", "--dataset", data, "--results", results)
    full = vosbench(*command, largest=200)
    assert full.returncode == 7
    assert "File too large" in full.stderr
    assert "Traceback" not in full.stderr
    assert not list(results.rglob("*.part"))
    assert vosbench(*command).returncode == 0
    assert Run.open(results / "tiny/copy-first").complete


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_table_that_does_not_fit_or_lacks_a_run_is_no_success(data, tmp_path):
    results = tmp_path / "results"
    where = ("--dataset", data, "--results", results)
    assert vosbench("run", "--tracker", "copy-first", *where).returncode == 0
    full = vosbench("compare", *where, "--format", "csv", "--output", "/dev/full")
    assert full.returncode == 7
    assert full.stderr.splitlines()[-2].startswith("error: ")
    assert "No space left on device" in full.stderr
    assert "Traceback" not in full.stderr

    broken = results / "tiny/broken"
    broken.mkdir()
    (broken / "run.json").write_text('{"format": 1}')
    left_out = vosbench("compare", *where)
    assert left_out.returncode == 5
    assert "copy-first" in left_out.stdout
    assert f"left out: {broken}/run.json cannot be read: it has no 'tracker'" in left_out.stderr


def test_a_table_goes_into_a_pipe_and_to_where_a_link_leads(data, tmp_path):
    results = tmp_path / "results"
    where = ("--dataset", data, "--results", results, "--format", "csv")
    assert vosbench("run", "--tracker", "copy-first", *where[:4]).returncode == 0
    table, link, pipe = (tmp_path / name for name in ("table.csv", "link.csv", "pipe"))
    table.write_text("old")
    link.symlink_to(table)
    assert vosbench("compare", *where, "--output", link).returncode == 0
    assert link.is_symlink()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert vosbench("compare", *where, "--output", pipe).returncode == 0
    assert os.read(reader, 65536) == table.read_bytes()
    assert b"copy-first" in table.read_bytes()
    os.close(reader)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../esc", "a\\b", "a\x1b[31m", "\udc80"])
def test_names_that_cannot_name_a_folder_are_refused(name):
    with pytest.raises(RunError, match="cannot name a folder"):
        check_name(name, "tracker")


def test_a_name_of_240_bytes_works_and_a_longer_one_is_refused(tmp_path, data):
    name = "n" * 240
    for part in ("JPEGImages", "Annotations"):
        (data / part / "480p" / "bee").rename(data / part / "480p" / name)
    results = tmp_path / "results"
    made = vosbench(
        *("run", "--no-evaluate", "--tracker", "copy-first", "--dataset", data),
        *("--results", results),
    )
    assert made.returncode == 0, made.stderr
    with pytest.raises(RunError, match="longer than 240 bytes"):
        check_name(name + "n", "sequence")


def test_a_tracker_cannot_write_elsewhere_by_its_name(tmp_path, data):
    plugin = tmp_path / "esc.py"
    plugin.write_text(
        """
from vosbench import TrackerSpec, hookimpl

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="../../esc", factory=object, summary=""))
"""
    )
    made = vosbench(
        *("run", "--plugin", plugin, "--tracker", "../../esc", "--dataset", data),
        *("--results", tmp_path / "deep/er/results"),
    )
    assert made.returncode == 5
    assert "'../../esc' cannot name a folder" in made.stderr
    assert not (tmp_path / "deep").exists()


def test_a_pipe_instead_of_a_frame_does_not_keep_us_waiting(tmp_path):
    os.mkfifo(tmp_path / "00000.jpg")
    with pytest.raises(DatasetError, match="no regular file"):
        read_image(tmp_path / "00000.jpg")


def test_links_that_lead_in_circles_are_no_sequences(tmp_path, data):
    frames = data / "JPEGImages/480p"
    (frames / "circle").symlink_to(frames, target_is_directory=True)
    (frames / "itself").symlink_to(frames / "itself")
    made = vosbench(
        *("run", "--no-evaluate", "--tracker", "copy-first", "--dataset", data),
        *("--results", tmp_path / "results"),
    )
    assert made.returncode == 0, made.stderr
    assert "circle, itself in" in made.stderr
    assert "no frames and no masks, left out" in made.stderr
    assert Run.open(tmp_path / "results/tiny/copy-first").done() == ["ant", "bee"]


def test_what_a_tracker_says_does_not_reach_the_terminal_raw():
    record = SequenceRecord.failure("ant", "boom \x1b[2J\x07 \udcff")
    assert record.error == r"boom \x1b[2J\x07 \udcff"
    assert "\x1b" not in VosbenchError("a\x1bb").message
    assert printable("plain ä\nlines") == "plain ä\nlines"


def change(run, **values):
    path = run.folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sequences": 5}, "sequences is '5'"),
        ({"options": []}, "options is"),
        ({"jobs": "two"}, "jobs is 'two'"),
        ({"status": "perhaps"}, "status is 'perhaps'"),
        ({"surprise": 1}, "unknown key 'surprise'"),
    ],
)
def test_stored_values_of_another_type_are_named(tmp_path, values, message):
    record = RunRecord(
        tracker="t",
        dataset="d",
        options={},
        changed={},
        seed=0,
        device="cpu",
        fingerprint="",
        protocol="davis2017",
        sequences=["ant"],
    )
    stored = Run(tmp_path, record)
    stored.save()
    assert Run.open(tmp_path).record == record
    change(stored, **values)
    with pytest.raises(RunError, match=message):
        Run.open(tmp_path)


def test_a_sequence_record_of_another_type_counts_as_not_there(tmp_path):
    for raw in ([], {"sequence": "ant"}, {"sequence": "ant", "status": "done", "frames": 1.5}):
        with pytest.raises(ValueError):
            record_from(SequenceRecord, raw)


def test_frames_that_change_while_they_are_tracked_fail_their_sequence(tmp_path, data):
    from pathlib import Path

    from vosbench.datasets.registry import open_dataset
    from vosbench.plugins import Plugins
    from vosbench.running.recorder import Progress

    class Touch(Progress):
        def called(self, sequence, call, frame):
            if (sequence, call, frame) == ("bee", "track", 2):
                frames = data / "JPEGImages/480p/bee"
                shutil.copy(frames / "00000.jpg", frames / "00003.jpg")

    plugins = Plugins([Path(fakes.__file__)])
    dataset = open_dataset(str(data), plugins, ())
    how = RunSettings(options={"sleep": "0.1"})
    made = run(plugins, dataset, "fake", how, results=tmp_path / "results", progress=Touch())[0]
    records = made.sequences()
    assert records["ant"].status == "done"
    assert records["bee"].status == "failed"
    assert "its files changed while it was tracked" in records["bee"].error
