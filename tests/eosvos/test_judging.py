"""What can be the object: motion, windows, colours, rivals."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from vosbench_eosvos.boxprop import tight_box
from vosbench_eosvos.colours import Colours, colour_bins
from vosbench_eosvos.decide import decide
from vosbench_eosvos.detect import Candidates
from vosbench_eosvos.judge import judge
from vosbench_eosvos.model import Detections
from vosbench_eosvos.motion import Motion
from vosbench_eosvos.objects import ObjectState
from vosbench_eosvos.online import Memory
from vosbench_eosvos.rivals import assign, settle
from vosbench_eosvos.variants import Settings
from vosbench_eosvos.windows import Window, comes_back

BOX = (100.0, 100.0, 150.0, 140.0)


def window(*boxes):
    past = Window()
    for index, box in enumerate(boxes):
        past.observe(index, box, 100)
    return past


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32)


def test_a_flooded_box_is_impossible_and_a_moved_one_is_not():
    flooded, moved = window(BOX).misfit(boxes((0, 0, 400, 240), (110, 95, 162, 138)), 1, BOX)
    assert flooded > 1 > moved


def test_steady_growth_is_possible_and_so_is_coming_out_from_behind_something():
    grown = (80.0, 80.0, 180.0, 180.0)
    past = window(BOX, BOX, BOX)
    assert past.misfit(boxes(grown), 3, BOX) > 1
    assert past.misfit(boxes(grown), 3, (82.0, 82.0, 178.0, 178.0)) < 1  # flow expected it
    hidden = (100.0, 100.0, 110.0, 140.0)
    assert past.misfit(boxes(BOX), 3, hidden) < 1


def test_the_longer_an_object_is_gone_the_further_away_it_may_come_back():
    far = boxes((300, 100, 350, 140))
    soon, late = (window(BOX).misfit(far, index, BOX) for index in (1, 10))
    assert soon > 1 > late


def test_what_left_the_frame_comes_in_again_at_the_same_side():
    size, left_at = (240, 400), (0.0, 100.0, 30.0, 140.0)
    found = boxes((2, 80, 40, 120), (100, 80, 140, 120), (360, 80, 400, 120), (100, 0, 140, 40))
    assert comes_back(found, left_at, size).tolist() == [True, False, False, False]
    assert comes_back(found, (0.0, 0.0, 30.0, 40.0), size).tolist() == [True, False, False, True]
    assert comes_back(found, BOX, size).all()


def test_only_what_shows_a_part_of_itself_is_leaving():
    past = window(BOX, BOX, BOX)
    assert past.leaving((130.0, 100.0, 150.0, 140.0))
    assert not past.leaving((110.0, 100.0, 150.0, 140.0))


def possible(past, expected, *rows, index):
    """Which detections, boxes with scores, can be an object that was last seen in `expected`."""
    scores = torch.tensor([score for _, score in rows])
    found = Detections(boxes(*(box for box, _ in rows)), scores, None, None, None)
    state = ObjectState({}, {}, expected, Memory("confident"), None, past, None, None, None)
    return judge(found, (240, 400), index, state, None, Settings())[1].tolist()


def test_an_object_at_a_side_that_was_not_leaving_is_looked_for_everywhere():
    past, at_side = window(*[(350.0, 100.0, 400.0, 140.0)] * 3), (350.0, 100.0, 400.0, 140.0)
    inside = (280, 100, 330, 140), 0.9
    assert possible(past, at_side, inside, index=12) == [True]
    assert possible(past, (385.0, 100.0, 400.0, 140.0), inside, index=12) == [False]


def test_a_weak_detection_where_a_lost_object_was_seen_whole_can_be_it():
    past, part = window(BOX, BOX, BOX), (100.0, 100.0, 140.0, 120.0)
    weak, elsewhere = ((102, 101, 151, 141), 0.3), ((160, 101, 210, 141), 0.3)
    assert possible(past, part, weak, elsewhere, index=12) == [True, False]
    assert possible(past, part, weak, elsewhere, index=3) == [False, False]


def painted(left):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 90, (160, 240, 3), dtype=np.uint8)
    mask = np.zeros((160, 240), bool)
    mask[50:100, left : left + 40] = True
    image[mask] = rng.integers(150, 250, (mask.sum(), 3), dtype=np.uint8) // [1, 3, 3]
    return image, mask


def test_colours_know_the_object_elsewhere_and_refuse_background():
    image, mask = painted(30)
    colours = Colours(colour_bins(image), mask)
    image, mask = painted(150)
    look = colours.look(colour_bins(image), mask.shape)
    there, flooded, beside = look.of_boxes(
        boxes(tight_box(mask), (0, 0, 240, 160), (10, 10, 60, 40))
    )
    assert there > 0.9 and flooded < 0.3 and beside < 0.3
    assert look.of_mask(mask) > 0.9 > 0.5 > look.of_mask(~mask)


def test_colours_that_tell_nothing_refuse_nothing():
    image = np.full((90, 120, 3), 80, np.uint8)
    mask = np.zeros((90, 120), bool)
    mask[20:40, 20:60] = True
    look = Colours(colour_bins(image), mask).look(colour_bins(image), mask.shape)
    assert look.of_boxes(boxes((0, 0, 120, 90), (70, 50, 90, 80))).min() > 0.9


def test_motion_expects_a_growing_object_at_its_new_size():
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
    ground = np.kron(rng.integers(60, 120, (30, 40, 3), dtype=np.uint8), np.ones((8, 8, 1), int))

    def show(scale, left):
        import cv2

        patch = cv2.resize(texture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        image, mask = ground.astype(np.uint8).copy(), np.zeros((240, 320), bool)
        height, width = patch.shape[:2]
        image[80 : 80 + height, left : left + width] = patch
        mask[80 : 80 + height, left : left + width] = True
        return image, mask

    (first, mask), (second, truth) = show(2.0, 60), show(2.2, 66)
    motion = Motion(first)
    motion.see(second)
    box, carried = motion.carry(mask)
    assert np.abs(np.subtract(box, tight_box(truth))).max() < 8
    assert ((carried > 0.5) & truth).sum() > 0.9 * ((carried > 0.5) | truth).sum()
    assert motion.carry(np.zeros_like(mask)) is None


def candidates(*rows, overlap=1.0, since=1, largest=400):
    found = boxes(*(box for box, _ in rows)).reshape(-1, 4)
    worth = torch.tensor([w for _, w in rows])
    overlaps = torch.tensor(overlap).expand(len(worth))
    return Candidates(found, worth, worth, worth, None, None, overlaps, since, largest)


def test_what_is_detected_no_longer_is_where_motion_carries_it_or_not_there():
    def seen(left, *, since):
        carried = np.zeros((60, 80), np.float32)
        carried[20:40, 10:30] = 1
        read = np.roll(carried, left, axis=1)
        undetected = candidates(since=since)
        [decision] = decide({1: undetected}, {1: carried}, lambda *_: read, rivals=True).values()
        assert decision.best is None
        return (decision.mask > 0.5).any()

    assert seen(3, since=1) and seen(3, since=9)
    assert seen(15, since=1) and not seen(15, since=9)


def test_nothing_elsewhere_is_the_object_while_it_is_seen_where_motion_carries_it():
    carried = np.zeros((60, 80), np.float32)
    carried[20:40, 10:30] = 1
    reads = {None: carried, 0: np.roll(carried, 40, axis=1)}

    def chosen(reads, **detection):
        found = {1: candidates((BOX, 1.0), **detection)}
        [decision] = decide(found, {1: carried}, lambda _, k: reads[k], rivals=False).values()
        return decision.best

    assert chosen(reads, overlap=0.0, since=1) is None
    assert chosen(reads, overlap=0.5, since=1) == 0
    assert chosen(reads, overlap=0.0, since=20) == 0  # it may have been hidden
    assert chosen({**reads, None: 0 * carried}, overlap=0.0, since=1) == 0


def test_a_small_part_where_motion_does_not_carry_the_object_is_not_the_object():
    carried = disc(80)
    part = np.roll(carried, 30, axis=1)

    def seen(largest, known=carried):
        found = {1: candidates((BOX, 1.0), largest=largest, since=3)}
        return decide(found, {1: known}, lambda *_: part, rivals=False)[1].mask.any()

    area = int((part > 0.5).sum())
    assert seen(3 * area) and not seen(5 * area)
    assert seen(5 * area, known=part) and seen(5 * area, known=None)


def test_the_whole_is_the_object_rather_than_a_surer_part_of_it():
    whole = disc(80)
    part = np.where(np.arange(whole.shape[1]) < 75, whole, 0)
    found = {1: candidates((BOX, 2.1), (BOX, 2.0), largest=int(whole.sum()))}

    def chosen(carried):
        return decide(found, {1: carried}, lambda _, k: [part, whole][k], rivals=True)[1].best

    assert chosen(whole) == 1
    assert chosen(part) == 0  # it has become a part
    assert chosen(None) == 0


def held(behind, in_front, *, carried, largest=None):
    """What is left of an undetected object that is read as `behind`, if it is held at all; its
    `largest` mask of late was where motion carries it."""
    largest = largest or int(carried[2].sum())
    found = {1: candidates((BOX, 1.0)), 2: candidates(since=9, largest=largest)}
    reads = {(1, 0): in_front, (1, None): in_front, (2, None): behind}
    decided = decide(found, carried, lambda *at: reads[at], rivals=True)
    assert decided[2].best is None
    return decided[2].mask > 0.5


def test_a_part_of_a_detected_object_keeps_what_motion_carries():
    girl, bag = disc(80, 60), disc(100)
    without = np.where(bag > 0, 0, girl)
    assert np.array_equal(held(bag, girl, carried={1: without, 2: bag}), bag > 0)


def test_an_undetected_object_does_not_creep_onto_what_hides_it():
    dog, before = disc(80, 40), disc(115, 40)
    beside = np.where(dog > 0, 0, before)
    left = held(before, dog, carried={1: dog, 2: beside})
    assert np.array_equal(left, beside > 0)
    assert not held(dog, dog, carried={1: dog, 2: beside}).any()


def test_of_what_nobody_detects_most_has_to_show_and_not_much_more_than_before():
    ball, wall = disc(80), disc(200)
    area = int(ball.sum())
    assert held(ball, wall, carried={1: wall, 2: ball}, largest=area).any()
    assert not held(ball, wall, carried={1: wall, 2: ball}, largest=3 * area).any()
    assert not held(ball, wall, carried={1: wall, 2: ball}, largest=area // 3).any()


def test_a_thing_goes_to_the_object_with_the_greater_claim_the_other_takes_another_or_none():
    other = (300.0, 100.0, 340.0, 160.0)
    a = candidates((BOX, 2.0))
    b = candidates((BOX, 1.5), (other, 1.0))
    assert assign({1: a, 2: b}) == {1: 0, 2: 1}
    assert assign({1: a, 2: candidates((BOX, 1.5))}) == {1: 0, 2: None}
    assert assign({7: candidates()}) == {7: None}
    assert assign({1: a, 2: candidates((BOX, -torch.inf))}) == {1: 0, 2: None}


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 3)), max_size=6), st.integers(1, 4))
def test_no_thing_is_two_objects(drawn, count):
    places = [(100.0 * k, 0.0, 100.0 * k + 60, 60.0) for k in range(4)]
    found = {i: candidates(*((places[k], w) for k, w in drawn)) for i in range(count)}
    chosen = [drawn[k][0] for k in assign(found).values() if k is not None]
    assert len(set(chosen)) == len(chosen)


def disc(left, radius=20, size=(150, 240)):
    """Probabilities of a disc."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.float32((rows - 75) ** 2 + (columns - left) ** 2 <= radius**2)


