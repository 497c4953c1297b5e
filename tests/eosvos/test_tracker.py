"""The tracker as the harness uses it, on a tiny model with random weights."""

import numpy as np
import pytest
import torch

from vosbench.datasets.reading import read_image, read_labels
from vosbench.errors import UsageError
from vosbench.testing import check_tracker, conformance_cases
from vosbench.types import Frame
from vosbench_eosvos.colours import colour_bins
from vosbench_eosvos.judge import judge
from vosbench_eosvos.model import Detections
from vosbench_eosvos.tracker import EosvosTracker
from vosbench_eosvos.variants import specs
from vosbench_eosvos.weights import find_outline

SPECS = {spec.name: spec for spec in specs()}


def track(ctx, frames, given, late=None):
    """Predictions for all frames but the first."""
    tracker = EosvosTracker(ctx)
    tracker.init(frames[0], given, ctx)
    predictions = []
    for frame in frames[1:]:
        prediction = tracker.track(frame, (late or {}).get(frame.index, {}), ctx)
        tracker.update(frame, prediction.label_map(), ctx)
        predictions.append(prediction)
    tracker.close(ctx)
    return predictions


def test_two_objects_together_are_what_each_is_alone(make_context, scene):
    frames, masks = scene(3)
    ctx = make_context(
        learn_from="frame",
        average=0.0,
        min_score=0.05,
        online=True,
        online_every=1,
        online_iterations=1,
    )
    together = track(ctx, frames, masks[0])
    for channel, identity in enumerate((1, 2)):
        alone = track(ctx, frames, {identity: masks[0][identity]})
        for both, one in zip(together, alone, strict=True):
            assert both.ids == (1, 2) and one.ids == (identity,)
            assert one.scores.max() > 0.05
            assert np.array_equal(both.scores[channel], one.scores[0])


def test_steps_are_averaged_where_an_object_is_alone(make_context, scene):
    frames, masks = scene(2)

    def scores(given, average):
        ctx = make_context(learn_from="frame", iterations=4, min_score=0.05, average=average)
        return track(ctx, frames, given)[0].scores

    assert np.array_equal(scores(masks[0], 0.0), scores(masks[0], 0.5))
    first = {1: masks[0][1]}
    assert not np.array_equal(scores(first, 0.0), scores(first, 0.5))


def test_one_seed_gives_one_answer(make_context, scene):
    frames, masks = scene(3)
    options = {"min_score": 0.05, "learn_from": "views", "iterations": 2}

    def run(seed):
        predictions = track(make_context(seed=seed, **options), frames, masks[0])
        return np.stack([p.scores for p in predictions])

    assert np.array_equal(run(0), run(0))
    assert not np.array_equal(run(0), run(1))


@pytest.mark.parametrize("learn_from", ["copies", "views"])
def test_snapshots_equal_runs_of_that_length(make_context, scene, learn_from):
    frames, masks = scene(3)
    given = {1: masks[0][1]}  # alone, or there would be no views
    options = {"min_score": 0.05, "learn_from": learn_from}
    marks = []
    ctx = make_context(iterations=1, snapshots=(0, 1, 3), **options)
    ctx.on_snapshot = marks.append
    swept = track(ctx, frames, given)
    assert marks == ["iterations=0", "iterations=1", "iterations=3"]
    for steps in (0, 1, 3):
        alone = track(make_context(iterations=steps, **options), frames, given)
        for many, one in zip(swept, alone, strict=True):
            assert np.array_equal(many.variants[f"iterations={steps}"].scores, one.scores)
            assert steps != 1 or np.array_equal(many.scores, one.scores)


def test_a_late_object_is_learned_where_it_appears(make_context, scene):
    frames, masks = scene(4)
    ctx = make_context(min_score=0.05)
    predictions = track(ctx, frames, {1: masks[0][1]}, late={2: {2: masks[2][2]}})
    assert [p.ids for p in predictions] == [(1,), (1, 2), (1, 2)]
    assert np.array_equal(predictions[1].scores[1] > 0.5, masks[2][2])
    assert predictions[2].scores[1].max() > 0.05


