"""The command line. One file a command; commands are imported when they are asked for."""

from __future__ import annotations

import importlib
from typing import Any

import click

from vosbench.cli.options import load_plugins, plugin_options
from vosbench.errors import EvaluationError, VosbenchError

#: command -> (module:attribute, one-line help shown without importing the module)
COMMANDS = {
    "run": ("vosbench.cli.run:run", "Run trackers over datasets and score them."),
    "evaluate": ("vosbench.cli.evaluate:evaluate", "Score a run, or any folder of masks."),
    "compare": ("vosbench.cli.compare:compare", "Table of runs beside published numbers."),
    "report": ("vosbench.cli.report:report", "One HTML page to look at runs in."),
    "sweep": ("vosbench.cli.sweep:sweep", "Scores and FPS over the values of one option."),
    "ablate": ("vosbench.cli.ablate:ablate", "What each row of a ladder of trackers gains."),
    "show": ("vosbench.cli.show:show", "Overlays of a run as pictures or video."),
    "pack": ("vosbench.cli.pack:pack", "Submission archive for an evaluation server."),
    "datasets": ("vosbench.cli.datasets:datasets", "List, fetch and verify datasets."),
    "trackers": ("vosbench.cli.trackers:trackers", "List trackers and their options."),
    "plugins": ("vosbench.cli.plugins:plugins", "List plugins and why one is broken."),
    "new-plugin": ("vosbench.cli.new_plugin:new_plugin", "Write a working tracker plugin."),
    "test-tracker": ("vosbench.cli.test_tracker:test_tracker", "Conformance suite for a tracker."),
}


class VosbenchGroup(click.Group):
    """A group whose built-in commands import on use and whose errors speak plainly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        _add_plugin_commands(self)
        return [*COMMANDS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        _add_plugin_commands(self)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        rows = [(name, COMMANDS[name][1]) for name in names if name in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        extra = [(n, c.get_short_help_str(limit=72)) for n, c in self.commands.items()]
        if extra:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(extra)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VosbenchError as error:
            click.secho(f"error: {error.message}", fg="red", err=True)
            if isinstance(error, EvaluationError):
                for problem in error.problems:
                    click.echo(f"  - {problem}", err=True)
            if error.hint:
                click.echo(error.hint, err=True)
            ctx.exit(error.exit_code)


def _add_plugin_commands(group: VosbenchGroup) -> None:
    if not group.commands:
        load_plugins(tolerant=True).register_commands(group)


@click.group(cls=VosbenchGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="vosbench")
@plugin_options
def main() -> None:
    """Run, score, time and compare trackers of semi-supervised video object segmentation.

    \b
    Start here:
      vosbench run --tracker copy-first --dataset demo
      vosbench compare --dataset demo
    """
