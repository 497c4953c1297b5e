"""Loading plugins and `vosbench plugins`: a broken plugin is reported and never fatal."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.errors import PluginError
from vosbench.plugins import Plugins
from vosbench.specs import resolve_factory

TRACKER = """
from vosbench import Prediction, TrackerSpec, hookimpl

class Mine:
    def __init__(self, ctx): pass
    def init(self, frame, targets, ctx): pass
    def track(self, frame, targets, ctx): return Prediction.from_probabilities([], [])

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="mine", factory=Mine, summary="mine"))
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


def only(plugins: Plugins, name: str):
    (info,) = [info for info in plugins.infos if info.name == name]
    return info


def test_installed_plugins_are_sound():
    plugins = Plugins()
    assert plugins.broken == []
    assert {"copy-first", "flow", "oracle-box"} <= set(plugins.trackers)
    assert only(plugins, "baselines").version


def test_a_file_registers_its_tracker(tmp_path):
    plugins = Plugins([write(tmp_path, "my_file", TRACKER)], entry_points=False)
    assert plugins.tracker("mine").summary == "mine"
    assert only(plugins, "my_file").provides == {"trackers": ["mine"]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def f(:\n", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("raise ValueError('at import')", "ValueError: at import"),
        ("import no_such_module_of_anyone", "ModuleNotFoundError: No module named"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        (TRACKER + "    register(TrackerSpec(name='mine', factory=Mine, summary=''))", "twice"),
        (TRACKER + "    raise KeyError('half way')", "KeyError: 'half way'"),
        (TRACKER.replace("(register)", "(other)"), "PluginValidationError"),
        (TRACKER.replace('name="mine", ', ""), "TypeError"),
    ],
)
def test_a_broken_file_is_named_and_leaves_nothing_behind(tmp_path, text, reason):
    files = [write(tmp_path, "broken", text), write(tmp_path, "sound", TRACKER)]
    plugins = Plugins(files, entry_points=False)
    broken = only(plugins, "broken")
    assert plugins.broken == [broken]
    assert reason in broken.reason
    assert "Traceback" in broken.problem
    assert broken.provides == {}
    assert only(plugins, "sound").provides == {"trackers": ["mine"]}


def test_the_second_plugin_to_take_a_name_is_broken(tmp_path):
    files = [write(tmp_path, "first", TRACKER), write(tmp_path, "second", TRACKER)]
    plugins = Plugins(files, entry_points=False)
    assert only(plugins, "first").provides == {"trackers": ["mine"]}
    assert only(plugins, "second").reason == "tracker 'mine' is registered twice"


def test_an_unknown_tracker_names_near_ones_and_broken_plugins(tmp_path):
    files = [write(tmp_path, "sound", TRACKER), write(tmp_path, "broken", "1/0")]
    with pytest.raises(PluginError) as caught:
        Plugins(files, entry_points=False).tracker("mien")
    assert "'mien'" in caught.value.message
    assert "Did you mean mine?" in caught.value.hint
    assert "1 plugin(s) could not be loaded" in caught.value.hint


@pytest.mark.parametrize(
    ("factory", "problem"),
    [
        ("no_such_package:Thing", "No module named"),
        ("vosbench:Thing", "no attribute 'Thing'"),
        ("vosbench.specs", "no attribute ''"),
        ("vosbench:__version__", "not callable"),
    ],
)
def test_a_factory_that_cannot_be_had_is_named(factory, problem):
    with pytest.raises(PluginError, match=problem) as caught:
        resolve_factory(factory)
    assert factory in caught.value.message


COMMAND = """
import click
from vosbench import hookimpl

@hookimpl
def vosbench_register_commands(cli):
    @cli.command()
    def greet():
        "Say hello."
        click.echo("hello")
"""


def test_a_plugin_adds_a_command(tmp_path):
    path = str(write(tmp_path, "greeter", COMMAND))
    assert CliRunner().invoke(main, ["--plugin", path, "greet"]).output == "hello\n"
    assert "Say hello." in CliRunner().invoke(main, ["--plugin", path, "--help"]).output


def test_a_plugin_whose_commands_fail_does_not_break_the_command_line(tmp_path):
    path = str(write(tmp_path, "greeter", COMMAND + "    raise OSError('no command today')"))
    assert CliRunner().invoke(main, ["--plugin", path, "--help"]).exit_code == 0
    listing = CliRunner().invoke(main, ["plugins", "--plugin", path])
    assert "broken: OSError: no command today" in listing.output


def test_a_trackers_process_imports_nothing_but_trackers(tmp_path):
    file = write(tmp_path, "both", TRACKER + COMMAND.replace("import click", ""))
    code = (
        "import sys; from pathlib import Path; from vosbench.plugins import Plugins\n"
        f"plugins = Plugins([Path({str(file)!r})], trackers_only=True)\n"
        "assert 'mine' in plugins.trackers and not plugins.broken, plugins.infos\n"
        "assert not {'click', 'vosbench.datasets.builtin'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_listing_shows_source_version_what_is_registered_and_reason(tmp_path):
    sound = write(tmp_path, "sound", TRACKER)
    broken = write(tmp_path, "broken", "raise RuntimeError('why it is broken')")
    arguments = ["plugins", "--plugin", str(sound), "--plugin", str(broken)]
    arguments += ["--disable", "eosvos"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    lines = [line.strip() for line in result.output.splitlines()]

    def below(start: str) -> str:
        (place,) = [i for i, line in enumerate(lines) if line.startswith(start)]
        return lines[place + 1]

    version = importlib.metadata.version("vosbench")
    assert below(f"eosvos  vosbench {version}") == "disabled"
    assert below(f"sound  {sound}") == "trackers: mine"
    assert below(f"broken  {broken}") == "broken: RuntimeError: why it is broken"
    assert "Traceback" not in result.output
    assert "Traceback" in CliRunner().invoke(main, [*arguments, "--verbose"]).output


def test_listing_as_json(tmp_path):
    path = write(tmp_path, "sound", TRACKER)
    result = CliRunner().invoke(main, ["plugins", "--plugin", str(path), "--json"])
    by_name = {info["name"]: info for info in json.loads(result.stdout)}
    assert by_name["sound"]["provides"] == {"trackers": ["mine"]}
    assert by_name["sound"]["source"] == str(path)
    assert by_name["baselines"]["problem"] == ""


def test_the_configuration_file_disables_a_plugin(tmp_path, monkeypatch):
    config = tmp_path / "own.toml"
    config.write_text('disable = ["baselines"]')
    monkeypatch.setenv("VOSBENCH_CONFIG", str(config))
    result = CliRunner().invoke(main, ["plugins", "--json"])
    by_name = {info["name"]: info for info in json.loads(result.stdout)}
    assert by_name["baselines"]["problem"] == "disabled"
    assert by_name["baselines"]["provides"] == {}
