"""`copy-first`: conformance, and the answer that its name promises on real video."""

from __future__ import annotations

import numpy as np
import pytest

from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, moving_discs


@pytest.fixture(scope="module")
def spec():
    return Plugins().tracker("copy-first")


@pytest.mark.parametrize("case", conformance_cases(), ids=str)
def test_conformance(spec, case):
    outcome = check_tracker(spec, case)
    assert outcome.status == "passed" or case.name == "processes", outcome.reason


def test_masks_stay_and_late_objects_lie_on_top(spec, track):
    sequence = moving_discs("late", (60, 80), 5, {4: 0, 2: 2})
    sequence.labels[2, :, :30] = 2  # covers part of the object that is there already
    outputs = track(spec, sequence)
    first = sequence.labels[0]
    assert all(np.array_equal(labels, first) for labels in outputs[:2])
    expected = np.where(sequence.labels[2] == 2, 2, first)
    assert all(np.array_equal(labels, expected) for labels in outputs[3:])
