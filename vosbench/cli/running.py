"""What is shared by commands that make several runs and compare them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.cli.run import run
from vosbench.errors import EvaluationError, RunError, VosbenchError
from vosbench.processes import interrupted_code

if TYPE_CHECKING:
    from vosbench.analysis.scored import ScoredRun

_SHARED = (
    "options", "seed", "device", "jobs", "limit", "sequences", "fresh", "timeout", "warmup",
    "isolate", "retries", "gpus", "runtime_env", "python", "executor",
)  # fmt: skip

#: (what it is, what came of it, why there is nothing).
Outcome = tuple[str, "ScoredRun | None", VosbenchError | None]


def add_running_options(command: click.Command) -> click.Command:
    """Give `command` the options of `vosbench run` that say what to run and how."""
    command.params += [param for param in run.params if param.name in _SHARED]
    return command


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C, TERM and HUP end the command with an exit code of their own and say how to resume."""
    try:
        yield
    except KeyboardInterrupt as error:
        click.echo("interrupted; run the same command again to resume", err=True)
        click.get_current_context().exit(interrupted_code(error))


def failures(scored: ScoredRun | None) -> dict[str, str]:
    """Sequence -> what went wrong."""
    records = scored.run.sequences().values() if scored else ()
    return {record.sequence: record.error for record in records if record.status == "failed"}


def tell(outcomes: Iterable[Outcome]) -> None:
    """Say what went wrong; the command ends with the code of the first."""
    codes: list[int] = []
    told: set[str] = set()
    for title, scored, error in outcomes:
        if failed := failures(scored):
            click.secho(f"failed: {title}, {len(failed)} sequence(s):", fg="red", err=True)
            for name, problem in failed.items():
                click.echo(f"  - {name}: {problem}", err=True)
            codes.append(RunError.exit_code)
        if error is not None:
            click.secho(f"failed: {title}: {error.message}", fg="red", err=True)
            for problem in error.problems if isinstance(error, EvaluationError) else ():
                click.echo(f"  - {problem}", err=True)
            if error.hint not in told | {""}:
                click.echo(error.hint, err=True)
            told.add(error.hint)
            codes.append(error.exit_code)
    if codes:
        click.get_current_context().exit(codes[0])


def note(kind: str, path: Path) -> None:
    """Say on standard error what was written."""
    click.echo(f"{kind}: {path}", err=True)
