"""A run in parts: sequences dealt out to machines that know nothing of each other, and the parts
put together again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.errors import RunError, UsageError
from vosbench.running.recorder import kind_of
from vosbench.store import Run, RunRecord, SequenceRecord, check_name, path_beside, run_name

#: What all parts of a run have in common.
_IDENTITY = ("tracker", "dataset", "options", "seed", "protocol", "plugin")


def shard(sequences: Sequence[VideoSequence], text: str) -> tuple[str, ...]:
    """Names of the sequences that are part `text` ("3/16") of all, in their order. The longest are
    dealt out first, to the part that has least, so that all parts take about as long.

    Raises:
        UsageError: it is no I/N with I from 1 to N, or this part is empty.
    """
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise UsageError(f"--shard {text}: expected I/N with I from 1 to N, such as 3/16")
    frames = [0] * int(count)
    parts: list[set[str]] = [set() for _ in frames]
    for sequence in sorted(sequences, key=len, reverse=True):
        least = frames.index(min(frames))
        frames[least] += len(sequence)
        parts[least].add(sequence.name)
    mine = parts[int(index) - 1]
    if not mine:
        raise UsageError(f"--shard {text}: there are only {len(sequences)} sequences to deal out")
    return tuple(sequence.name for sequence in sequences if sequence.name in mine)


def merge(parts: Sequence[Run], dataset: Dataset, results: Path, *, partial: bool = False) -> Run:
    """Put parts of one run together as a run under `results`; the parts stay as they are.

    Args:
        dataset: the whole that they are parts of.
        partial: sequences may be missing.

    Raises:
        RunError: they are parts of different runs or of other data, a sequence is missing or in two
            of them, masks are not what was recorded, or there is such a run under `results`.
    """
    first = parts[0].record
    for part in parts[1:]:
        _require_same(parts[0], part)
    done = _done(parts)
    if strange := sorted(done.keys() - {s.name for s in dataset.sequences}):
        raise RunError(f"{', '.join(strange[:5])}: no such sequence in {dataset.name}")
    missing = [s.name for s in dataset.sequences if s.name not in done]
    if missing and not partial:
        raise RunError(
            f"{len(missing)} of {len(dataset.sequences)} sequences of {dataset.name} are in no "
            f"part: {', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}",
            "Run them, or merge what there is with --partial.",
        )
    for part in parts:
        if _fingerprint(dataset, part.record.sequences) != part.record.fingerprint:
            raise RunError(
                f"{part.folder} was made on other data than {dataset.name} holds now",
                "Run it again, or point --data-root to the data that it was made on.",
            )
    record = _record([part.record for part in parts], first, dataset, set(done))
    record.status = "partial" if missing else "complete"
    record.beside = path_beside(record.source, results, dataset.name)
    name = run_name(first.tracker, first.changed, first.seed)
    for each, what in ((dataset.name, "dataset"), (name, "run")):
        check_name(each, what)
    run = Run(results / dataset.name / name, record)
    if run.folder.exists():
        raise RunError(f"{run.folder} is there already", "Name another folder by --results.")
    with run.locked():
        for sequence, (part, _) in done.items():
            shutil.copytree(part.masks / sequence, run.masks / sequence)
        run.save_sequences([told for _, told in done.values()])
        run.save()  # last: without it the folder is no run
    return run


def _require_same(one: Run, other: Run) -> None:
    for key in _IDENTITY:
        before, now = getattr(one.record, key), getattr(other.record, key)
        if before != now:
            raise RunError(
                f"{one.folder} and {other.folder} are parts of different runs: "
                f"{key} is {before!r} and {now!r}"
            )
    devices = kind_of(one.record.device), kind_of(other.record.device)
    if devices[0] != devices[1]:
        raise RunError(
            f"{one.folder} and {other.folder} are parts of different runs: one is of {devices[0]}, "
            f"the other of {devices[1]}"
        )
    codes = one.record.code, other.record.code
    if all(codes) and codes[0] != codes[1]:
        raise RunError(
            f"{one.folder} and {other.folder} are parts of different runs: "
            f"the plugin's code is {codes[0][:12]} and {codes[1][:12]}"
        )
    for kind in ("versions", "packages", "files"):
        ours, theirs = getattr(one.record, kind), getattr(other.record, kind)
        names = [one.record.plugin] if kind == "versions" else set(ours) & set(theirs)
        for name in names:
            if ours.get(name) != theirs.get(name):
                raise RunError(
                    f"{one.folder} and {other.folder} are parts of different runs: "
                    f"{name} is {str(ours.get(name))[:12]} and {str(theirs.get(name))[:12]}"
                )


def _done(parts: Sequence[Run]) -> dict[str, tuple[Run, SequenceRecord]]:
    """Sequence -> the part in which it is done, and its record."""
    done: dict[str, tuple[Run, SequenceRecord]] = {}
    for part in parts:
        for name, record in part.sequences().items():
            if record.status != "done":
                continue
            if name in done:
                raise RunError(f"{name} is in {done[name][0].folder} and in {part.folder}")
            if not part.intact(record):
                raise RunError(
                    f"{part.folder}: the masks of {name} are not what was recorded",
                    "Copy them again, or run that part again.",
                )
            done[name] = part, record
    return done


def _record(
    parts: Sequence[RunRecord], first: RunRecord, dataset: Dataset, done: set[str]
) -> RunRecord:
    """What is said of the whole."""
    names = [sequence.name for sequence in dataset.sequences if sequence.name in done]
    nodes = {f"part {i}": part.hardware for i, part in enumerate(parts, 1)}
    for part in parts:
        nodes |= part.nodes
    return replace(
        first,
        sequences=names,
        fingerprint=_fingerprint(dataset, names),
        versions={name: v for part in parts for name, v in part.versions.items()},
        packages={name: v for part in parts for name, v in part.packages.items()},
        files={name: digest for part in parts for name, digest in part.files.items()},
        nodes=nodes,
        jobs=max(part.jobs for part in parts),
        shared_machine=any(part.shared_machine for part in parts),
        derived_timing=any(part.derived_timing for part in parts),
        wrapped=next((part.wrapped for part in parts if part.wrapped), ""),
        started=min(part.started for part in parts),
        finished=max(part.finished for part in parts),
    )


def _fingerprint(dataset: Dataset, names: Sequence[str]) -> str:
    wanted = set(names)
    part = tuple(sequence for sequence in dataset.sequences if sequence.name in wanted)
    return replace(dataset, sequences=part).fingerprint()
