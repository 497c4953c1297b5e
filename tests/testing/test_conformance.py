"""The conformance suite finds what is wrong with a tracker, and nothing wrong with a sound one."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from vosbench.errors import PluginError, UsageError
from vosbench.specs import Capabilities, Option, TrackerSpec
from vosbench.testing import check_tracker, conformance_cases, moving_discs
from vosbench.types import Prediction


class Sound:
    """Repeats the first masks; the faulty trackers below differ in one thing each."""

    def __init__(self, ctx):
        self.ctx = ctx

    def init(self, frame, targets, ctx):
        self.labels = np.zeros(frame.size, np.uint8)
        self.add(targets)

    def add(self, targets):
        for obj, mask in targets.items():
            self.labels[mask] = obj

    def track(self, frame, targets, ctx):
        self.add(targets)
        return Prediction.from_labels(self.labels)


class WrongShape(Sound):
    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        return Prediction.from_labels(self.labels[:-1])


class EvenSizes(Sound):
    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        height, width = frame.size
        return Prediction.from_labels(self.labels[: height // 2 * 2, : width // 2 * 2])


class CountsIds(Sound):
    """Numbers objects 1..N in order, whatever their ids are."""

    def add(self, targets):
        for obj, mask in enumerate(targets.values(), 1):
            self.labels[mask] = obj


class CannotAdd(Sound):
    def track(self, frame, targets, ctx):
        if targets:
            raise NotImplementedError("new object")
        return super().track(frame, targets, ctx)


class NeedsArea(Sound):
    def init(self, frame, targets, ctx):
        super().init(frame, targets, ctx)
        assert all(mask.sum() > 1 for mask in targets.values()), "mask too small"


class NeedsBackground(Sound):
    def init(self, frame, targets, ctx):
        super().init(frame, targets, ctx)
        if (self.labels != 0).all():
            raise ValueError("no background to learn from")


class NeedsFrames(Sound):
    def close(self, ctx):
        if not hasattr(self, "tracked"):
            raise AttributeError("tracked")

    def track(self, frame, targets, ctx):
        self.tracked = True
        return super().track(frame, targets, ctx)


class Random(Sound):
    """Draws from a generator that no seed reaches."""

    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        noise = np.random.default_rng().random(frame.size) < 0.5
        return Prediction.from_labels(np.where(noise, self.labels, 0))


class Remembers(Sound):
    """Keeps the labels of the sequence before where the size fits."""

    labels = None

    def init(self, frame, targets, ctx):
        self.seen = getattr(self, "seen", 0) + 1
        super().init(frame, targets, ctx)
        if self.seen > 2:
            self.labels[:4] = 1


class Peeks(Sound):
    """Reads a frame that is yet to come, through what happens to be reachable."""

    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        future = frame.image.base[-1]
        return Prediction.from_labels(np.where(future[..., 0] > 127, self.labels, 0))


class WritesImage(Sound):
    def init(self, frame, targets, ctx):
        super().init(frame, targets, ctx)
        frame.image[0] = 0


class WritesMask(Sound):
    def init(self, frame, targets, ctx):
        super().init(frame, targets, ctx)
        for mask in targets.values():
            mask[:] = False


class LeaksAlike(Sound):
    """Keeps the label map of the sequence before where the size is the same."""

    def init(self, frame, targets, ctx):
        before = getattr(self, "labels", None)
        super().init(frame, targets, ctx)
        if before is not None and before.shape == frame.size:
            known = np.isin(before, list(targets)) & (self.labels == 0)
            self.labels[known] = before[known]


class NeverLate(Sound):
    def track(self, frame, targets, ctx):
        return Prediction.from_labels(self.labels)


class Swaps(Sound):
    """Sorts ids, but not the masks that belong to them."""

    def add(self, targets):
        for obj, mask in zip(sorted(targets), targets.values(), strict=True):
            self.labels[mask] = obj


class Mirrors(Sound):
    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        return Prediction.from_labels(self.labels[:, ::-1])


class Empty(Sound):
    def track(self, frame, targets, ctx):
        return Prediction.from_labels(np.zeros(frame.size, np.uint8))


class OddIsWrong(Sound):
    """Works on an even size and brings its answer back with the wrong stride."""

    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        if frame.size[1] % 2 == 0:
            return Prediction.from_labels(self.labels)
        return Prediction.from_labels(np.roll(self.labels, frame.size[1] // 2, axis=1))


class AsksTheClock(Sound):
    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        night = time.time() % 86400 < 43200
        return Prediction.from_labels(self.labels if night else np.roll(self.labels, 1))


class KnowsTheName(Sound):
    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        return Prediction.from_labels(np.roll(self.labels, sum(ctx.sequence.encode()) % 7))


class ChangesOptions(Sound):
    def init(self, frame, targets, ctx):
        super().init(frame, targets, ctx)
        ctx.options["steps"] = 2


class LeavesFiles(Sound):
    def init(self, frame, targets, ctx):
        super().init(frame, targets, ctx)
        Path(f"state-{ctx.sequence}.txt").write_text("left")


class RunsOut(Sound):
    def track(self, frame, targets, ctx):
        if frame.index >= 50:
            raise IndexError("the memory bank is full")
        return super().track(frame, targets, ctx)


class TenAtMost(Sound):
    def add(self, targets):
        super().add(targets)
        if len(np.unique(self.labels)) > 11:
            raise ValueError("ten objects at most")


class LowFramesOnly(Sound):
    def init(self, frame, targets, ctx):
        super().init(frame, targets, ctx)
        if frame.size[0] > 400:
            raise ValueError("frame too high")


class Flaky(Sound):
    """One answer of fifty is wrong, whatever the seed."""

    def track(self, frame, targets, ctx):
        super().track(frame, targets, ctx)
        wrong = int.from_bytes(os.urandom(2)) % 50 == 0
        return Prediction.from_labels(np.roll(self.labels, 1) if wrong else self.labels)


def spec(factory, **capabilities) -> TrackerSpec:
    options = (Option("steps", 1, "none are taken"),)
    return TrackerSpec(
        name="t",
        factory=factory,
        summary="",
        options=options,
        capabilities=Capabilities(**capabilities),
    )


def outcomes(tracker: TrackerSpec):
    return {case.name: check_tracker(tracker, case, size=(48, 64)) for case in conformance_cases()}


def failed(tracker: TrackerSpec) -> set[str]:
    return {name for name, outcome in outcomes(tracker).items() if not outcome.ok}


def test_a_sound_tracker_passes_every_case():
    found = outcomes(spec(Sound))
    assert {name: outcome.status for name, outcome in found.items() if not outcome.ok} == {}
    assert [name for name, outcome in found.items() if outcome.status == "skipped"] == ["processes"]


@pytest.mark.parametrize(
    ("factory", "cases"),
    [
        (EvenSizes, {"odd-size", "forgets", "finds-odd"}),
        (CountsIds, {"sparse-ids", "late-objects", "forgets", "finds", "finds-late", "finds-odd"}),
        (CannotAdd, {"late-objects", "forgets", "finds-late"}),
        (NeedsArea, {"one-pixel"}),
        (NeedsBackground, {"full-frame"}),
        (NeedsFrames, {"one-frame"}),
        (Random, {"repeats", "causal", "forgets", "endures", "surroundings"}),
        (Remembers, {"forgets"}),
        (Peeks, {"causal"}),
        (LeaksAlike, {"forgets"}),
        (NeverLate, {"finds-late"}),
        (Swaps, {"finds"}),
        (Mirrors, {"finds"}),
        (Empty, {"finds"}),
        (OddIsWrong, {"finds-odd"}),
        (KnowsTheName, {"surroundings"}),
        (RunsOut, {"endures"}),
        (TenAtMost, {"many-objects"}),
        (LowFramesOnly, {"tall"}),
    ],
)
def test_a_fault_fails_its_cases_only(factory, cases):
    assert failed(spec(factory)) == cases


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        (WrongShape, "labels have shape (47, 64), the frame is (48, 64)"),
        (WritesImage, "read-only"),
        (WritesMask, "the mask given for object 1 was changed"),
    ],
)
def test_what_every_run_checks(factory, reason):
    case = conformance_cases()[0]
    assert reason in check_tracker(spec(factory), case, size=(48, 64)).reason


def test_a_failure_keeps_the_trackers_own_traceback():
    (case,) = [case for case in conformance_cases() if case.name == "late-objects"]
    outcome = check_tracker(spec(CannotAdd), case)
    assert outcome.reason == "track, frame 00003: NotImplementedError: new object"
    assert 'raise NotImplementedError("new object")' in outcome.traceback


def test_what_a_tracker_declares_to_lack_is_made_up_for_or_skipped():
    assert failed(spec(CannotAdd, late_objects=False)) == set()
    found = outcomes(spec(Peeks, access="video"))
    assert found["causal"].status == "skipped"
    found = outcomes(spec(Sound, deterministic=False))
    assert {name for name, outcome in found.items() if outcome.status == "skipped"} == {
        "repeats",
        "causal",
        "forgets",
        "surroundings",
        "processes",
    }


def test_an_answer_in_fifty_is_seen_most_of_the_time():
    (case,) = [case for case in conformance_cases() if case.name == "endures"]
    trials = [check_tracker(spec(Flaky), case).ok for _ in range(6)]
    assert trials.count(True) <= 2  # each passes with a chance of one in 38


def test_the_hour_does_not_matter(monkeypatch):
    (case,) = [case for case in conformance_cases() if case.name == "surroundings"]
    outcome = check_tracker(spec(AsksTheClock), case)
    assert outcome.reason.startswith("at another hour a sequence is tracked differently")


@pytest.mark.parametrize(
    ("factory", "reason"),
    [(ChangesOptions, "does not support item assignment"), (LeavesFiles, "left files behind")],
)
def test_options_and_the_working_directory_stay_as_they_were(
    factory, reason, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert reason in check_tracker(spec(factory), conformance_cases()[0]).reason


def test_nothing_is_asked_of_what_is_found_without_training_or_by_the_blind():
    (case,) = [case for case in conformance_cases() if case.name == "finds"]
    assert check_tracker(spec(Empty), case, untrained=True).status == "skipped"
    assert check_tracker(spec(Empty, blind=True), case).status == "skipped"


def test_a_tracker_that_cannot_be_built_is_an_error_of_its_own():
    def factory(ctx):
        raise OSError("no weights")

    with pytest.raises(PluginError, match="cannot be built: OSError: no weights"):
        check_tracker(spec(factory), conformance_cases()[0])
    with pytest.raises(UsageError, match="has no option 'stops'"):
        check_tracker(spec(Sound), conformance_cases()[0], options={"stops": "3"})


def test_sequences_are_the_same_every_time_and_textured():
    one, two = (moving_discs("name", (48, 64), 4, {1: 0, 7: 2}) for _ in range(2))
    assert np.array_equal(one.images, two.images)
    assert not np.array_equal(one.images, moving_discs("other", (48, 64), 4).images)
    assert set(np.unique(one.labels[0])) == {0, 1}
    assert set(np.unique(one.labels[2])) == {0, 1, 7}
    assert one.images.std(axis=(1, 2)).min() > 10
    altered = one.altered_after(1)
    assert np.array_equal(altered.images[:2], one.images[:2])
    assert all((altered.images[i] != one.images[i]).mean() > 0.9 for i in (2, 3))
