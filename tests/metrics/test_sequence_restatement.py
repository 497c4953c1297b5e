"""Sequence metrics against plain restatements of their definitions, on random label maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from vosbench.metrics.contour import Shape
from vosbench.metrics.sequence import summed
from vosbench.metrics.sequence.presence import Presence
from vosbench.metrics.sequence.reacquisition import Reacquisition, returns
from vosbench.metrics.sequence.switches import Switches
from vosbench.metrics.sequence.volume import Volume
from vosbench.metrics.tracks import SequenceTracks, Track

OBJECTS = (1, 2, 3)


def label_maps(seed: int, frames: int) -> np.ndarray:
    """Rectangles of three objects that wander, vanish and cover each other, (frames, 24, 80)."""
    rng = np.random.default_rng(seed)
    out = np.zeros((frames, 24, 80), np.uint8)
    for obj in rng.permutation(OBJECTS):
        there = rng.random(frames) < rng.choice([0.3, 0.6, 1.0])
        y, x = rng.integers(0, 14), rng.integers(0, 60)
        height, width = rng.integers(1, 12), rng.integers(1, 20)
        for n in np.flatnonzero(there):
            out[n, y : y + height, x + n % 5 : x + width + n % 5] = obj
    return out


def jaccard(one: np.ndarray, two: np.ndarray) -> float:
    union = (one | two).sum()
    return float((one & two).sum() / union) if union else 1.0


@st.composite
def sequences(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    frames = draw(st.integers(2, 16))
    truth = label_maps(draw(st.integers(0, 10_000)), frames)
    guess = label_maps(draw(st.integers(0, 10_000)), frames)
    kept = draw(st.sampled_from([0.0, 0.5, 1.0]))
    right = np.random.default_rng(frames).random(frames) < kept
    guess[right] = truth[right]
    if draw(st.booleans()):  # ids one and two change places
        guess = np.array([0, 2, 1, 3], np.uint8)[guess]
    return truth, guess


def tracks_of(truth: np.ndarray, guess: np.ndarray) -> SequenceTracks:
    def track(obj: int) -> Track:
        annotations, predictions = ([Shape(m == obj) for m in maps] for maps in (truth, guess))
        overlaps = [jaccard(a == obj, p == obj) for a, p in zip(truth, guess, strict=True)]
        values = np.array([math.nan, *overlaps[1:-1], math.nan][: len(truth)])
        return Track(
            object=obj,
            given=0,
            annotations=annotations,
            predictions=predictions,
            values={"J": values, "F": values / 2},
        )

    names = [str(n) for n in range(len(truth))]
    return SequenceTracks(
        sequence="s", frames=names, size=(24, 80), tracks={o: track(o) for o in OBJECTS}
    )


def same(one: float, two: float) -> bool:
    return one == pytest.approx(two, abs=1e-12, nan_ok=True)


@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(1, 40), st.integers(1, 200))
@settings(max_examples=60)
def test_rim_is_mask_without_its_erosion(seed: int, depth: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    mask = ndimage.binary_dilation(rng.random((height, width)) > 0.97, iterations=int(seed % 9) + 1)
    inner = mask
    if depth:
        inner = ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=depth)
    shape = Shape(mask)
    assert (shape.rim(depth).unpacked() == (mask & ~inner)).all()
    assert (shape.mask.unpacked() == mask).all()


@given(sequences())
@settings(max_examples=40)
def test_volume(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, guess = maps
    for obj, row in Volume().measure(tracks_of(truth, guess)).objects.items():
        a, p = truth[1:] == obj, guess[1:] == obj
        expected = jaccard(a, p) if (a | p).any() else math.nan
        assert same(row["J-Volume"], expected)


@given(sequences())
@settings(max_examples=40)
def test_presence(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, guess = maps
    for obj, row in Presence().measure(tracks_of(truth, guess)).objects.items():
        scored = range(1, len(truth) - 1)
        there = [n for n in scored if (truth[n] == obj).any()]
        gone = [n for n in scored if n not in there]
        j = [jaccard(truth[n] == obj, guess[n] == obj) for n in there]
        quiet = [not (guess[n] == obj).any() for n in gone]
        assert same(row["J-Present"], np.mean(j) if j else math.nan)
        assert same(row["F-Present"], np.mean(j) / 2 if j else math.nan)
        assert same(row["Silence"], np.mean(quiet) if quiet else math.nan)


@given(sequences())
@settings(max_examples=40)
def test_switches(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, guess = maps

    def overlap(n: int, annotated: int, predicted: int) -> float:
        one, two = truth[n] == annotated, guess[n] == predicted
        return jaccard(one, two) if (one | two).any() else 0.0

    for obj, row in Switches().measure(tracks_of(truth, guess)).objects.items():
        found = [
            overlap(n, obj, obj) < 0.1
            and any(overlap(n, other, obj) >= 0.5 for other in OBJECTS if other != obj)
            for n in range(1, len(truth))
        ]
        assert same(row["Switches"], np.mean(found))


@given(sequences())
@settings(max_examples=60)
def test_returns_and_their_median_delay(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, guess = maps
    tracks = tracks_of(truth, guess)
    for obj, track in tracks.tracks.items():
        expected = []
        for n in range(1, len(truth)):
            if (truth[n] == obj).any() and not (truth[n - 1] == obj).any():
                delay, end = None, n
                while end < len(truth) and (truth[end] == obj).any():
                    if delay is None and jaccard(truth[end] == obj, guess[end] == obj) >= 0.5:
                        delay = end - n
                    end += 1
                expected.append((end - n, False) if delay is None else (delay, True))
        assert list(returns(track)) == expected
    measured = Reacquisition().measure(tracks)
    every = [one for track in tracks.tracks.values() for one in returns(track)]
    scores = Reacquisition().scores(summed([measured]))
    assert same(scores["Reacquired"], np.mean([r.found for r in every]) if every else math.nan)
    assert same(scores["Reacquisition-Delay"], kaplan_meier_median(every))


def kaplan_meier_median(every: list) -> float:
    """The first number of frames by which at least half are found, as the textbook has it."""
    still = 1.0
    for frames in range(max((one.frames for one in every), default=-1) + 1):
        # One that was watched in vain for k frames was seen in frames 0..k-1 alone.
        risk = [one for one in every if one.frames > frames or (one.found and one.frames == frames)]
        found = [one for one in every if one.found and one.frames == frames]
        if risk:
            still *= 1 - len(found) / len(risk)
        if still <= 0.5 + 1e-12:
            return frames
    return math.nan


def test_delay_of_objects_that_left_again_is_not_taken_for_success() -> None:
    truth, guess = np.zeros((2, 10, 8, 8), np.uint8)
    truth[[0, 2, 3, 6, 7, 8, 9], 2:6, 2:6] = 1
    guess[[0, 8, 9], 2:6, 2:6] = 1
    scores = Reacquisition().measure(tracks_of(truth, guess)).sequence
    # Two returns: one ends after two frames without success, one succeeds after two more.
    assert scores == {"Reacquired": 0.5, "Reacquisition-Delay": 2.0}
