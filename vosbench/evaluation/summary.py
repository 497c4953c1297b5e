"""What a table of many runs needs of the scores of one: read without their tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vosbench.evaluation.key import ScoreKey
from vosbench.metrics import Column
from vosbench.parsing import read_json

if TYPE_CHECKING:
    from vosbench.evaluation.tables import Evaluation

FORMAT = 2
SCORES = "scores.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The scores of one tracker over one dataset, in 0..1, without those of objects and frames.

    Attributes:
        protocol: name of the protocol.
        global_scores: official columns first: "J&F-Mean", "J-Mean", "J-Recall", ...
        intervals: global score -> (low, high), its 95 % bootstrap interval over whole sequences.
        columns: what is known of the columns of sequence metrics.
        scored: names of the sequences that the scores are over.
        objects: number of objects that were scored.
        whole: number of sequences of the whole dataset; 0 if unknown.
        key: what these scores belong to, if they are a run's own.
    """

    protocol: str
    global_scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    columns: tuple[Column, ...]
    scored: tuple[str, ...]
    objects: int
    whole: int
    key: ScoreKey | None

    @classmethod
    def of(cls, evaluation: Evaluation) -> Self:
        return cls(
            protocol=evaluation.protocol,
            global_scores=evaluation.global_scores,
            intervals=evaluation.intervals,
            columns=evaluation.columns,
            scored=evaluation.scored,
            objects=len(evaluation.objects),
            whole=evaluation.whole,
            key=evaluation.key,
        )

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """From what `Evaluation.write` wrote; None if there is nothing, or it is broken."""
        try:
            document = read_json(folder / SCORES)
            return cls(**parsed(document), objects=len(document["objects"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def parsed(document: Any) -> dict[str, Any]:
    """The values that `scores.json` holds, by attribute.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is not what was written.
    """
    if document["format"] != FORMAT:
        raise ValueError(f"its format is {document['format']}, this program reads {FORMAT}")
    found = document["global"].items()
    bounds = document["intervals"].items()
    return {
        "protocol": str(document["protocol"]),
        "global_scores": {k: math.nan if v is None else float(v) for k, v in found},
        "intervals": {name: (float(low), float(high)) for name, (low, high) in bounds},
        "columns": tuple(Column(**column) for column in document["columns"]),
        "scored": tuple(map(str, document["sequences"])),
        "whole": int(document.get("whole", 0)),
        "key": _key(document.get("key")),
    }


def _key(values: dict[str, Any] | None) -> ScoreKey | None:
    if values is None:
        return None
    lists = {
        "sequences": tuple(map(str, values["sequences"])),
        "metrics": tuple((str(name), str(digest)) for name, digest in values["metrics"]),
    }
    return ScoreKey(**{**values, **lists})
