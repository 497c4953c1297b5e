"""Every frame, radius and series whose official value we know, compared to the last bit."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vosbench.metrics import boundary_radius, contour_accuracy, region_similarity, statistics
from vosbench.metrics.contour import Shape
from vosbench.metrics.mosev2 import score_frame
from vosbench.metrics.series import bin_edges

GOLDEN = Path(__file__).parent.parent / "golden"
PAIRS = json.loads((GOLDEN / "pairs" / "expected.json").read_text())
RADII = json.loads((GOLDEN / "radii.json").read_text())
SERIES = json.loads((GOLDEN / "stats.json").read_text())


def read_pair(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    def read(kind: str) -> np.ndarray:
        return np.asarray(Image.open(GOLDEN / "pairs" / f"{case['name']}_{kind}.png")) != 0

    annotation, prediction = read("gt"), read("pred")
    if case["void"]:
        void = read("void")
        annotation, prediction = annotation & ~void, prediction & ~void
    return annotation, prediction


@pytest.mark.parametrize("case", PAIRS, ids=lambda case: case["name"])
def test_pair_has_the_official_j_and_f(case: dict[str, Any]) -> None:
    annotation, prediction = read_pair(case)
    assert list(annotation.shape) == case["shape"]
    assert boundary_radius(*annotation.shape) == case["radius"]
    assert region_similarity(annotation, prediction) == case["J"]
    assert contour_accuracy(annotation, prediction) == case["F"]
    # The program of DAVIS-2016 agrees; it knows no void.
    assert (case["J"], case["F"]) == (
        case.get("davis2016_J", case["J"]),
        case.get("davis2016_F", case["F"]),
    )
    shape, other = Shape(annotation), Shape(prediction)
    assert shape.overlap(other) == (case["intersection"], case["union"])
    assert (shape.length, other.length) == (
        case["gt_boundary_pixels"],
        case["pred_boundary_pixels"],
    )


@pytest.mark.parametrize(
    "case", [case for case in PAIRS if "mosev2" in case], ids=lambda case: case["name"]
)
def test_pair_has_the_official_mosev2_scores(case: dict[str, Any]) -> None:
    annotation, prediction = read_pair(case)
    score = score_frame(Shape(annotation), Shape(prediction))
    expected = case["mosev2"]
    assert (score.j, score.f, score.f_new) == (expected["J"], expected["F"], expected["F_new"])
    assert score.empty == expected["empty_gt"]


def test_radius_of_common_sizes() -> None:
    for case in RADII:
        assert boundary_radius(case["h"], case["w"]) == case["radius"], case


@pytest.mark.parametrize("case", SERIES, ids=lambda case: case["name"])
def test_series_has_the_official_statistics(case: dict[str, Any]) -> None:
    values = [math.nan if value == "NaN" else value for value in case["values"]]
    mean, recall, decay = statistics(values)
    assert _same(mean, case["M"])
    assert _same(recall, case["O"])
    edges = case["edges_true"]
    assert bin_edges(len(values)) == edges
    if edges == case["edges_official_uint8"] and len(values) != 256:
        assert _same(decay, case["D"])
    elif values:  # the official edges overflow their 8 bits
        first, last = values[edges[0] : edges[1] + 1], values[edges[3] : edges[4] + 1]
        assert decay == float(np.mean(first) - np.mean(last))
    else:
        assert math.isnan(decay)


def test_decay_of_256_values_is_that_of_the_older_numpy() -> None:
    (case,) = (case for case in SERIES if len(case["values"]) == 256)
    assert statistics(case["values"]).decay == 0.7460937538461538


@pytest.mark.parametrize("measure", [region_similarity, contour_accuracy])
def test_masks_of_different_shape_are_refused(measure: Any) -> None:
    with pytest.raises(ValueError, match="shape"):
        measure(np.zeros((4, 5), bool), np.zeros((5, 4), bool))


def _same(value: float, expected: float | str) -> bool:
    return math.isnan(value) if expected == "NaN" else value == expected