def test_a_disputed_pixel_goes_to_the_object_that_was_there():
    body, greedy = disc(80, 60), np.maximum(disc(80, 60), disc(160))
    won = settle({1: body, 2: greedy}, {1: body, 2: disc(160)}, {1: None, 2: None})
    assert np.array_equal(won[1], body)
    assert np.array_equal(won[2], np.where(body > 0, 0, greedy))


def test_a_small_object_does_not_wear_off_in_front_of_a_large_one():
    """Flow lags: the leading edge of the small object is read from the large one behind it."""
    body, small = disc(120, 70), disc(120)
    carried = {1: np.where(disc(114) > 0, 0, body), 2: disc(114)}
    won = settle({1: body, 2: small}, carried, {1: None, 2: None})
    assert np.array_equal(won[2], small)
    assert not won[1][small > 0].any()


def test_an_object_never_seen_before_wins_what_it_covers_of_a_large_one():
    large, small = disc(120, 70), disc(100)
    won = settle({1: large, 2: small}, {1: None, 2: None}, {1: None, 2: None})
    assert np.array_equal(won[2], small)


def test_what_is_thin_keeps_its_place_on_what_is_large():
    girl, strap = disc(120, 60), np.zeros((150, 240), np.float32)
    strap[40:110, 118:122] = 1
    carried = {1: np.where(strap > 0, 0, girl), 2: strap}
    wide = np.zeros_like(strap)
    wide[40:110, 108:132] = 1
    won = settle({1: girl, 2: wide}, carried, {1: None, 2: None})
    assert (won[2] > 0)[strap > 0].all()
    assert (won[2] > 0).sum() < 0.7 * wide.sum()


