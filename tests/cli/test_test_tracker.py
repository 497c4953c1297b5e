"""`vosbench test-tracker`: one tracker or all, sound, faulty, dying, hanging or not to be built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vosbench.cli import main
from vosbench.errors import PluginError, UsageError
from vosbench.testing import conformance_cases, fakes

PLUGIN = """
import multiprocessing
import numpy as np
from vosbench import Capabilities, Option, Prediction, TrackerSpec, hookimpl
from vosbench.errors import UsageError

class Still:
    def __init__(self, ctx): pass
    def init(self, frame, targets, ctx):
        self.labels = np.zeros(frame.size, np.uint8)
        self.add(targets)
    def add(self, targets):
        for obj, mask in targets.items():
            self.labels[mask] = obj
    def track(self, frame, targets, ctx):
        self.add(targets)
        return Prediction.from_labels(self.labels)

class Forgetful(Still):
    def add(self, targets):
        if len(targets) > 2:
            raise MemoryError("too many")
        super().add(targets)

class Helped(Still):
    def __init__(self, ctx):
        helper = multiprocessing.get_context("fork").Process(target=int)
        helper.start()
        helper.join()

class Trained(Still):
    def __init__(self, ctx):
        if ctx.options["weights"] in ("", "absent"):
            raise UsageError("there are no weights", "Give -o weights=FILE.")

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="still", factory=Still, summary="stands still"))
    register(TrackerSpec(name="forgetful", factory=Forgetful, summary="loses things"))
    register(TrackerSpec(name="helped", factory=Helped, summary="has processes of its own"))
    for name, default in (("bare", ""), ("shipped", "absent")):
        option = Option("weights", default, "a file")
        register(TrackerSpec(name=name, factory=Trained, summary="learned", options=(option,)))
    register(TrackerSpec(
        name="gpu", factory=Still, summary="", capabilities=Capabilities(devices=("cuda",))
    ))
