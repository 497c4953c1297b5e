"""`handcrafted`: one rate for all of the same model; conformance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vosbench.plugins import Plugins
from vosbench.testing import check_tracker, conformance_cases, make_context, moving_discs
from vosbench.tracking.session import make_tracker
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config

SIZE = (64, 96)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny model with neuron-level rates, most of them zero: of no concern here."""
    model = build_model(get_config("lite", fpn_channels=32, box_features=32, mask_channels=16))
    learned = LearnedOptimiser.create(model, "neuron", 0.0)
    with torch.no_grad():
        learned.state["box_score.bias"].copy_(torch.tensor([-1.0, 1.0]))
    path = tmp_path_factory.mktemp("handcrafted") / "tiny.safetensors"
    learned.save(path)
    return path


@pytest.fixture(scope="module")
def spec():
    return Plugins().tracker("handcrafted-10")


@pytest.fixture(scope="module")
def options(weights):
    return {"weights": str(weights), "iterations": "1", "bf16": "off", "enlarge": "no"}


@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_conformance(spec, options, case):
    outcome = check_tracker(spec, case, options=options, size=SIZE)
    assert outcome.status == "passed" or case.name == "processes", outcome.reason


def test_every_parameter_moves_by_its_gradient_times_the_one_rate(spec, options, tmp_path):
    sequence = moving_discs("rate", SIZE, 1)
    moved = []
    for rate in ("1e-4", "2e-4"):
        ctx = make_context(spec, tmp_path, options={**options, "rate": rate})
        tracker = make_tracker(spec, ctx)
        assert set(tracker.start) == set(tracker.learned.learning)
        tracker.init(sequence[0], sequence.clip().given[0], ctx)
        (state,) = tracker.objects[1].states.values()
        moved.append({n: state.base[n] - tracker.start[n] for n in tracker.start})
    assert max(float(m.abs().max()) for m in moved[0].values()) > 0
    for name, once in moved[0].items():
        np.testing.assert_allclose(moved[1][name], 2 * once, atol=1e-6, err_msg=name)


def test_variants_differ_in_steps_and_share_the_rate():
    trackers = Plugins().trackers
    variants = {n: t for n, t in trackers.items() if n.startswith("handcrafted-")}
    steps = {name: spec.settings["iterations"] for name, spec in variants.items()}
    assert steps == {f"handcrafted-{n}": n for n in (10, 50, 100, 1000)}
    assert len({spec.resolve_options({})["rate"] for spec in variants.values()}) == 1