def test_a_disputed_pixel_goes_to_the_object_of_its_colour():
    image = np.full((150, 240, 3), 90, np.uint8)
    red, blue = disc(80, 30) > 0, disc(160, 30) > 0
    image[red], image[blue] = (220, 40, 40), (40, 40, 220)
    bins = colour_bins(image)
    looks = {i: Colours(bins, mask).look(bins, (150, 240)) for i, mask in ((1, red), (2, blue))}
    both = np.float32(red | blue)
    won = settle({1: both, 2: both}, {1: None, 2: None}, looks)
    assert (won[1] > 0)[disc(80, 20) > 0].all()
    assert (won[2] > 0)[disc(160, 20) > 0].all()


@given(st.lists(st.tuples(st.integers(0, 240), st.booleans()), min_size=1, max_size=4))
def test_no_pixel_is_two_objects_and_none_is_lost(drawn):
    masks = {i: disc(left) for i, (left, _) in enumerate(drawn)}
    carried = {i: masks[i] if known else None for i, (_, known) in enumerate(drawn)}
    won = np.stack(list(settle(masks, carried, dict.fromkeys(masks)).values())) >= 0.5
    assert won.sum(0).max() <= 1
    assert np.array_equal(won.any(0), np.stack(list(masks.values())).any(0))
