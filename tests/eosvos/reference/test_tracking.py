"""The tracker with the paper's conventions against the reference's whole evaluation."""

import logging

import numpy as np
import pytest

from vosbench.types import Context, Frame
from vosbench_eosvos.tracker import EosvosTracker
from vosbench_eosvos.variants import specs

SPECS = {spec.name: spec for spec in specs()}
BOX, SCORE, PIXELS = 1e-3, 1e-5, 10


@pytest.fixture(scope="module")
def weights(learned, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "paper.safetensors"
    learned.save(path)
    return path


@pytest.fixture
def context(weights, tmp_path):
    def make(variant, **options):
        given = {"weights": str(weights)} | {k: str(v) for k, v in options.items()}
        values = SPECS[variant].resolve_options(given)
        return Context("cpu", 0, values, tmp_path, logging.getLogger())

    return make


#: Settings of the reference in its clips without fine-tuning.
CLIPS = {
    "object1_extend": {},
    "object1_unpropagated": {"box_propagation": "no"},
    "object1_replace": {"proposals": 0, "propagated_boxes": 1000},
    "object2_replace": {"proposals": 0, "propagated_boxes": 1000},
    "object1_replace_enlarged": {"proposals": 0, "propagated_boxes": 1000, "short_side": 192},
}


@pytest.mark.parametrize("clip", CLIPS)
def test_frames_from_a_given_mask(clip, recipe, golden, context, moves_by_formula):
    numbers = golden("torchvision04")
    ctx = context("eosvos-paper-10", **{"iterations": 0, "short_side": 0, **CLIPS[clip]})
    tracker = EosvosTracker(ctx)
    identity = int(clip.removeprefix("object")[0])
    image, labels = recipe.scene(0)
    tracker.init(Frame(image, 0, "0"), {identity: labels == identity}, ctx)
    seen = []
    tracker.model.register_forward_hook(lambda _module, _in, out: seen.append(out))
    scale = 1.5 if clip.endswith("enlarged") else 1.0
    for wanted, pixels in zip(
        numbers.numbers["clip"][clip], numbers.arrays[f"clip_{clip}"], strict=True
    ):
        t = wanted["frame"]
        prediction = tracker.track(Frame(recipe.scene(t)[0], t, str(t)), {}, ctx)
        [found] = next(out for out in reversed(seen) if isinstance(out, list))
        box = (found.boxes[0] / scale).tolist()
        assert box == pytest.approx(wanted["box_native"], abs=BOX)
        assert float(found.scores[0]) == pytest.approx(wanted["score"], abs=SCORE)
        mask = prediction.scores[0] >= 0.5
        assert (mask != (pixels >= 127.5)).sum() <= 1
        assert abs(int(mask.sum()) - wanted["area"]) <= 1
        assert np.abs(prediction.scores[0] - pixels / 255).max() < 0.01


def test_whole_evaluation_with_online_adaptation(
    recipe, golden, context, first_ones_sampled, moves_by_formula
):
    """Two objects, nine frames, two steps, an adaptation before frame 6."""
    ctx = context("eosvos-paper-10-ona", iterations=2, online_iterations=2, short_side=0)
    tracker = EosvosTracker(ctx)
    image, labels = recipe.scene(0)
    found = [labels]
    tracker.init(Frame(image, 0, "0"), {i: labels == i for i in (1, 2)}, ctx)
    for t in range(1, 9):
        frame = Frame(recipe.scene(t)[0], t, str(t))
        prediction = tracker.track(frame, {}, ctx)
        found.append(prediction.label_map())
        tracker.update(frame, found[-1], ctx)
    differing = np.stack(found) != golden("end_to_end_torchvision04").arrays["labels"]
    assert differing.sum() <= PIXELS
