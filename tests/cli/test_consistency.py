"""What holds for the options of every command alike."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from vosbench.cli import COMMANDS, main

#: `view` prints an address and serves until it is stopped.
WITHOUT_JSON = {"view"}


def commands() -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(ctx, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {n}", sub) for n, sub in command.commands.items())


@pytest.fixture(scope="module", params=commands(), ids=lambda pair: pair[0])
def command(request) -> tuple[str, dict[str, click.Option]]:
    name, found = request.param
    options = [p for p in found.params if isinstance(p, click.Option)]
    return name, {flag: option for option in options for flag in option.opts}


def test_options_of_one_name_are_the_same_everywhere(command) -> None:
    _, options = command
    if jobs := options.get("--jobs"):
        assert jobs.default == 1 or "default: 1 here" in jobs.help
        assert jobs.type.min == 1
    if device := options.get("--device"):
        assert device.default == "auto" and device.callback is not None
    if seed := options.get("--seed"):
        assert seed.default == 0 and (seed.type.min, seed.type.max) == (0, 2**32 - 1)
    if output := options.get("--output"):
        assert output.help.startswith("Write ")
        assert output.metavar in output.make_metavar(click.Context(main))
        assert (output.metavar == "DIR") == ("this folder" in output.help)
    assert "--directory" not in options


def test_every_command_answers_in_json(command) -> None:
    name, options = command
    assert "--json" in options or name in WITHOUT_JSON


def test_what_repeats_says_so_in_the_same_words(command) -> None:
    for flag, option in command[1].items():
        assert option.multiple == ("May be repeated" in (option.help or "")), flag
        assert "epeatable" not in (option.help or "")


def test_every_option_has_a_sentence(command) -> None:
    for flag, option in command[1].items():
        assert option.help, flag
        assert option.help[0].isupper() or option.help.split(",")[0] in ("text", "cpu"), flag
        assert option.help.endswith((".", ")")), flag


@pytest.mark.parametrize(
    "arguments", [["run", "--tracker", "flow", "--dataset", "demo"], ["test-tracker", "flow"]]
)
def test_an_unknown_device_is_named(arguments) -> None:
    result = CliRunner().invoke(main, [*arguments, "--device", "gpu"])
    assert result.exit_code == 2 and "--device gpu" in result.output


def completions(*typed: str) -> list[str]:
    *arguments, incomplete = typed
    complete = ShellComplete(main, {}, "vosbench", "_VOSBENCH_COMPLETE")
    return [item.value for item in complete.get_completions(arguments, incomplete)]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("run", "--tracker", "copy"), "copy-first"),
        (("sweep", "--tracker", "copy"), "copy-first"),
        (("test-tracker", "copy"), "copy-first"),
        (("trackers", "copy"), "copy-first"),
        (("trackers", "install", "deaot"), "deaot-t"),
        (("run", "--tracker", "flow", "-o", "pre"), "preset="),
        (("run", "--tracker", "flow", "-o", "preset="), "preset=fast"),
        (("compare", "--dataset", "de"), "demo"),
        (("report", "--dataset", "davis16-v"), "davis16-val"),
        (("compare", "--format", "mark"), "markdown"),
        (("evaluate", "--protocol", "davis2016"), "davis2016"),
        (("show", "--dataset", "demo", "--sequence", "coff"), "coffee"),
        (("run", "--executor", "lo"), "local"),
        (("run", "--device", "cu"), "cuda"),
        (("run", "--perturb", "blur=3,mask-b"), "blur=3,mask-box"),
        (("sweep", "--tracker", "flow", "--set", "pre"), "preset="),
        (("ablate", "--rows", "flow,copy"), "flow,copy-first"),
        (("evaluate", "--metrics", "success,pres"), "success,presence"),
        (("compare", "--measure", "J-D"), "J-Decay"),
        (("compare", "--published", "XM"), "XMem"),
        (("test-tracker", "flow", "--case", "caus"), "causal"),
        (("datasets", "fetch", "davis17-v"), "davis17-val"),
        (("run", "--disable", "zo"), "zoo"),
        (("base",), "baselines"),
        (("baselines", "sea"), "search-lr"),
        (("baselines", "search-lr", "--tracker", "osv"), "osvos-50"),
        (("baselines", "search-lr", "--tracker", "osvos-50", "-o", "iter"), "iterations="),
        (("baselines", "search-lr", "--dataset", "davis16-f"), "davis16-fit"),
        (("eosvos", "crossval", "--tracker", "eosvos-50-"), "eosvos-50-ona"),
        (("eosvos", "crossval", "-o", "iter"), "iterations="),
    ],
    ids=" ".join,
)
def test_the_shell_completes_names(typed, offered) -> None:
    assert offered in completions(*typed)


#: Free texts, addresses, numbers in lists, names that are yet to be given, what training knows.
PLAIN = {
    "--shard", "--name", "--sort", "name", "--size", "--rates", "--without", "--folds",
    "--iterations", "--inner-steps", "--set", "--model", "--backbone", "--weights", "url", "parts",
}  # fmt: skip


def test_whatever_is_a_name_is_completed_in_commands_of_plugins_too() -> None:
    def walk(command: click.Command) -> Iterator[click.Parameter]:
        yield from command.params
        if isinstance(command, click.Group):
            ctx = click.Context(command)
            for name in command.list_commands(ctx):
                found = command.get_command(ctx, name)
                assert found is not None
                yield from walk(found)

    texts = {p.opts[0] for p in walk(main) if p.type is click.STRING and p.name != "help"}
    assert texts <= PLAIN


def test_the_shell_completes_runs(tmp_path) -> None:
    from vosbench.store import Run, RunRecord

    record = RunRecord(
        tracker="mine", dataset="demo", options={}, changed={"k": 1}, seed=0, device="cpu",
        fingerprint="", protocol="davis2017", sequences=[],
    )  # fmt: skip
    Run(tmp_path / "demo" / record.name, record).save()
    where = ("--results", str(tmp_path), "--dataset", "demo")
    assert completions("show", *where, "--tracker", "mi") == ["mine", "mine+k=1"]
    assert completions("compare", *where, "--tracker", "mine+") == ["mine+k=1"]


def test_json_of_a_table_is_its_format(tmp_path) -> None:
    arguments = ["compare", "--published-for", "davis17-val", "--results", str(tmp_path)]
    arguments += ["--dataset", "davis17-val"]
    short = CliRunner().invoke(main, [*arguments, "--json"])
    long = CliRunner().invoke(main, [*arguments, "--format", "json"])
    assert short.exit_code == 0, short.output
    assert json.loads(short.stdout) == json.loads(long.stdout)
