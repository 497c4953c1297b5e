"""What a dataset is, as one digest: runs over data of different fingerprints are not compared."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from vosbench.errors import DatasetError

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset, Sequence


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 (hex) over sequence names, frame names and sizes in bytes, given objects, the frames
    to be written, and the annotations' bytes. Where the files lie does not count.

    Raises:
        DatasetError: a file is missing or cannot be read.
    """
    digest = hashlib.sha256()
    for sequence in dataset.sequences:
        try:
            _add(digest, sequence)
        except OSError as error:
            raise DatasetError(f"{error.filename} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def _add(digest: hashlib._Hash, sequence: Sequence) -> None:
    facts = {
        "sequence": sequence.name,
        "frames": [(path.name, path.stat().st_size) for path in sequence.frames],
        "annotations": sorted(sequence.annotations),
        "objects": sorted(sequence.objects.items()),
        "binary": sequence.binary,
        "output": sequence.output,
    }
    digest.update(json.dumps(facts, sort_keys=True).encode())
    for _, path in sorted(sequence.annotations.items()):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
