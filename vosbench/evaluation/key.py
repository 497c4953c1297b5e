"""What scores belong to, so that stored ones are never shown for anything else."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vosbench.durable import written_whole
from vosbench.metrics import MetricSpec, SequenceMetricSpec
from vosbench.parsing import read_json
from vosbench.plugins import PROTOCOLS_OF_PLUGINS
from vosbench.provenance import plugin_code

#: Source that decides what a score is: what reads masks, what measures them, what averages.
_EVALUATOR = (
    "metrics",
    "evaluation",
    *(
        f"datasets/{name}.py"
        for name in ("masks", "matching", "png", "predictions", "reading", "rle")
    ),
)
_SETTLED = 2.0  # seconds: what is younger may change again without a change of its time


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreKey:
    """Scores with equal keys are equal.

    Attributes:
        sequences: names of the sequences that were to be scored.
        protocol: name of the protocol.
        fingerprint: of the data that the run was made on, see `Dataset.fingerprint`.
        evaluator: digest of the program that scores, see `evaluator_digest`.
        masks: digest of the masks, see `masks_digest`.
        metrics: measures besides the protocol's own, and a plugin's protocol -> SHA-256 of the code
            that they come from, see `code_of`; "" for those of the harness.
    """

    sequences: tuple[str, ...]
    protocol: str
    fingerprint: str
    evaluator: str
    masks: str
    metrics: tuple[tuple[str, str], ...] = ()

    def difference(self, other: ScoreKey) -> str:
        """What is different in `other`, in words; "" where nothing is. Measures that `other` does
        not have do not count: scores that have them hold without."""
        words = {
            "masks": "its masks have changed since it was scored",
            "sequences": "other sequences were scored",
            "protocol": f"it was scored under the protocol {self.protocol}",
            "fingerprint": "it was scored on other data",
            "evaluator": "it was scored by another state of the evaluator",
        }
        now = dict(other.metrics)
        edited = [name for name, code in self.metrics if now.get(name, code) != code]
        if edited:
            return f"the code of {edited[0]} has changed since it was scored"
        return next(
            (text for k, text in words.items() if getattr(self, k) != getattr(other, k)), ""
        )


def code_of(
    metrics: Iterable[MetricSpec | SequenceMetricSpec], protocol: str
) -> tuple[tuple[str, str], ...]:
    """What `ScoreKey.metrics` says of these measures, and of the protocol if a loaded plugin has
    brought it."""
    made_by = {m.name: m.function if isinstance(m, MetricSpec) else m.metric for m in metrics}
    if protocol in PROTOCOLS_OF_PLUGINS:
        made_by[f"protocol {protocol}"] = PROTOCOLS_OF_PLUGINS[protocol].protocol
    return tuple(sorted((name, plugin_code(callable_)) for name, callable_ in made_by.items()))


def masks_digest(masks: Path, sequences: Iterable[str], kept: Path | None = None) -> str:
    """SHA-256 (hex) over names and contents of all files in `masks/<sequence>`. Time stamps do not
    count, for copies and archives bring their own.

    Args:
        kept: file that keeps the digest, with a digest of size, times and place of every file: the
            masks are read again when one of those changes.
    """
    found = {sequence: _files(masks / sequence) for sequence in sorted(sequences)}
    stamp = _stamp(found)
    if kept is not None and (known := _kept(kept, stamp)):
        return known
    digest = hashlib.sha256()
    for sequence, files in found.items():
        digest.update(f"{sequence}/\n".encode())
        for name in files:
            content = hashlib.sha256((masks / sequence / name).read_bytes()).hexdigest()
            digest.update(f"{content} {name}\n".encode(errors="surrogateescape"))
    text = digest.hexdigest()
    newest = max((f.st_ctime for files in found.values() for f in files.values()), default=0.0)
    if kept is not None and newest < time.time() - _SETTLED:
        with contextlib.suppress(OSError), written_whole(kept, sync=False) as stream:
            stream.write(json.dumps({"stamp": stamp, "digest": text}).encode())
    return text


def _stamp(found: Mapping[str, Mapping[str, os.stat_result]]) -> str:
    digest = hashlib.sha256()
    for sequence, files in found.items():
        digest.update(f"{sequence}/\n".encode())
        for name, facts in files.items():
            values = (facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)
            digest.update(f"{name} {values}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _kept(path: Path, stamp: str) -> str:
    """The digest that was kept under `stamp`, or ""."""
    try:
        document = read_json(path)
        return str(document["digest"]) if document["stamp"] == stamp else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _files(folder: Path) -> dict[str, os.stat_result]:
    """Path below `folder` -> what the system says of the file, in the order of paths: overlapping
    objects have folders of their own. What begins with a dot does not count."""
    found = {}
    folders = [("", str(folder))]
    while folders:
        prefix, place = folders.pop()
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(place) as entries,
        ):
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append((f"{name}/", entry.path))
                elif entry.is_file():
                    found[name] = entry.stat()
    return dict(sorted(found.items()))


@functools.cache
def evaluator_digest() -> str:
    """SHA-256 (first 16 hex digits) of the source of everything between masks and scores."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for part in _EVALUATOR:
        path = package / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{file.relative_to(package).as_posix()}\n".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
