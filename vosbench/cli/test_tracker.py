"""`vosbench test-tracker`: the conformance suite, for authors of trackers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.names import CASE, TRACKER
from vosbench.cli.options import (
    device_option,
    json_option,
    load_plugins,
    plugin_options,
    seed_option,
    setting_option,
)
from vosbench.cli.run import options_of
from vosbench.errors import PluginError, UsageError, VosbenchError

if TYPE_CHECKING:
    from vosbench.specs import TrackerSpec
    from vosbench.testing import Case, Outcome

_COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow", "left out": "yellow"}


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", type=TRACKER)
@click.option(
    "--all", "everything", is_flag=True,
    help="Every tracker; those that do not run on the device or need an option are left out.",
)  # fmt: skip
@setting_option
@device_option
@seed_option
@click.option(
    "--size", default="96x128", show_default=True, metavar="HxW",
    help="Height and width of most of the rendered sequences, in pixels.",
)  # fmt: skip
@click.option(
    "--untrained", is_flag=True, help="The weights are random: do not judge what it finds."
)
@click.option(
    "--case", "only", multiple=True, metavar="NAME", type=CASE,
    help="Only this case. May be repeated.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=600.0, show_default=True,
    metavar="SECONDS", help="End a tracker that takes longer for one case.",
)  # fmt: skip
@click.option(
    "--write-annotations", "annotations", metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="First write the true masks there, for a tracker with an option that names them.",
)  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="One line a tracker, and its failures in full.")
@click.option("-v", "--verbose", is_flag=True, help="Show the tracebacks of failures.")
@plugin_options
@json_option
def test_tracker(
    names: tuple[str, ...],
    everything: bool,
    options: tuple[str, ...],
    device: str,
    seed: int,
    size: str,
    only: tuple[str, ...],
    untrained: bool,
    timeout: float,
    annotations: Path | None,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Put trackers through the conformance suite.

    Small rendered sequences, through the session that real runs use: shapes and ids, determinism,
    causality, state that leaks between sequences, late and vanishing objects, odd masks and sizes,
    endurance, answers that change with the process, the hour or a name, objects mixed up. A tracker
    has a process of its own: one that dies or hangs fails that case. Exits with 4 if a tracker
    fails a case or cannot be built. It says almost nothing about a tracker's quality.

    \b
    Examples:
      vosbench test-tracker mine --plugin mine.py
      vosbench test-tracker --all --quiet -o iterations=3
      vosbench test-tracker oracle-box --write-annotations true -o annotations=true
    """
    from vosbench.running.executors.environment import resolve_device
    from vosbench.running.runner import find_tracker
    from vosbench.testing import check_apart, conformance_cases

    plugins = load_plugins()
    if bool(names) == everything:
        raise UsageError("give trackers' names, or --all", "`vosbench trackers` lists them.")
    chosen = list(plugins.trackers) if everything else dict.fromkeys(names)
    specs = [
        plugins.tracker(name) if everything else find_tracker(plugins, name) for name in chosen
    ]
    for spec in () if everything else specs:
        _require_device(spec, device)
    given = options_of(specs, options)
    cases, height_width = _cases(conformance_cases(), only), _size(size)
    if annotations is not None:
        for sequence in (one for case in cases for one in case.sequences(height_width)):
            sequence.write_annotations(annotations)

    trials = [_Trial(spec, given[spec.name]) for spec in specs]
    for trial in trials:
        if len(trials) > 1 and not quiet and not as_json:
            click.secho(trial.spec.name, bold=True)
        try:
            _require_device(trial.spec, device)
            for outcome in check_apart(
                plugins,
                trial.spec.name,
                cases,
                options=trial.given,
                device=resolve_device(device, trial.spec),
                seed=seed,
                size=height_width,
                untrained=untrained,
                timeout=timeout,
            ):
                trial.outcomes.append(outcome)
                if not quiet and not as_json:
                    _show(outcome, verbose)
        except VosbenchError as error:
            trial.problem = str(error)
            trial.left_out = everything and trial.lacks(error, device)
        if not as_json and (quiet or trial.problem):
            _show_in_short(trial)
    if as_json:
        import json

        click.echo(json.dumps([trial.as_json() for trial in trials], indent=1))
    faults = [trial.fault() for trial in trials if trial.status == "failed"]
    if faults:
        hint = "" if quiet or verbose or as_json else "--verbose shows the tracebacks."
        raise PluginError(_sum_up(faults, len(trials)), hint)
    if not as_json:
        click.echo(_praise(trials))


