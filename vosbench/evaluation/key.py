"""What scores belong to, so that stored ones are never shown for anything else."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: Source that decides what a score is: what reads masks, what measures them, what averages.
_EVALUATOR = ("metrics", "evaluation", "datasets/png.py", "datasets/reading.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreKey:
    """Scores with equal keys are equal.

    Attributes:
        sequences: names of the sequences that were to be scored.
        protocol: name of the protocol.
        fingerprint: of the data that the run was made on, see `Dataset.fingerprint`.
        evaluator: digest of the program that scores, see `evaluator_digest`.
        masks: digest of the masks, see `masks_digest`.
        metrics: measures besides the protocol's own -> digest of the code that they come from.
    """

    sequences: tuple[str, ...]
    protocol: str
    fingerprint: str
    evaluator: str
    masks: str
    metrics: tuple[tuple[str, str], ...] = ()

    def difference(self, other: ScoreKey) -> str:
        """What is different in `other`, in words; "" where nothing is. Further measures do not
        count: scores that have them hold without."""
        words = {
            "masks": "its masks have changed since it was scored",
            "sequences": "other sequences were scored",
            "protocol": f"it was scored under the protocol {self.protocol}",
            "fingerprint": "it was scored on other data",
            "evaluator": "it was scored by another state of the evaluator",
        }
        return next(
            (text for k, text in words.items() if getattr(self, k) != getattr(other, k)), ""
        )


def masks_digest(masks: Path, sequences: Iterable[str]) -> str:
    """SHA-256 (hex) over names and contents of all files in `masks/<sequence>`. Time stamps do not
    count, for copies and archives bring their own."""
    digest = hashlib.sha256()
    for sequence in sorted(sequences):
        folder = masks / sequence
        digest.update(f"{sequence}/\n".encode())
        for name in sorted(_files(folder)):
            content = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            digest.update(f"{content} {name}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _files(folder: Path) -> list[str]:
    """Paths below `folder`: overlapping objects have folders of their own."""
    return [path.relative_to(folder).as_posix() for path in folder.rglob("[!.]*") if path.is_file()]


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
