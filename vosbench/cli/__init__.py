"""The command line. One file a command; commands are imported when they are asked for."""

from __future__ import annotations

import importlib
from typing import Any

import click

from vosbench.cli.options import load_plugins, plugin_options
from vosbench.errors import EvaluationError, FileError, UsageError, VosbenchError
from vosbench.processes import interrupted_code, signals_raised

#: command -> (module:attribute, one-line help shown without importing the module)
COMMANDS = {
    "run": ("vosbench.cli.run:run", "Run trackers over datasets and score them."),
    "push": ("vosbench.cli.push:push", "Send a part of a sharded run elsewhere."),
    "merge": ("vosbench.cli.merge:merge", "Put the parts of sharded runs together."),
    "evaluate": ("vosbench.cli.evaluate:evaluate", "Score a run, or any folder of masks."),
    "import": ("vosbench.cli.importing:import_masks", "Masks of any program as a run."),
    "compare": ("vosbench.cli.compare:compare", "Table of runs beside published numbers."),
    "report": ("vosbench.cli.report:report", "One HTML page to look at runs in."),
    "view": ("vosbench.cli.view:view", "Look at every frame of runs in the browser."),
    "sweep": ("vosbench.cli.sweep:sweep", "Scores and FPS over the values of one option."),
    "ablate": ("vosbench.cli.ablate:ablate", "What each row of an ablation gains."),
    "show": ("vosbench.cli.show:show", "Overlays of a run as pictures or video."),
    "pack": ("vosbench.cli.pack:pack", "Submission archive for an evaluation server."),
    "datasets": ("vosbench.cli.datasets:datasets", "List, fetch and verify datasets."),
    "metrics": ("vosbench.cli.metrics:metrics", "List measures and protocols."),
    "trackers": ("vosbench.cli.trackers:trackers", "List trackers, install those of others."),
    "plugins": ("vosbench.cli.plugins:plugins", "List plugins and why one is broken."),
    "new-plugin": ("vosbench.cli.new_plugin:new_plugin", "Write a working tracker plugin."),
    "test-tracker": ("vosbench.cli.test_tracker:test_tracker", "Conformance suite for a tracker."),
}


class VosbenchGroup(click.Group):
    """A group whose built-in commands import on use and whose errors speak plainly."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [*COMMANDS, *load_plugins(tolerant=True).commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in COMMANDS:
            module, _, attribute = COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        return load_plugins(tolerant=True).commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
        extra = load_plugins(tolerant=True).commands
        if extra:
            with formatter.section("Commands of plugins"):
                formatter.write_dl(
                    [(name, c.get_short_help_str(limit=72)) for name, c in extra.items()]
                )

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with signals_raised():
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            click.echo("interrupted", err=True)
            ctx.exit(interrupted_code(error))
        except (VosbenchError, OSError, UnicodeEncodeError) as error:
            if isinstance(error, UnicodeEncodeError):
                error = UsageError(f"the name {str(error.object)[:80]!r} is no UTF-8", "Rename it.")
            elif isinstance(error, OSError):
                if isinstance(error, ConnectionError | TimeoutError | ChildProcessError):
                    raise  # no file's fault
                error = FileError.of(error)
            click.secho(f"error: {error.message}", fg="red", err=True)
            if isinstance(error, EvaluationError):
                for problem in error.problems:
                    click.echo(f"  - {problem}", err=True)
            if error.hint:
                click.echo(error.hint, err=True)
            ctx.exit(error.exit_code)


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