"""

FAKES = fakes.__file__


@pytest.fixture
def plugin(tmp_path: Path) -> str:
    path = tmp_path / "still_plugin.py"
    path.write_text(PLUGIN)
    return str(path)


def suite(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["test-tracker", *arguments])


def test_each_case_is_told(plugin):
    result = suite("still", "--plugin", plugin)
    assert result.exit_code == 0, result.output
    for case in conformance_cases():
        assert f"passed  {case.name}" in result.stdout
    assert "still passes: 20 cases" in result.stdout


def test_a_failure_has_reason_and_traceback(plugin):
    result = suite("forgetful", "--plugin", plugin, "-v")
    assert result.exit_code == PluginError.exit_code
    assert "failed  sparse-ids" in result.stdout
    assert "init, frame 00000: MemoryError: too many" in result.stdout
    assert 'raise MemoryError("too many")' in result.stdout
    assert "forgetful fails 3 of 20 cases: sparse-ids, thin-lines, many-objects" in result.stderr


def test_chosen_cases_only(plugin):
    result = suite("forgetful", "--plugin", plugin, "--case", "causal")
    assert result.exit_code == 0, result.output
    assert "passes: 1 case." in result.stdout


def test_several_trackers_in_short(plugin):
    result = suite("still", "forgetful", "--plugin", plugin, "--quiet", "--case", "thin-lines")
    assert result.exit_code == PluginError.exit_code
    first, second, failure = result.stdout.splitlines()[:3]
    assert first.split()[:4] == ["passed", "still", "1", "passed"]
    assert second.split()[:6] == ["failed", "forgetful", "0", "passed", "1", "failed"]
    assert failure == "thin-lines: init, frame 00000: MemoryError: too many"
    assert 'raise MemoryError("too many")' in result.stdout
    assert "1 of 2 trackers fail\n  - forgetful fails 1 of 1 cases: thin-lines" in result.stderr


def test_all_leaves_out_what_lacks_a_device_or_an_option_but_not_what_lacks_its_weights(plugin):
    result = suite(
        "--all", "--json", "--plugin", plugin, "--disable", "baselines", "--disable", "eosvos",
        "--disable", "zoo",
        "--case", "runs",
    )  # fmt: skip
    assert result.exit_code == PluginError.exit_code
    assert "1 of 6 trackers fail\n  - shipped: there are no weights" in result.stderr
    found = {trial["tracker"]: trial for trial in json.loads(result.stdout)}
    assert {name: trial["status"] for name, trial in found.items()} == {
        "still": "passed",
        "forgetful": "passed",
        "helped": "passed",
        "bare": "left out",
        "shipped": "failed",
        "gpu": "left out",
    }
    assert found["gpu"]["problem"].startswith("tracker 'gpu' does not run on 'auto'")
    assert found["bare"]["problem"] == "there are no weights\nGive -o weights=FILE."
    assert [case["status"] for case in found["still"]["cases"]] == ["passed"]


def test_options_go_to_the_trackers_that_have_them(plugin):
    result = suite("still", "bare", "--plugin", plugin, "-o", "weights=mine", "--case", "runs")
    assert result.exit_code == 0, result.output
    assert "2 trackers pass: 2 cases" in result.stdout
    result = suite("still", "bare", "--plugin", plugin, "-o", "wait=1")
    assert result.exit_code == UsageError.exit_code
    assert "no tracker given has an option 'wait'" in result.stderr


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("segfault", "the process was killed by SIGSEGV"),
        ("exit", "the process ended with exit code 7"),
        ("hang", "no answer within 4 s (--timeout), so it was ended"),
    ],
)
def test_a_tracker_that_dies_or_hangs_fails_that_case_only(fault, reason):
    result = suite(
        "fake", "--plugin", FAKES, "-o", f"fault={fault}", "-o", "sequence=repeats",
        "--case", "runs", "--case", "repeats", "--case", "causal", "--timeout", "4", "--json",
    )  # fmt: skip
    assert result.exit_code == PluginError.exit_code
    (trial,) = json.loads(result.stdout)
    assert [case["status"] for case in trial["cases"]] == ["passed", "failed", "passed"]
    assert trial["cases"][1]["reason"] == reason


def test_where_every_case_is_skipped_nothing_has_passed(plugin):
    result = suite(
        "still", "--plugin", plugin, "--untrained", "--case", "finds", "--case", "finds-odd"
    )
    assert result.exit_code == 0, result.output
    assert "still is put to no case: 2 skipped." in result.stdout
    result = suite("still", "--plugin", plugin, "--untrained", "--case", "finds", "--json")
    assert [trial["status"] for trial in json.loads(result.stdout)] == ["skipped"]


def test_what_a_tracker_prints_does_not_get_between_the_cases(tmp_path, capfd):
    path = tmp_path / "loud.py"
    path.write_text(
        PLUGIN.replace("def __init__(self, ctx): pass", "def __init__(self, ctx): print('LOUD')")
    )
    result = suite("still", "--plugin", str(path), "--case", "runs")
    assert result.exit_code == 0, result.output
    seen = capfd.readouterr()
    assert "LOUD" not in result.output + seen.out + seen.err


def test_one_that_cannot_be_built_says_why():
    result = suite("fake", "--plugin", FAKES, "-o", "load=raise")
    assert result.exit_code == PluginError.exit_code
    assert "tracker 'fake' cannot be built: RuntimeError: weights are missing" in result.stderr


def test_the_upper_bound_is_given_the_true_masks(tmp_path):
    folder = str(tmp_path / "true")
    result = suite("oracle-box", "--write-annotations", folder, "-o", f"annotations={folder}")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "there is no tracker called 'nobody'"),
        ([], "give trackers' names, or --all"),
        (["still", "--all"], "give trackers' names, or --all"),
        (["still", "--size", "huge"], "--size 'huge' is no HEIGHTxWIDTH"),
        (["still", "-o", "steps"], "-o steps: expected KEY=VALUE"),
        (["still", "-o", "steps=1"], "tracker 'still' has no option 'steps'"),
        (["still", "--case", "nothing"], "there is no case 'nothing'"),
        (["still", "--device", "tpu"], "--device tpu: no such kind of device"),
        (["gpu", "--device", "cpu"], "tracker 'gpu' does not run on 'cpu'"),
    ],
)
def test_what_it_cannot_use_is_refused(plugin, arguments, message):
    result = suite(*arguments, "--plugin", plugin)
    assert result.exit_code in (UsageError.exit_code, PluginError.exit_code)
    assert message in result.stderr


def test_what_a_tracker_draws_when_it_is_built_is_seeded_though_it_is_what_imports_torch(tmp_path):
    folder = tmp_path / "drawn_plugin"
    folder.mkdir()
    declared = PLUGIN[PLUGIN.index("@hookimpl") :].split("    for name")[0]
    (folder / "__init__.py").write_text(
        "from vosbench import TrackerSpec, hookimpl\n"
        + declared.replace("factory=Still", 'factory="drawn_plugin.tracker:Drawn"')
        .replace("factory=Forgetful", 'factory="drawn_plugin.tracker:Drawn"')
        .replace("factory=Helped", 'factory="drawn_plugin.tracker:Drawn"')
    )
    (folder / "tracker.py").write_text(
        "import torch\nfrom vosbench import Prediction\n\n"
        "class Drawn:\n"
        "    def __init__(self, ctx):\n"
        "        self.drawn = int(torch.randint(1 << 30, ()))\n"
        "    def init(self, frame, targets, ctx):\n"
        "        self.ids = torch.tensor([0, *targets])\n"
        "    def track(self, frame, targets, ctx):\n"
        "        generator = torch.Generator().manual_seed(self.drawn)\n"
        "        labels = torch.randint(len(self.ids), frame.size, generator=generator)\n"
        "        return Prediction.from_labels(self.ids[labels])\n"
    )
    result = suite("still", "--plugin", str(folder), "--untrained", "--case", "processes")
    assert result.exit_code == 0, result.output


def test_two_processes_must_agree(tmp_path):
    path = tmp_path / "counter.py"
    path.write_text(
        PLUGIN.replace(
            "class Still", "import os\n\nSHIFT = os.urandom(1)[0]\n\nclass Still"
        ).replace(
            "return Prediction.from_labels(self.labels)",
            "return Prediction.from_labels(np.roll(self.labels, SHIFT))",
        )
    )
    assert "self.labels, SHIFT" in path.read_text()
    results = [suite("still", "--plugin", str(path), "--case", "processes") for _ in range(3)]
    assert any("two processes differ" in result.output for result in results)
