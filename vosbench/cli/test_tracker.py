"""`vosbench test-tracker`: the conformance suite, for authors of trackers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from vosbench.cli.options import load_plugins, plugin_options
from vosbench.errors import PluginError, UsageError

if TYPE_CHECKING:
    from vosbench.testing import Outcome

_COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow"}


@click.command()
@click.argument("name")
@click.option(
    "-o",
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Option of the tracker. May be repeated.",
)
@click.option("--device", default="cpu", show_default=True, help="Torch device to run on.")
@click.option("--seed", default=0, show_default=True, help="Seed of every run.")
@click.option(
    "--size",
    default="96x128",
    show_default=True,
    metavar="HxW",
    help="Height and width of most of the rendered sequences, in pixels.",
)
@click.option("--case", "only", multiple=True, metavar="NAME", help="Only this case. Repeatable.")
@click.option("-v", "--verbose", is_flag=True, help="Show the tracebacks of failures.")
@plugin_options
def test_tracker(
    name: str,
    options: tuple[str, ...],
    device: str,
    seed: int,
    size: str,
    only: tuple[str, ...],
    verbose: bool,
) -> None:
    """Put tracker NAME through the conformance suite.

    Small rendered sequences, through the session that real runs use: shapes and ids, determinism,
    causality, state that leaks between sequences, late and vanishing objects, odd masks and sizes.
    Exits with 4 if the tracker fails a case. It says nothing about the tracker's quality.
    """
    from vosbench.testing import check_tracker, conformance_cases

    spec = load_plugins().tracker(name)
    cases = {case.name: case for case in conformance_cases()}
    for wanted in only:
        if wanted not in cases:
            raise UsageError(f"there is no case {wanted!r}", f"Cases: {', '.join(cases)}.")
    if device.partition(":")[0] not in spec.capabilities.devices:
        runs_on = ", ".join(spec.capabilities.devices)
        raise UsageError(f"tracker {name!r} does not run on {device!r}", f"It runs on: {runs_on}.")

    height_width, given = _size(size), _pairs(options)
    failed = []
    chosen = [cases[wanted] for wanted in only] or list(cases.values())
    for case in chosen:
        outcome = check_tracker(
            spec, case, options=given, device=device, seed=seed, size=height_width
        )
        _show(outcome, verbose)
        if not outcome.ok:
            failed.append(case.name)
    if failed:
        raise PluginError(
            f"{name} fails {len(failed)} of {len(chosen)} cases: {', '.join(failed)}",
            "" if verbose else "--verbose shows the tracebacks.",
        )
    click.echo(f"{name} holds to all it is asked ({len(chosen)} cases).")


def _show(outcome: Outcome, verbose: bool) -> None:
    click.secho(f"{outcome.status:8}", fg=_COLOURS[outcome.status], nl=False)
    click.echo(f"{outcome.case.name:14}{outcome.seconds:6.1f} s  {outcome.case.demand}")
    if outcome.reason:
        click.echo(f"{'':31}{outcome.reason}")
    if verbose and outcome.traceback:
        click.echo(outcome.traceback)


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if match is None or min(map(int, match.groups())) < 16:
        raise UsageError(f"--size {text!r} is no HEIGHTxWIDTH of at least 16x16, e.g. 96x128")
    return int(match[1]), int(match[2])


def _pairs(options: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"-o {text!r} is not KEY=VALUE", "For example: -o iterations=10")
        pairs[key] = value
    return pairs
