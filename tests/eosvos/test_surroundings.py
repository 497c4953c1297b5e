"""Where an object is looked for: regions hold it, and what is seen of them is seen of the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import vosbench_eosvos.detect as detect_module
import vosbench_eosvos.tracker as tracker_module
from vosbench_eosvos.surroundings import EVERY, LEAST, Region, surroundings, whole_image
from vosbench_eosvos.tracker import EosvosTracker
from vosbench_learning.backbone import CELL, StageOutputs

SIDES = st.integers(40, 900)


@st.composite
def boxes_in_images(draw):
    size = draw(SIDES), draw(SIDES)
    edges = [sorted(draw(st.tuples(st.floats(0, s), st.floats(0, s)))) for s in size]
    (y1, y2), (x1, x2) = edges
    assume(y2 - y1 >= 1 and x2 - x1 >= 1)
    return (x1, y1, x2, y2), size


@given(boxes_in_images())
def test_a_region_holds_its_box_and_lies_on_whole_cells_of_the_image(drawn):
    box, size = drawn
    region = surroundings(box, size)
    x1, y1, x2, y2 = region.inside(box)
    assert x1 >= -1e-6 and y1 >= -1e-6
    assert x2 <= region.width + 1e-6 and y2 <= region.height + 1e-6
    starts, lengths = (region.top, region.left), region.size
    for start, length, limit in zip(starts, lengths, size, strict=True):
        assert start % CELL == 0
        assert start + length == limit or (length % CELL == 0 and start + length < limit)
        assert length >= min(LEAST, limit) - CELL
    moved = torch.tensor([region.inside(box)]) + region.offset(torch.zeros(1, 4))
    assert torch.allclose(moved, torch.tensor([box]), atol=1e-3)


def test_a_region_holds_what_ends_inside_of_it_or_at_the_end_of_the_image():
    size, region = (480, 854), Region(64, 0, 256, 320)
    assert region.holds((0, 100, 200, 300), size)  # at the image's own side
    assert not region.holds((20, 66, 200, 300), size)
    assert not region.holds((20, 100, 318, 300), size)
    assert not region.holds((20, 100, 200, 320), size)
    assert whole_image(size).holds((0, 0, 854, 480), size)


def test_small_objects_have_small_surroundings_and_large_ones_the_whole_image():
    size = (480, 854)
    small = surroundings((400, 200, 480, 260), size)
    assert small.height * small.width < 0.25 * 480 * 854
    assert surroundings((100, 50, 700, 450), size) == whole_image(size)


@given(boxes_in_images())
def test_what_is_seen_of_a_region_is_a_part_of_what_is_seen_of_the_image(drawn):
    box, size = drawn
    region = surroundings(box, size)
    features = outputs_of(size)
    seen = region.cut(features)
    assert seen.size == region.size
    for name, stride in ((0, 4), (1, 32)):
        rows = -(-region.height // CELL) * CELL // stride
        top, left = region.top // stride, region.left // stride
        part = features.maps[name][..., top : top + rows, left:]
        assert torch.equal(seen.maps[name], part[..., : seen.maps[name].shape[-1]])
        assert seen.maps[name].shape[-2] == rows


def outputs_of(size):
    """Maps at strides 4 and 32 that count their cells, as of one image of `size`."""
    height, width = (-(-side // CELL) * CELL for side in size)
    maps = {}
    for name, stride in ((0, 4), (1, 32)):
        shape = 1, 1, height // stride, width // stride
        maps[name] = torch.arange(np.prod(shape), dtype=torch.float32).view(shape)
    return StageOutputs(maps, 2, size)


@pytest.fixture
def wide(scene):
    """An object in a corner of frames that are much larger."""
    return scene(3, size=(128, 640))


@pytest.fixture
def looked(monkeypatch):
    """Sizes of what trackers look at, as they do; the fakes score low and lie anywhere."""
    sizes, cut = [], Region.cut
    monkeypatch.setattr(
        Region, "cut", lambda region, of: sizes.append(region.size) or cut(region, of)
    )
    monkeypatch.setattr(tracker_module, "SURE", 0.05)
    monkeypatch.setattr(detect_module, "SURE", 0.05)
    monkeypatch.setattr(detect_module, "PLACED", 0.0)
    return sizes


WHOLE, PART = (128, 640), (128, 256)


def test_the_tracker_looks_around_the_object_and_at_times_and_when_it_is_gone_everywhere(
    make_context, wide, looked
):
    frames, masks = wide
    ctx = make_context(learn_from="frame", min_score=0.05, iterations=2)
    tracker = EosvosTracker(ctx)
    tracker.init(frames[0], {1: masks[0][1]}, ctx)
    for index in range(1, 2 + EVERY):
        frame = replace(frames[1], index=index)
        assert tracker.track(frame, {}, ctx).scores.max() > 0.05
    assert looked == [WHOLE, *[PART] * (EVERY - 1), WHOLE]
    looked.clear()
    tracker.settings = replace(tracker.settings, min_score=1.0, windows=False)
    tracker.track(replace(frames[2], index=2 + EVERY), {}, ctx)
    assert looked == [PART, WHOLE]


@pytest.mark.parametrize(
    ("module", "limit", "sizes"),
    [(tracker_module, "SURE", [WHOLE, WHOLE]), (detect_module, "PLACED", [WHOLE, PART, WHOLE])],
    ids=["not sure before", "elsewhere than expected"],
)
def test_what_is_not_found_for_sure_where_it_is_expected_is_looked_for_everywhere(
    module, limit, sizes, make_context, wide, looked, monkeypatch
):
    frames, masks = wide
    ctx = make_context(learn_from="frame", min_score=0.05, iterations=2)
    tracker = EosvosTracker(ctx)
    tracker.init(frames[0], {1: masks[0][1]}, ctx)
    tracker.track(frames[1], {}, ctx)
    monkeypatch.setattr(module, limit, 1.01)
    tracker.track(frames[2], {}, ctx)
    assert looked == sizes


@pytest.mark.parametrize(("apart", "size"), [(300, PART), (60, WHOLE)])
def test_several_objects_are_looked_for_around_themselves_unless_another_is_near(
    apart, size, make_context, wide, looked
):
    frames, masks = wide
    ctx = make_context(learn_from="frame", min_score=0.05, iterations=2)
    tracker = EosvosTracker(ctx)
    other = np.roll(masks[0][1], apart, axis=1)
    tracker.init(frames[0], {1: masks[0][1], 2: other}, ctx)
    for frame in frames[1:]:
        tracker.track(frame, {}, ctx)
    assert looked == [WHOLE] * 2 + [size] * 2


def test_what_has_learned_online_looks_everywhere_first(make_context, wide, looked):
    frames, masks = wide
    options = {"online": True, "online_every": 2, "online_iterations": 1}
    ctx = make_context(learn_from="frame", min_score=0.05, iterations=2, **options)
    tracker = EosvosTracker(ctx)
    tracker.init(frames[0], {1: masks[0][1]}, ctx)
    for index in range(1, 5):
        frame = replace(frames[1], index=index)
        tracker.update(frame, tracker.track(frame, {}, ctx).label_map(), ctx)
    assert looked == [WHOLE, PART, WHOLE, PART]


def test_masks_come_back_to_their_place(make_context, wide, looked):
    """Far from the image's corner, a mask still lies on its object."""
    frames, masks = wide
    shift = 448
    moved = [np.roll(f.image, shift, axis=1) for f in frames]
    frames = [replace(f, image=image) for f, image in zip(frames, moved, strict=True)]
    target = np.roll(masks[0][1], shift, axis=1)
    ctx = make_context(
        learn_from="frame",
        min_score=0.05,
        iterations=2,
        motion=False,
        colours=False,
        outline="mask",
    )
    tracker = EosvosTracker(ctx)
    tracker.init(frames[0], {1: target}, ctx)
    tracker.track(frames[1], {}, ctx)
    answer = tracker.track(frames[2], {}, ctx).scores[0]
    assert looked == [WHOLE, PART]
    assert answer.shape == (128, 640)
    assert answer.max() > 0.05
    assert not answer[:, : shift - 256].any()
