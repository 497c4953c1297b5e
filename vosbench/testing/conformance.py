"""The conformance suite: what every tracker must hold to, whatever its quality.

Each case runs a tracker over small rendered sequences, through the session that real runs use.

Example, as a test of a plugin:

    import pytest
    from my_plugin import SPEC
    from vosbench.testing import check_tracker, conformance_cases

    @pytest.mark.parametrize("case", conformance_cases(), ids=str)
    def test_conformance(case):
        outcome = check_tracker(SPEC, case)
        assert outcome.ok, outcome.reason
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from vosbench.errors import PluginError, VosbenchError
from vosbench.specs import TrackerSpec
from vosbench.testing.synthetic import Synthetic, moving_discs, still, textured
from vosbench.tracking.session import Session, TrackerFailure, make_tracker
from vosbench.types import Context, LabelMap

Size = tuple[int, int]
Needs = Literal["deterministic", "streaming", "sighted", "processes"]


class NonConformance(AssertionError):
    """What a tracker does wrong."""


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


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a tracker fared in one case.

    Attributes:
        case: which.
        status: "passed", "failed" or "skipped" (it declares to lack what the case needs).
        reason: why it failed or was skipped.
        traceback: the tracker's own, if it raised.
        seconds: what it took.
    """

    case: Case
    status: Literal["passed", "failed", "skipped"]
    reason: str = ""
    traceback: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.status != "failed"


class Bench:
    """Runs sequences through fresh instances of one tracker.

    Args:
        spec: the tracker.
        scratch: an existing folder.
        settings: `options`, `device` and `seed` of `make_context`.
    """

    def __init__(self, spec: TrackerSpec, scratch: Path, **settings: Any) -> None:
        self._spec = spec
        self._scratch = scratch
        self._settings = settings

    @property
    def deterministic(self) -> bool:
        """Whether the tracker declares to be."""
        return self._spec.capabilities.deterministic_on(self._settings.get("device", "cpu"))

    def run(self, *sequences: Synthetic) -> list[list[LabelMap]]:
        """The label maps (H, W) of every frame of each sequence, all tracked by one instance.

        Raises:
            NonConformance: images, given masks or options were changed, or files left behind.
            TrackerFailure: the tracker raised, or its answer cannot be used.
            PluginError: the tracker cannot be built.
        """
        scratch = Path(tempfile.mkdtemp(dir=self._scratch))
        ctx = make_context(self._spec, scratch, **self._settings)
        options, files = dict(ctx.options), _visible_files()
        session = Session(self._build(ctx), self._spec.capabilities)
        outputs = [self._track(session, sequence, ctx) for sequence in sequences]
        if dict(ctx.options) != options:
            raise NonConformance("its options were changed")
        if left := sorted(_visible_files() - files):
            raise NonConformance(
                f"it left files behind in the working directory: {', '.join(left)}; ctx.scratch is "
                "the place for them"
            )
        return outputs

    def _build(self, ctx: Context) -> object:
        try:
            tracker: object = make_tracker(self._spec, ctx)
        except VosbenchError:
            raise
        except Exception as error:
            raise PluginError(
                f"tracker {self._spec.name!r} cannot be built: {type(error).__name__}: {error}"
            ) from error
        return tracker

    def _track(self, session: Session, sequence: Synthetic, ctx: Context) -> list[LabelMap]:
        images, clip = sequence.images.copy(), sequence.clip()
        outputs: list[LabelMap] = []
        session.run(clip, ctx, lambda _index, labels, _variants: outputs.append(labels))
        if not np.array_equal(images, sequence.images):
            raise NonConformance("the images that it was given were changed")
        for start, targets in clip.given.items():
            for obj, mask in targets.items():
                if not np.array_equal(mask, sequence.labels[start] == obj):
                    raise NonConformance(f"the mask given for object {obj} was changed")
        return outputs


