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

import logging
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vosbench.errors import PluginError, VosbenchError
from vosbench.specs import TrackerSpec
from vosbench.testing.synthetic import Synthetic, moving_discs, still, textured
from vosbench.tracking.session import Session, TrackerFailure, make_tracker
from vosbench.types import Context, LabelMap

Size = tuple[int, int]
Needs = Literal["", "deterministic", "streaming"]


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
        needs: declared capability without which the demand does not hold for a tracker.
    """

    name: str
    demand: str
    sequences: Callable[[Size], tuple[Synthetic, ...]]
    check: Callable[[Bench, tuple[Synthetic, ...]], None]
    needs: tuple[Needs, ...] = ()

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

    def run(self, *sequences: Synthetic) -> list[list[LabelMap]]:
        """The label maps (H, W) of every frame of each sequence, all tracked by one instance.

        Raises:
            NonConformance: images or given masks were changed.
            TrackerFailure: the tracker raised, or its answer cannot be used.
            PluginError: the tracker cannot be built.
        """
        scratch = Path(tempfile.mkdtemp(dir=self._scratch))
        ctx = make_context(self._spec, scratch, **self._settings)
        session = Session(self._build(ctx), self._spec.capabilities)
        return [self._track(session, sequence, ctx) for sequence in sequences]

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
) -> Outcome:
    """Put one tracker to one case.

    Args:
        spec: the tracker as it is registered.
        case: one of `conformance_cases()`.
        options: as given by `-o`, texts.
        device: torch device string.
        seed: of every run.
        size: (height, width) in pixels of most sequences; small ones are quick.

    Raises:
        UsageError: an option that the tracker does not take.
        PluginError: the tracker cannot be built.
    """
    if missing := _missing(spec, case, device):
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


def _missing(spec: TrackerSpec, case: Case, device: str) -> str:
    if "deterministic" in case.needs and not spec.capabilities.deterministic_on(device):
        return f"it declares not to be deterministic on {device}"
    if "streaming" in case.needs and spec.capabilities.access == "video":
        return "it declares to see the whole video from the start"
    return ""


def conformance_cases() -> tuple[Case, ...]:
    """Every case, the plainest first."""
    return _CASES


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
    one, other = sequences
    first, _, again = bench.run(one, other, one)
    _same(first, again, "a sequence is tracked otherwise after another was tracked")


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
        ),
        _forgets,
        ("deterministic",),
    ),
)
