"""The reference pages say what the code says."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from vosbench import errors
from vosbench.cli import main
from vosbench.hookspecs import RegistrationHooks, SessionHooks
from vosbench.plugins import Plugins
from vosbench.store import RunRecord, SequenceRecord

DOCS = Path(__file__).parents[2] / "docs"


def sections(page: str, level: int) -> dict[str, str]:
    """Heading -> text below it, up to the next heading."""
    text = (DOCS / page).read_text(encoding="utf-8")
    parts = re.split(rf"^{'#' * level} (.+)$", text, flags=re.MULTILINE)
    bodies = (
        re.split(r"^#{1,6} ", body, maxsplit=1, flags=re.MULTILINE)[0] for body in parts[2::2]
    )
    return dict(zip(parts[1::2], bodies, strict=True))


def first_column(table: str) -> set[str]:
    """What stands in backquotes in the first column of a Markdown table."""
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


HOOKS = {
    name: function
    for group in (RegistrationHooks, SessionHooks)
    for name, function in inspect.getmembers(group, inspect.isfunction)
}


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_and_each_of_its_arguments_is_documented(hook):
    text = sections("hooks.md", 3)[hook]
    described = set(re.findall(r"^- `(\w+)`: ", text, flags=re.MULTILINE))
    assert described == set(inspect.signature(HOOKS[hook]).parameters) - {"self"}


def test_no_hook_is_documented_that_is_not_there():
    assert set(sections("hooks.md", 3)) == set(HOOKS)


def examples() -> Iterator[tuple[str, str]]:
    for heading, text in sections("hooks.md", 3).items():
        for code in re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
            yield heading, code


@pytest.mark.parametrize(("hook", "code"), list(examples()))
def test_every_example_of_a_hook_is_a_plugin_that_loads(hook, code, tmp_path):
    path = tmp_path / f"example_{hook}.py"
    path.write_text(code)
    plugins = Plugins([path], entry_points=False)
    (info,) = [info for info in plugins.infos if info.name == path.stem]
    assert info.problem == ""
    if hook.startswith("vosbench_register_"):
        assert list(info.provides) == [hook.removeprefix("vosbench_register_")]


@pytest.mark.parametrize(
    ("heading", "record"),
    [("run.json", RunRecord), ("sequences/&lt;sequence&gt;.json", SequenceRecord)],
)
def test_every_key_of_a_record_is_documented(heading, record):
    documented = first_column(sections("formats.md", 3)[heading])
    assert documented == {field.name for field in dataclasses.fields(record)}


def test_every_exit_code_is_documented():
    table = sections("formats.md", 2)["Exit codes"]
    documented = set(map(int, re.findall(r"^\| (\d+) \|", table, flags=re.MULTILINE)))
    classes = inspect.getmembers(errors, lambda v: inspect.isclass(v) and issubclass(v, Exception))
    assert documented == {0, 1, 130, *(kind.exit_code for _, kind in classes)}


def commands(
    command: click.Command, parent: click.Context | None, name: str
) -> Iterator[click.Context]:
    context = click.Context(
        command, parent, info_name=name, terminal_width=88, **command.context_settings
    )
    yield context
    if isinstance(command, click.Group):
        for sub in command.list_commands(context):
            found = command.get_command(context, sub)
            assert found is not None
            yield from commands(found, context, sub)


def reference() -> str:
    """docs/commands.md as it must be."""
    parts = [
        "# Commands",
        "`vosbench COMMAND --help` prints what stands here. `--plugin` and `--disable` may stand "
        "before or after the command.",
    ]
    for context in commands(main, None, "vosbench"):
        parts.append(f"## {context.command_path}")
        parts.append(f"```text\n{context.get_help().rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def test_the_commands_page_holds_each_commands_help():
    """VOSBENCH_UPDATE_DOCS=1 writes the page."""
    page = DOCS / "commands.md"
    if os.environ.get("VOSBENCH_UPDATE_DOCS"):
        page.write_text(reference(), encoding="utf-8")
    written = page.read_text(encoding="utf-8")
    assert written == reference(), "run this test with VOSBENCH_UPDATE_DOCS=1 and commit the page"


def test_every_command_is_listed_with_a_help_line():
    result = subprocess.run(
        [sys.executable, "-m", "vosbench", "--help"], capture_output=True, text=True, check=True
    )
    for name in main.list_commands(click.Context(main)):
        assert re.search(rf"^  {name} +\S", result.stdout, flags=re.MULTILINE), name


def test_links_between_pages_and_to_pictures_lead_somewhere():
    for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
