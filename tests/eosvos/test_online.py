"""Online adaptation: which frames it learns from, when, and that it starts from theta_T."""

import numpy as np
import pytest
import torch

from vosbench_eosvos.finetune import make_example
from vosbench_eosvos.online import KEPT, Memory
from vosbench_eosvos.tracker import EosvosTracker


@pytest.fixture
def seen(tiny, scene):
    """(makes an example of a target, probabilities in a frame)."""
    model = tiny.build_model()
    frames, _ = scene()
    with torch.no_grad():
        features = model(torch.from_numpy(frames[0].image).permute(2, 0, 1)[None], stop=3)
    probabilities = np.zeros(frames[0].size, np.float32)
    probabilities[10:30, 10:40] = 0.99
    probabilities[30:40, 10:40] = 0.6
    return lambda target: make_example(model, features, target, 3), probabilities


@pytest.mark.parametrize("rule", sorted(set(KEPT) - {"lagged"}))
def test_a_rule_keeps_the_latest_frames_that_show_the_object(rule, seen):
    example, probabilities = seen
    memory = Memory(rule)
    for t in range(6):
        shifted = np.roll(probabilities, t, axis=1)
        memory.observe(shifted, 0.9, 0, example)
    memory.observe(np.zeros_like(probabilities), 0.0, 0, example)
    memory.observe(None, 0.0, 0, example)
    left = [float(example.targets[0]["boxes"][0, 0]) for example in memory.examples]
    assert left == [10 + t for t in range(6)][-KEPT[rule] :]


def test_the_lagged_rule_takes_the_third_and_fourth_last_frame_if_the_object_was_found(seen):
    example, probabilities = seen

    def left(found):
        memory = Memory("lagged")
        for t, there in enumerate(found):
            shifted = np.roll(probabilities, t, axis=1) if there else None
            memory.observe(shifted, 0.1, 0, example)
        return [float(e.targets[0]["boxes"][0, 0]) - 10 for e in memory.examples]

    assert left([1, 1]) == []
    assert left([1, 1, 1]) == [0]
    assert left([1, 1, 1, 1, 1]) == [2, 1]
    assert left([1, 1, 0, 1, 1]) == [1]
    assert left([1, 0, 0, 1, 1]) == []


def test_only_the_confident_rule_asks_for_a_score(seen):
    example, probabilities = seen
    for rule in ("confident", "recent", "ignore"):
        memory = Memory(rule)
        memory.observe(probabilities, 0.4, 0, example)
        assert len(memory.examples) == (rule != "confident")


def test_the_confident_rule_learns_from_no_frame_that_shows_a_part_only(seen):
    example, probabilities = seen
    shown = int((probabilities >= 0.5).sum())
    for largest, kept in ((shown, 1), (int(1.4 * shown), 1), (int(1.5 * shown), 0)):
        memory = Memory("confident")
        memory.observe(probabilities, 0.9, largest, example)
        assert len(memory.examples) == kept


def test_the_ignoring_rule_marks_unsure_pixels_only(seen):
    example, probabilities = seen
    memory = Memory("ignore")
    memory.observe(probabilities, 0.9, 0, example)
    mask = memory.examples[0].targets[0]["masks"][0]
    assert mask[10:30, 10:40].eq(1).all()
    assert mask[30:40, 10:40].isnan().all()
    assert mask.isnan().sum() == 300 and mask.nansum() == 600


def run(ctx, scene, frames=7):
    """The tracker after a sequence, and theta_T before it."""
    images, masks = scene(frames)
    tracker = EosvosTracker(ctx)
    tracker.init(images[0], {1: masks[0][1]}, ctx)
    [state] = tracker.objects[1].states.values()
    base = {name: value.clone() for name, value in state.base.items()}
    changed = []
    for frame in images[1:]:
        before = state.params
        prediction = tracker.track(frame, {}, ctx)
        tracker.update(frame, prediction.label_map(), ctx)
        changed.append(state.params is not before)
    return tracker, state, base, changed


@pytest.mark.parametrize("rule", KEPT)
def test_it_adapts_every_few_frames_from_theta_T_itself(rule, make_context, scene):
    ctx = make_context(
        online=True, online_every=3, online_iterations=1, online_frames=rule, min_score=0.05
    )
    _, state, base, changed = run(ctx, scene)
    assert changed == [False, False, True, False, False, True]
    for name, value in base.items():
        assert torch.equal(state.base[name], value)
    assert any(not torch.equal(state.params[n], base[n]) for n in base)


def test_no_steps_bring_back_theta_T_exactly(make_context, scene):
    """Whatever was learned at frame 3, the adaptation at frame 6 starts from theta_T."""
    ctx = make_context(online=True, online_every=3, online_iterations=2, min_score=0.05)
    tracker, state, base, changed = run(ctx, scene, frames=6)
    assert changed[2]
    tracker.settings = type(tracker.settings).from_options({**ctx.options, "online_iterations": 0})
    frame = scene(7)[0][6]
    tracker.update(frame, tracker.track(frame, {}, ctx).label_map(), ctx)
    assert state.params.keys() == base.keys()
    assert all(torch.equal(state.params[name], base[name]) for name in base)
