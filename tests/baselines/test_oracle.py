"""`oracle-box`: a bound made from true boxes, honest about where it takes them from."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vosbench.errors import DatasetError, UsageError
from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, moving_discs
from vosbench.tracking.session import TrackerFailure


@pytest.fixture(scope="module")
def spec():
    return Plugins().tracker("oracle-box")


@pytest.mark.parametrize("case", conformance_cases(), ids=str)
def test_conformance(spec, case, tmp_path):
    for sequence in case.sequences((96, 128)):
        sequence.write_annotations(tmp_path)
    outcome = check_tracker(spec, case, options={"annotations": str(tmp_path)})
    assert outcome.status == "passed" or case.name == "processes", outcome.reason


def test_says_that_it_is_an_upper_bound(spec):
    assert spec.summary.startswith("UPPER BOUND")


def test_fills_the_true_box(spec, track, tmp_path):
    sequence = moving_discs("box", (60, 100), 4)
    sequence.write_annotations(tmp_path)
    outputs = track(spec, sequence, annotations=str(tmp_path))
    rows, columns = np.nonzero(sequence.labels[3])
    expected = np.zeros((60, 100), np.uint8)
    expected[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = 1
    assert np.array_equal(outputs[3], expected)


def test_the_first_mask_in_the_true_box_is_exact_where_only_the_place_changes(
    spec, track, overlap, tmp_path
):
    sequence = moving_discs("mask", (60, 100), 4, {2: 0, 9: 0})
    sequence.write_annotations(tmp_path)
    outputs = track(spec, sequence, annotations=str(tmp_path), fill="first-mask")
    assert np.array_equal(outputs[3], sequence.labels[3])


def test_the_smaller_box_is_in_front(spec, track, tmp_path):
    sequence = moving_discs("front", (60, 100), 2, {1: 0, 2: 0})
    sequence.labels[:] = 1
    sequence.labels[:, 20:40, 30:50] = 2
    sequence.write_annotations(tmp_path)
    outputs = track(spec, sequence, annotations=str(tmp_path))
    assert np.array_equal(outputs[1], sequence.labels[1])


def test_reads_annotations_of_0_and_255(spec, track, tmp_path):
    sequence = moving_discs("grey", (60, 100), 3)
    (tmp_path / "grey").mkdir()
    for index, labels in enumerate(sequence.labels):
        Image.fromarray(labels * 255).save(tmp_path / "grey" / f"{index:05d}.png")
    outputs = track(spec, sequence, annotations=str(tmp_path), fill="first-mask")
    assert np.array_equal(outputs[2], sequence.labels[2])


def test_refuses_to_run_without_or_with_foreign_annotations(spec, track, tmp_path):
    sequence = moving_discs("mine", (60, 100), 3)
    with pytest.raises(UsageError, match="annotations names no folder"):
        track(spec, sequence)
    with pytest.raises(UsageError, match="is no folder"):
        track(spec, sequence, annotations=str(tmp_path / "none"))
    with pytest.raises((TrackerFailure, DatasetError), match=r"00000\.png does not exist"):
        track(spec, sequence, annotations=str(tmp_path))
    other = moving_discs("mine", (60, 100), 3, {1: 0}, speed=0.2)
    other.labels[0] = 1
    other.write_annotations(tmp_path)
    with pytest.raises((TrackerFailure, UsageError), match="does not show the mask given"):
        track(spec, sequence, annotations=str(tmp_path))
