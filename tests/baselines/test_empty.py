"""`empty`: nothing is predicted, and the docs say what each measure makes of that."""

from __future__ import annotations

import pytest

from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, moving_discs


@pytest.fixture(scope="module")
def spec():
    return Plugins().tracker("empty")


@pytest.mark.parametrize("case", conformance_cases(), ids=str)
def test_conformance(spec, case):
    outcome = check_tracker(spec, case)
    assert outcome.ok, outcome.reason


def test_nothing_is_predicted(spec, track):
    outputs = track(spec, moving_discs("discs", (40, 50), 5, {4: 0, 2: 2}))
    # Where an object is given, its mask is written whatever the tracker says.
    assert not any(outputs[n].any() for n in (1, 3, 4))
