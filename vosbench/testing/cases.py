"""The cases of the conformance suite: a demand, the sequences it is tried on, and its check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from vosbench.backports import dataclass
from vosbench.testing import checks
from vosbench.testing.bench import Bench
from vosbench.testing.synthetic import Synthetic, moving_discs, still, textured

Size = tuple[int, int]
Needs = Literal["deterministic", "streaming", "sighted", "processes"]


@dataclass(frozen=True, slots=True)
class Case:
    """One demand on trackers.

    Attributes:
        name: short, e.g. "causal".
        demand: one line.
        sequences: the sequences that it runs on, for a size (height, width).
        check: raises NonConformance or TrackerFailure.
        needs: what the demand presumes: that the tracker declares to be deterministic or streaming,
            that it is not blind, or two processes (`vosbench test-tracker` has them).
        slow: takes many times as long as the others.
    """

    name: str
    demand: str
    sequences: Callable[[Size], tuple[Synthetic, ...]]
    check: Callable[[Bench, tuple[Synthetic, ...]], None]
    needs: tuple[Needs, ...] = ()
    slow: bool = False

    def __str__(self) -> str:
        return self.name


def conformance_cases(*, slow: bool = True) -> tuple[Case, ...]:
    """Every case, the plainest first; `slow=False` leaves out those that take long: many objects,
    many frames."""
    return tuple(case for case in _CASES if slow or not case.slow)


def _pixel(size: Size) -> tuple[Synthetic, ...]:
    labels = np.zeros(size, np.uint8)
    labels[size[0] // 2, size[1] // 3] = 1
    corner = np.zeros(size, np.uint8)
    corner[-1, -1] = 1
    return (
        textured("pixel", still(labels, 3), {1: 0}),
        textured("pixel-in-corner", still(corner, 3), {1: 0}),
    )


def _lines(size: Size) -> tuple[Synthetic, ...]:
    height, width = size
    labels = np.zeros(size, np.uint8)
    labels[:, width // 4] = 1
    labels[height // 3, width // 2 :] = 2
    diagonal = np.arange(min(height, width) // 2)
    labels[height - 1 - diagonal, width - 1 - diagonal] = 3
    return (textured("lines", still(labels, 3), {1: 0, 2: 0, 3: 0}),)


def _filled(size: Size) -> tuple[Synthetic, ...]:
    return (textured("full", still(np.ones(size, np.uint8), 3), {1: 0}),)


def _at_rest(
    name: str, size: Size, frames: int = 4, objects: Mapping[int, int] | None = None
) -> Synthetic:
    """Objects that do not move."""
    return moving_discs(name, size, frames, objects or {7: 0, 3: 0}, speed=0)


def _vanishing(size: Size) -> tuple[Synthetic, ...]:
    sequence = moving_discs("vanishing", size, 6, {1: 0, 2: 0}, speed=0.4)
    assert not sequence.labels[-1].any()
    return (sequence,)


_CASES = (
    Case(
        "runs",
        "one prediction a frame, of the frame's size, with the ids of given objects",
        lambda size: (moving_discs("runs", size, 5, {1: 0, 2: 0}),),
        checks.runs,
    ),
    Case(
        "one-frame",
        "a sequence may end after its first frame",
        lambda size: (moving_discs("one-frame", size, 1),),
        checks.runs,
    ),
    Case(
        "odd-size",
        "any height and width: 97x131, upright, a wide strip",
        lambda size: (
            moving_discs("odd-size", (97, 131), 3, {1: 0, 2: 0}),
            moving_discs("upright", (size[1], size[0]), 3),
            moving_discs("strip", (size[0] // 3, size[1] * 2), 3),
        ),
        checks.runs,
    ),
    Case(
        "sparse-ids",
        "object ids need not be 1..N: 3, 7 and 200",
        lambda size: (moving_discs("sparse-ids", size, 3, {200: 0, 3: 0, 7: 0}),),
        checks.runs,
    ),
    Case(
        "late-objects",
        "objects may appear in any frame; none is predicted before its mask is given",
        lambda size: (moving_discs("late-objects", size, 6, {5: 1, 2: 3, 9: 3}),),
        checks.runs,
    ),
    Case(
        "vanishing",
        "objects may leave; later frames may hold none",
        _vanishing,
        checks.runs,
    ),
    Case("one-pixel", "a given mask may be one pixel", _pixel, checks.runs),
    Case("thin-lines", "given masks may be lines one pixel wide", _lines, checks.runs),
    Case("full-frame", "a given mask may cover the whole frame", _filled, checks.runs),
    Case(
        "repeats",
        "two runs with one seed give the same masks",
        lambda size: (moving_discs("repeats", size, 4, {1: 0, 2: 0}),),
        checks.repeats,
        ("deterministic",),
    ),
    Case(
        "causal",
        "frames yet to come do not change what is predicted now",
        lambda size: (moving_discs("causal", size, 6, {1: 0}),),
        checks.is_causal,
        ("deterministic", "streaming"),
    ),
    Case(
        "forgets",
        "no state passes from one sequence to the next",
        lambda size: (
            moving_discs("forgets", size, 3, {1: 0, 2: 0}),
            moving_discs("forgets-other", (97, 131), 3, {4: 0}),
            moving_discs("forgets-alike", size, 4, {1: 0, 2: 0, 3: 1}),
        ),
        checks.forgets,
        ("deterministic",),
    ),
    Case(
        "many-objects",
        "a dozen objects may be given at once",
        lambda size: (moving_discs("many", size, 3, dict.fromkeys(range(1, 13), 0)),),
        checks.runs,
        slow=True,
    ),
    Case(
        "tall",
        "frames may have more than 400 rows",
        lambda size: (moving_discs("tall", (432, size[1] // 2), 3, {1: 0, 2: 0}),),
        checks.runs,
    ),
    Case(
        "endures",
        "60 frames, three times: neither a failure nor a difference",
        lambda _size: (moving_discs("endures", (48, 64), 60, {1: 0}, speed=0.005),),
        checks.endures,
        slow=True,
    ),
    Case(
        "surroundings",
        "neither the sequence's name nor the hour changes what is predicted",
        lambda size: (
            moving_discs("surroundings", size, 3, {1: 0, 2: 0}),
            replace(moving_discs("surroundings", size, 3, {1: 0, 2: 0}), name="elsewhere"),
        ),
        checks.keeps_to_itself,
        ("deterministic",),
    ),
    Case(
        "processes",
        "another process predicts the same",
        lambda size: (moving_discs("processes", size, 4, {1: 0, 2: 0}),),
        checks.runs,
        ("deterministic", "processes"),
    ),
    Case(
        "finds",
        "something is found of objects at rest; none is taken for another or its mirror image",
        lambda size: (_at_rest("finds", size),),
        checks.finds,
        ("sighted",),
    ),
    Case(
        "finds-late",
        "what is found of an object does not depend on the frame in which it appears",
        lambda size: (
            replace(_at_rest("finds-late", size, 5), name="finds-early"),
            _at_rest("finds-late", size, 5, {7: 0, 3: 1}),
        ),
        checks.finds_late,
        ("sighted",),
    ),
    Case(
        "finds-odd",
        "what is found does not depend on whether height and width are even",
        lambda _size: (_at_rest("finds-even", (96, 128)), _at_rest("finds-odd", (97, 131))),
        checks.finds_at_odd_sizes,
        ("sighted",),
    ),
)