def one_pixel(size):
    mask = np.zeros(size, bool)
    mask[size[0] // 2, size[1] // 2] = True
    return mask


def thin_line(size):
    mask = np.zeros(size, bool)
    mask[size[0] // 2] = True
    return mask


def far_parts(size):
    mask = np.zeros(size, bool)
    mask[:6, :6] = mask[-6:, -6:] = True
    return mask


@pytest.mark.parametrize(
    "draw",
    [one_pixel, thin_line, far_parts, np.ones, np.zeros],
    ids=["one pixel", "thin line", "far parts", "whole frame", "nothing"],
)
def test_degenerate_first_masks(draw, make_context, scene):
    frames, _ = scene(3)
    mask = np.asarray(draw(frames[0].size), bool)
    ctx = make_context(
        learn_from="views",
        iterations=2,
        online=True,
        online_every=1,
        online_iterations=1,
        min_score=0.05,
    )
    for prediction in track(ctx, frames, {1: mask}):
        assert np.isfinite(prediction.scores).all()
        assert prediction.scores.min() >= 0 and prediction.scores.max() <= 1
        if not mask.any():
            assert not prediction.label_map().any()


def test_continuity_moves_the_choice_towards_the_last_box(make_context, scene):
    frames, masks = scene(2)
    overlaps = []
    for weight in (0, 100):
        ctx = make_context(
            min_score=0.05,
            continuity=weight,
            sizes=False,
            motion=False,
            windows=False,
            colours=False,
        )
        tracker = EosvosTracker(ctx)
        tracker.init(frames[0], {1: masks[0][1]}, ctx)
        last = masks[0][1]
        [found] = tracker.track(frames[1], {}, ctx).scores
        found = found > 0.5
        overlaps.append((last & found).sum() / (last | found).sum())
    assert overlaps[1] > max(0.6, overlaps[0])


def test_an_object_that_is_not_found_is_empty_and_may_come_back(make_context, scene):
    frames, masks = scene(3)
    tracker = EosvosTracker(ctx := make_context(min_score=0.05, motion=False, windows=False))
    tracker.init(frames[0], {1: masks[0][1]}, ctx)
    [state] = tracker.objects[1].states.values()
    box = state.box
    tracker.settings = type(tracker.settings).from_options({**ctx.options, "min_score": 1.1})
    gone = tracker.track(frames[1], {}, ctx)
    assert not gone.scores.any()
    assert state.box == box  # the last known box is kept
    tracker.settings = type(tracker.settings).from_options(ctx.options)
    assert tracker.track(frames[2], {}, ctx).scores.max() > 0.05


def test_an_object_seen_a_moment_ago_is_not_asked_for_its_colours_where_it_is_expected(
    make_context, scene
):
    frames, masks = scene(2)
    tracker = EosvosTracker(ctx := make_context())
    tracker.init(frames[0], {1: masks[0][1]}, ctx)
    [state] = tracker.objects[1].states.values()
    dark = colour_bins(np.where(masks[0][1][..., None], np.uint8(90), frames[0].image))
    size = tracker.features.size
    look = state.colours.look(dark, size)
    place = torch.tensor([state.box])
    beside = place + torch.tensor([20.0, 8.0, 20.0, 8.0])
    nothing = torch.zeros(0)
    found = Detections(torch.cat([place, beside]), torch.ones(2), nothing, nothing, None)
    assert judge(found, size, 1, state, look, tracker.settings)[1].tolist() == [True, False]
    assert judge(found, size, 5, state, look, tracker.settings)[1].tolist() == [False, False]


def test_steps_see_the_given_frame_and_new_views_of_it_in_turn(make_context, scene):
    frames, masks = scene(1)
    tracker = EosvosTracker(make_context())
    features = tracker.examples.look(frames[0].image).whole()
    itself = tracker.examples.example(features, masks[0][1])
    given = frames[0], masks[0][1], itself, (0, 1)
    batches = tracker.examples.batches(*given, alone=True)
    seen = [batches(step) for step in range(4)]
    assert seen[0] is seen[2] is itself
    views = [next(iter(view.features.maps.values())) for view in (*seen[1::2], batches(1))]
    assert not torch.equal(views[0], views[1]) and torch.equal(views[0], views[2])
    assert all(view.targets[0]["masks"].any() for view in seen)
    among_others = tracker.examples.batches(*given, alone=False)
    assert all(among_others(step) is itself for step in range(4))


@pytest.mark.parametrize(("short_side", "enlarge"), [(32, False), (96, True), (96, False)])
def test_predictions_have_native_size_whatever_the_working_size(
    short_side, enlarge, make_context, scene
):
    frames, masks = scene(2)
    ctx = make_context(short_side=short_side, enlarge=enlarge, min_score=0.05)
    tracker = EosvosTracker(ctx)
    tracker.init(frames[0], masks[0], ctx)
    prediction = tracker.track(frames[1], {}, ctx)
    assert prediction.scores.shape == (2, *frames[0].size)
    worked = {(32, False): (32, 48), (96, True): (96, 144), (96, False): (64, 96)}
    assert tracker.features.size == worked[short_side, enlarge]


def test_masks_as_fine_as_asked_for(make_context):
    trained = EosvosTracker(make_context()).model.config
    finer = EosvosTracker(make_context(mask_window=20, mask_rois=3)).model.config
    assert (finer.mask_window, finer.mask_rois) == (20, 3)
    assert trained.mask_window != 20 and trained.mask_rois != 3
    assert finer.mask_scale == trained.mask_scale
    with pytest.raises(UsageError, match="mask_window=-1"):
        EosvosTracker(make_context(mask_window=-1))


def test_one_pixel_survives_shrinking(make_context, scene):
    frames, _ = scene(2)
    [prediction] = track(make_context(short_side=24), frames, {1: one_pixel(frames[0].size)})
    assert np.isfinite(prediction.scores).all()


def test_a_second_sequence_of_another_size_starts_afresh(make_context, scene):
    frames, masks = scene(2)
    other = [Frame(f.image[:48, :70].copy(), f.index, f.name) for f in frames]
    ctx = make_context(min_score=0.05)
    tracker = EosvosTracker(ctx)
    for images, given in ((other, {7: masks[0][1][:48, :70]}), (frames, masks[0])):
        tracker.init(images[0], given, ctx)
        found = tracker.track(images[1], {}, ctx)
        tracker.close(ctx)
    assert found.ids == (1, 2)
    [fresh] = track(ctx, frames, masks[0])
    assert np.array_equal(found.scores, fresh.scores)


def test_weights_that_are_missing_or_no_weights_are_named(make_context, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not weights")
    for weights in (broken, "nowhere"):
        ctx = make_context()
        ctx.options = {**ctx.options, "weights": str(weights)}
        with pytest.raises(UsageError, match=str(weights)):
            EosvosTracker(ctx)


def test_the_run_records_which_weights_it_used(make_context, tiny_weights):
    used = []
    ctx = make_context()
    ctx.on_file = lambda path, digest: used.append((path, len(digest)))
    EosvosTracker(ctx)
    assert used == [(tiny_weights, 64), (find_outline("outline-lite"), 64)]
    used.clear()
    ctx = make_context(outline="edges")
    ctx.on_file = lambda path, digest: used.append((path, len(digest)))
    EosvosTracker(ctx)
    assert used == [(tiny_weights, 64)]


def test_shipped_weights_follow_a_real_object(davis_root, make_context):
    """On a sequence that no training saw. J there is above .9 at full size."""
    names = ["00000", "00020", "00040"]
    folder = davis_root / "JPEGImages/480p/car-turn"
    frames = [Frame(read_image(folder / f"{n}.jpg"), i, n) for i, n in enumerate(names)]
    folder = davis_root / "Annotations/480p/car-turn"
    masks = [read_labels(folder / f"{n}.png", binary=True) > 0 for n in names]
    ctx = make_context(weights="eosvos-lite", iterations=3, short_side=240)
    predictions = track(ctx, frames, {1: masks[0]})
    for prediction, mask in zip(predictions, masks[1:], strict=True):
        found = prediction.label_map() > 0
        assert (found & mask).sum() / (found | mask).sum() > 0.75


@pytest.mark.parametrize("case", conformance_cases(slow=False), ids=str)
def test_conformance(case, tiny_weights):
    """All variants are one class: the one with everything switched on stands for them."""
    options = {
        "weights": str(tiny_weights),
        "iterations": "1",
        "learn_from": "views",
        "online_iterations": "1",
        "min_score": "0.05",
        "enlarge": "no",
    }
    outcome = check_tracker(SPECS["eosvos-10-ona"], case, options=options, size=(48, 64))
    assert outcome.ok, outcome.reason


def test_every_fine_tuning_step_says_that_it_gets_on(make_context, scene):
    frames, masks = scene(2)
    ctx = make_context(iterations=3)
    heard = []
    ctx.on_progress = heard.append
    EosvosTracker(ctx).init(frames[0], masks[0], ctx)
    assert heard == [1, 2, 3, 4, 5, 6]  # two objects