def check_tracker(
    spec: TrackerSpec,
    case: Case,
    *,
    options: Mapping[str, str] | None = None,
    device: str = "cpu",
    seed: int = 0,
    size: Size = (96, 128),
    untrained: bool = False,
) -> Outcome:
    """Put one tracker to one case.

    Args:
        spec: the tracker as it is registered.
        case: one of `conformance_cases()`.
        options: as given by `-o`, texts.
        device: torch device string.
        seed: of every run.
        size: (height, width) in pixels of most sequences; small ones are quick.
        untrained: its weights are random, so that nothing is asked of what it finds.

    Raises:
        UsageError: an option that the tracker does not take.
        PluginError: the tracker cannot be built.
    """
    if missing := _missing(spec, case, device, untrained=untrained):
        return Outcome(case, "skipped", missing)
    started = time.perf_counter()
    status: Literal["passed", "failed"] = "failed"
    reason = trace = ""
    with tempfile.TemporaryDirectory(prefix="vosbench-conformance-") as folder:
        bench = Bench(spec, Path(folder), options=options or {}, device=device, seed=seed)
        try:
            case.check(bench, case.sequences(size))
            status = "passed"
        except NonConformance as error:
            reason = str(error)
        except TrackerFailure as error:
            reason = error.message
            trace = "".join(traceback.format_exception(error.__cause__ or error))
    return Outcome(case, status, reason, trace, time.perf_counter() - started)


def make_context(
    spec: TrackerSpec,
    scratch: Path,
    *,
    options: Mapping[str, str] | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> Context:
    """A context as the harness makes it, to call a tracker by hand.

    Args:
        spec: the tracker as it is registered.
        scratch: an existing, empty folder.
        options: as given by `-o`, texts; the others keep their defaults.
        device: torch device string.
        seed: recorded only; the session is what seeds generators.

    Raises:
        UsageError: an option that the tracker does not take.
    """
    return Context(
        device=device,
        seed=seed,
        options=spec.resolve_options(options or {}),
        scratch=scratch,
        logger=logging.getLogger(f"vosbench.tracker.{spec.name}"),
    )


def answers_digest(
    spec: TrackerSpec, case: Case, *, options: Mapping[str, str], device: str, seed: int, size: Size
) -> str:
    """SHA-256 over all that a tracker answers on the sequences of a case, to be compared with that
    of another process. Raises what `Bench.run` raises."""
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="vosbench-conformance-") as folder:
        bench = Bench(spec, Path(folder), options=options, device=device, seed=seed)
        for outputs in bench.run(*case.sequences(size)):
            for labels in outputs:
                digest.update(labels.tobytes())
    return digest.hexdigest()


def _missing(spec: TrackerSpec, case: Case, device: str, *, untrained: bool) -> str:
    if "processes" in case.needs:
        return "it takes two processes: `vosbench test-tracker` has them"
    if "sighted" in case.needs and (untrained or spec.capabilities.blind):
        return "its weights are random" if untrained else "it declares to be blind"
    if "deterministic" in case.needs and not spec.capabilities.deterministic_on(device):
        return f"it declares not to be deterministic on {device}"
    if "streaming" in case.needs and spec.capabilities.access == "video":
        return "it declares to see the whole video from the start"
    return ""


def conformance_cases(*, slow: bool = True) -> tuple[Case, ...]:
    """Every case, the plainest first; `slow=False` leaves out those that take long: many objects,
    many frames."""
    return tuple(case for case in _CASES if slow or not case.slow)


