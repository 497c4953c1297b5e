"""The adapters shown on their page are those that ship; they are short, and run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vosbench.plugins import Plugins
from vosbench.running.environments import NotInstalled
from vosbench.specs import TrackerSpec
from vosbench.testing import check_apart, conformance_cases

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "plugins" / "zoo" / "vosbench_zoo"
SHOWN = re.findall(
    r'^--8<-- "(\w+)\.py"$', (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8"), re.M
)


def first_declared() -> dict[str, TrackerSpec]:
    """The first tracker that each module of the zoo has."""
    found: dict[str, TrackerSpec] = {}
    for spec in Plugins().trackers.values():
        module = str(spec.factory).partition(":")[0].removeprefix("vosbench_zoo.")
        if str(spec.factory).startswith("vosbench_zoo."):
            found.setdefault(module, spec)
    return found


def test_every_adapter_that_is_declared_is_shown() -> None:
    assert set(SHOWN) == set(first_declared()) - {"sam"}


@pytest.mark.parametrize("adapter", SHOWN)
def test_an_adapter_that_is_shown_runs_where_its_package_is(adapter) -> None:
    """Installing the others: `pytest -m slow tests/zoo`."""
    spec = first_declared()[adapter]
    asked = {"weights": "random", "short_side": "96"}
    options = {option.name: asked[option.name] for option in spec.options if option.name in asked}
    cases = [case for case in conformance_cases() if case.name in ("late-objects", "odd-size")]
    try:
        outcomes = list(check_apart(Plugins(), spec.name, cases, options=options, untrained=True))
    except NotInstalled as error:
        pytest.skip(f"NOT RUN: {error.message}")
    assert [outcome.reason for outcome in outcomes if outcome.status != "passed"] == []


@pytest.mark.parametrize("name", ["cutie", "sam2"])
def test_cutie_and_sam_2_take_forty_lines(name) -> None:
    assert len((ZOO / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 40
