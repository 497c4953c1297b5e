"""What the conformance suite checks. Each check runs sequences on a bench and raises NonConformance
or TrackerFailure."""

from __future__ import annotations

import time
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from vosbench.backports import zip
from vosbench.testing.bench import Bench, NonConformance
from vosbench.testing.synthetic import Synthetic
from vosbench.types import LabelMap


def runs(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    """Shapes, types, ids and untouched input are checked by every run."""
    for sequence in sequences:
        outputs = bench.run(sequence)[0]
        if len(outputs) != len(sequence):
            raise NonConformance(f"{len(outputs)} label maps for {len(sequence)} frames")


def repeats(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    (sequence,) = sequences
    _same(bench.run(sequence)[0], bench.run(sequence)[0], "two runs with one seed differ")


def is_causal(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    (sequence,) = sequences
    last = len(sequence) // 2
    plain = bench.run(sequence)[0][: last + 1]
    altered = bench.run(sequence.altered_after(last))[0][: last + 1]
    _same(plain, altered, f"with other images after frame {last}, earlier output changes")


def forgets(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    one, *others = sequences
    first, *_, again = bench.run(one, *others, one)
    _same(first, again, "a sequence is tracked differently after others were tracked")


def endures(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    """Often enough that what goes wrong in one answer of fifty is seen."""
    (sequence,) = sequences
    first = bench.run(sequence)[0]
    for _ in range(2 if bench.deterministic else 0):
        _same(first, bench.run(sequence)[0], "of several runs with one seed one differs")


def keeps_to_itself(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    sequence, renamed = sequences
    plain = bench.run(sequence)[0]
    _same(plain, bench.run(renamed)[0], "under another name a sequence is tracked differently")
    half_a_day = 12 * 3600
    now = time.time
    with (
        mock.patch("time.time", lambda: now() + half_a_day),
        mock.patch("time.time_ns", lambda: int((now() + half_a_day) * 1e9)),
    ):
        later = bench.run(sequence)[0]
    _same(plain, later, "at another hour a sequence is tracked differently")


def finds(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
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


def finds_late(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
    """The same video, its second object there from frame 0 or from frame 1."""
    early, late = (np.stack(bench.run(sequence)[0][2:]) for sequence in sequences)
    second = list(sequences[0].objects)[1]
    if (early == second).any((1, 2)).mean() > 0.5 and not (late == second).any():
        raise NonConformance(
            f"object {second} is found when it is given in frame 0, never when in frame 1"
        )


def finds_at_odd_sizes(bench: Bench, sequences: tuple[Synthetic, ...]) -> None:
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


def _same(first: list[LabelMap], second: list[LabelMap], complaint: str) -> None:
    for index, (one, other) in enumerate(zip(first, second, strict=True)):
        if pixels := int((one != other).sum()):
            raise NonConformance(f"{complaint}: {pixels} pixels in frame {index}")