def _runs(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    """Shapes, types, ids and untouched input are checked by every run."""
    for sequence in sequences:
        outputs = bench.run(sequence)[0]
        if len(outputs) != len(sequence):
            raise NonConformance(f"{len(outputs)} label maps for {len(sequence)} frames")


def _repeats(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    (sequence,) = sequences
    _same(bench.run(sequence)[0], bench.run(sequence)[0], "two runs with one seed differ")


def _is_causal(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    (sequence,) = sequences
    last = len(sequence) // 2
    plain = bench.run(sequence)[0][: last + 1]
    altered = bench.run(sequence.altered_after(last))[0][: last + 1]
    _same(plain, altered, f"with other images after frame {last}, earlier output changes")


def _forgets(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    one, *others = sequences
    first, *_, again = bench.run(one, *others, one)
    _same(first, again, "a sequence is tracked otherwise after others were tracked")


def _endures(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    """Often enough that what goes wrong in one answer of fifty is seen."""
    (sequence,) = sequences
    first = bench.run(sequence)[0]
    for _ in range(2 if bench.deterministic else 0):
        _same(first, bench.run(sequence)[0], "of several runs with one seed one differs")


def _keeps_to_itself(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    sequence, renamed = sequences
    plain = bench.run(sequence)[0]
    _same(plain, bench.run(renamed)[0], "under another name a sequence is tracked otherwise")
    half_a_day = 12 * 3600
    now = time.time
    with (
        mock.patch("time.time", lambda: now() + half_a_day),
        mock.patch("time.time_ns", lambda: int((now() + half_a_day) * 1e9)),
    ):
        later = bench.run(sequence)[0]
    _same(plain, later, "at another hour a sequence is tracked otherwise")


def _finds(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    """Two objects lie still in full view. Whatever the tracker's quality, it finds something of one
    of them, and takes none for the other or for its mirror image."""
    (sequence,) = sequences
    outputs = np.stack(bench.run(sequence)[0][1:])
    if not outputs.any():
        raise NonConformance("objects lie still in full view, and nothing is ever predicted")
    masks = {obj: sequence.labels[0] == obj for obj in sequence.objects}
    for obj, mask in masks.items():
        found = outputs == obj
        for other, elsewhere in masks.items():
            if other != obj and _overlap(found, elsewhere) > 0.5:
                raise NonConformance(f"object {obj} is predicted where object {other} lies")
        mirrored = _overlap(found, mask[:, ::-1]) > 0.5 or _overlap(found, mask[::-1]) > 0.5
        if mirrored and _overlap(found, mask) < 0.1:
            raise NonConformance(f"object {obj} is predicted where its mirror image would lie")


def _finds_late(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    """The same video, its second object there from frame 0 or from frame 1."""
    early, late = (np.stack(bench.run(sequence)[0][2:]) for sequence in sequences)
    second = list(sequences[0].objects)[1]
    if (early == second).any((1, 2)).mean() > 0.5 and not (late == second).any():
        raise NonConformance(
            f"object {second} is found when it is given in frame 0, never when in frame 1"
        )


def _finds_at_odd_sizes(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    """Much the same video at an even and at an odd size."""
    even, odd = (
        np.mean(
            [
                _overlap(np.stack(bench.run(sequence)[0][1:]) == obj, sequence.labels[0] == obj)
                for obj in sequence.objects
            ]
        )
        for sequence in sequences
    )
    if even > 0.5 and odd < 0.5 * even:
        raise NonConformance(
            f"objects that lie still are found with an IoU of {even:.2f} in 96x128 pixels, of "
            f"{odd:.2f} in 97x131"
        )


def _overlap(found: NDArray[np.bool_], mask: NDArray[np.bool_]) -> float:
    """Mean intersection over union of predictions (T, H, W) with one mask (H, W)."""
    union = (found | mask).sum((1, 2))
    return float(np.mean((found & mask).sum((1, 2)) / np.maximum(union, 1)))


def _visible_files() -> set[str]:
    return {path.name for path in Path().iterdir() if not path.name.startswith((".", "__"))}


def _same(first: list[LabelMap], second: list[LabelMap], complaint: str) -> None:
    for index, (one, other) in enumerate(zip(first, second, strict=True)):
        if pixels := int((one != other).sum()):
            raise NonConformance(f"{complaint}: {pixels} pixels in frame {index}")


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
        _runs,
    ),
    Case(
        "one-frame",
        "a sequence may end after its first frame",
        lambda size: (moving_discs("one-frame", size, 1),),
        _runs,
    ),
    Case(
        "odd-size",
        "any height and width: 97x131, upright, a wide strip",
        lambda size: (
            moving_discs("odd-size", (97, 131), 3, {1: 0, 2: 0}),
            moving_discs("upright", (size[1], size[0]), 3),
            moving_discs("strip", (size[0] // 3, size[1] * 2), 3),
        ),
        _runs,
    ),
    Case(
        "sparse-ids",
        "object ids need not be 1..N: 3, 7 and 200",
        lambda size: (moving_discs("sparse-ids", size, 3, {200: 0, 3: 0, 7: 0}),),
        _runs,
    ),
    Case(
        "late-objects",
        "objects may appear in any frame; none is predicted before its mask is given",
        lambda size: (moving_discs("late-objects", size, 6, {5: 1, 2: 3, 9: 3}),),
        _runs,
    ),
    Case(
        "vanishing",
        "objects may leave; later frames may hold none",
        _vanishing,
        _runs,
    ),
    Case("one-pixel", "a given mask may be one pixel", _pixel, _runs),
    Case("thin-lines", "given masks may be lines one pixel wide", _lines, _runs),
    Case("full-frame", "a given mask may cover the whole frame", _filled, _runs),
    Case(
        "repeats",
        "two runs with one seed give the same masks",
        lambda size: (moving_discs("repeats", size, 4, {1: 0, 2: 0}),),
        _repeats,
        ("deterministic",),
    ),
    Case(
        "causal",
        "frames yet to come do not change what is predicted now",
        lambda size: (moving_discs("causal", size, 6, {1: 0}),),
        _is_causal,
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
        _forgets,
        ("deterministic",),
    ),
    Case(
        "many-objects",
        "a dozen objects may be given at once",
        lambda size: (moving_discs("many", size, 3, dict.fromkeys(range(1, 13), 0)),),
        _runs,
        slow=True,
    ),
    Case(
        "tall",
        "frames may have more than 400 rows",
        lambda size: (moving_discs("tall", (432, size[1] // 2), 3, {1: 0, 2: 0}),),
        _runs,
    ),
    Case(
        "endures",
        "60 frames, thrice: neither a failure nor a difference",
        lambda _size: (moving_discs("endures", (48, 64), 60, {1: 0}, speed=0.005),),
        _endures,
        slow=True,
    ),
    Case(
        "surroundings",
        "neither the sequence's name nor the hour changes what is predicted",
        lambda size: (
            moving_discs("surroundings", size, 3, {1: 0, 2: 0}),
            replace(moving_discs("surroundings", size, 3, {1: 0, 2: 0}), name="elsewhere"),
        ),
        _keeps_to_itself,
        ("deterministic",),
    ),
    Case(
        "processes",
        "another process predicts the same",
        lambda size: (moving_discs("processes", size, 4, {1: 0, 2: 0}),),
        _runs,
        ("deterministic", "processes"),
    ),
    Case(
        "finds",
        "something is found of objects at rest; none is taken for another or its mirror image",
        lambda size: (_at_rest("finds", size),),
        _finds,
        ("sighted",),
    ),
    Case(
        "finds-late",
        "what is found of an object does not depend on the frame in which it appears",
        lambda size: (
            replace(_at_rest("finds-late", size, 5), name="finds-early"),
            _at_rest("finds-late", size, 5, {7: 0, 3: 1}),
        ),
        _finds_late,
        ("sighted",),
    ),
    Case(
        "finds-odd",
        "what is found does not depend on whether height and width are even",
        lambda _size: (_at_rest("finds-even", (96, 128)), _at_rest("finds-odd", (97, 131))),
        _finds_at_odd_sizes,
        ("sighted",),
    ),
)