@dataclass
class _Trial:
    """A tracker, the options given to it, and its results.

    Attributes:
        outcomes: of each case, in order.
        problem: why there are none.
        left_out: whether that is no fault of the tracker.
    """

    spec: TrackerSpec
    given: dict[str, str]
    outcomes: list[Outcome] = field(default_factory=list)
    problem: str = ""
    left_out: bool = False

    @property
    def status(self) -> str:
        if self.left_out:
            return "left out"
        if self.problem or self.failed:
            return "failed"
        return "passed" if self.count("passed") else "skipped"

    @property
    def failed(self) -> list[str]:
        return [outcome.case.name for outcome in self.outcomes if not outcome.ok]

    def count(self, status: str) -> int:
        """Number of cases with this status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    def fault(self) -> str:
        """What is wrong, in one line."""
        if self.problem:
            return f"{self.spec.name}: {self.problem.splitlines()[0]}"
        failed = self.failed
        name, cases = self.spec.name, len(self.outcomes)
        return f"{name} fails {len(failed)} of {cases} cases: {', '.join(failed)}"

    def lacks(self, error: VosbenchError, device: str) -> bool:
        """Whether it only lacks the right device, an option that has no default, or the environment
        that `vosbench trackers install` makes."""
        from vosbench.running.environments import NotInstalled

        if isinstance(error, NotInstalled):
            return True
        values = self.spec.resolve_options(self.given).values()
        return isinstance(error, UsageError) and ("" in values or not _runs_on(self.spec, device))

    def as_json(self) -> dict[str, Any]:
        return {
            "tracker": self.spec.name,
            "options": self.given,
            "status": self.status,
            "problem": self.problem,
            "cases": [
                {
                    "case": outcome.case.name,
                    "status": outcome.status,
                    "reason": outcome.reason,
                    "traceback": outcome.traceback,
                    "seconds": round(outcome.seconds, 3),
                }
                for outcome in self.outcomes
            ],
        }


def _runs_on(spec: TrackerSpec, device: str) -> bool:
    from vosbench.running.executors.environment import resolve_device

    return resolve_device(device, spec).partition(":")[0] in spec.capabilities.devices


def _require_device(spec: TrackerSpec, device: str) -> None:
    if not _runs_on(spec, device):
        runs_on = ", ".join(spec.capabilities.devices)
        raise UsageError(
            f"tracker {spec.name!r} does not run on {device!r}", f"It runs on: {runs_on}."
        )


def _cases(cases: tuple[Case, ...], only: tuple[str, ...]) -> list[Case]:
    known = {case.name: case for case in cases}
    for wanted in only:
        if wanted not in known:
            raise UsageError(f"there is no case {wanted!r}", f"Cases: {', '.join(known)}.")
    return [known[wanted] for wanted in only] or list(cases)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or min(map(int, match.groups())) < 16:
        raise UsageError(f"--size {text!r} is no HEIGHTxWIDTH of at least 16x16, e.g. 96x128")
    return int(match[1]), int(match[2])


def _show(outcome: Outcome, verbose: bool) -> None:
    click.secho(f"{outcome.status:8}", fg=_COLOURS[outcome.status], nl=False)
    click.echo(f"{outcome.case.name:14}{outcome.seconds:6.1f} s  {outcome.case.demand}")
    if outcome.reason:
        click.echo(f"{'':31}{outcome.reason}")
    if verbose and outcome.traceback:
        click.echo(outcome.traceback)


def _show_in_short(trial: _Trial) -> None:
    """One line, then all that is wrong."""
    counts = "".join(f"{trial.count(s):4} {s}" for s in ("passed", "failed", "skipped"))
    seconds = sum(outcome.seconds for outcome in trial.outcomes)
    click.secho(f"{trial.status:10}", fg=_COLOURS[trial.status], nl=False)
    click.echo(f"{trial.spec.name:22}{counts}{seconds:8.1f} s")
    if trial.problem:
        click.echo(trial.problem)
    for outcome in trial.outcomes:
        if not outcome.ok:
            click.echo(f"{outcome.case.name}: {outcome.reason}\n{outcome.traceback}")


def _sum_up(faults: list[str], trackers: int) -> str:
    if trackers == 1:
        return faults[0]
    return "\n  - ".join([f"{len(faults)} of {trackers} trackers fail", *faults])


def _praise(trials: list[_Trial]) -> str:
    tested = [trial for trial in trials if not trial.left_out]
    left_out = f"; {len(trials) - len(tested)} left out" if len(trials) > len(tested) else ""
    passed = sum(trial.count("passed") for trial in tested)
    skipped = sum(trial.count("skipped") for trial in tested)
    cases = f"{passed} case{'' if passed == 1 else 's'}" + (
        f", {skipped} skipped" if skipped else ""
    )
    if len(trials) == 1 and not passed:
        return f"{trials[0].spec.name} is put to no case: {skipped} skipped."
    if len(trials) == 1:
        return f"{trials[0].spec.name} passes: {cases}."
    return f"{len(tested)} trackers pass: {cases}{left_out}."
