"""Published numbers with where each comes from: `numbers.csv` beside this file, one row a number.

Numbers of one method contradict each other: another checkpoint, training set, frame rate or
evaluator, or somebody else's run. So none is merged with another; they stand side by side, each
with its source.

Columns of the file: `method`; `checkpoint`; `training` (data); `year`, `venue`; `dataset`;
`frame_rate` of the input where that is known (YouTube-VOS: 6 or 30); `measure`; `value`, percent as
printed; `fps` and the `hardware` it was measured on; `by`, "own" for the method's authors or
"compiled" for somebody else; `evidence`, "primary" (the authors' repository), "paper", "compiled"
(a table of a third party) or "secondary" (not checked at its origin); `source`; `footnote`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_FILE = Path(__file__).parent / "numbers.csv"

#: First year of what `published(..., "recent")` gives.
RECENT = 2020

#: dataset -> number of its sequences, 0 where that is not known: datasets with published numbers.
DATASETS = {
    "davis16-val": 20,
    "davis17-val": 30,
    "davis17-test-dev": 30,
    "ytvos18-valid": 474,
    "ytvos19-valid": 507,
    "mose-valid": 311,
    "mosev2-valid": 433,
    "lvos-v1-val": 50,
    "lvos-v2-val": 140,
    "sav-val": 155,
    "sav-test": 150,
}

_BY = {"own": "the authors' own", "compiled": "not the authors' own"}
#: What makes numbers belong into one row.
_ROW = ("method", "checkpoint", "training", "frame_rate", "by", "evidence", "source", "footnote")


@dataclass(frozen=True, slots=True)
class Published:
    """Published numbers for one dataset.

    Attributes:
        dataset: its name, one of `DATASETS`.
        rows: index method, with checkpoint or training data where several rows are of it; columns
            named as in `vosbench compare`: scores in 0..1, FPS in frames per second; NaN where the
            source gives none.
        sources: of each row: where it is from, by whom, what the FPS was measured on, footnotes.
        sequences: number of sequences of the whole dataset, 0 if unknown.
    """

    dataset: str
    rows: pd.DataFrame
    sources: tuple[str, ...]
    sequences: int


def published(dataset: str, which: str = "recent", *, secondary: bool = False) -> Published | None:
    """The published numbers for `dataset`, the best first; None where there are none.

    J&F is the mean of J and F where a source prints only those.

    Args:
        which: "recent" (since 2020), "all", "none", or a method: its name or the beginning of it.
        secondary: with numbers that were not checked at their origin.
    """
    import pandas as pd

    if which == "none" or dataset not in DATASETS:
        return None
    numbers = _numbers()
    chosen = numbers[numbers["dataset"] == dataset]
    if not secondary:
        chosen = chosen[chosen["evidence"] != "secondary"]
    if which == "recent":
        chosen = chosen[pd.to_numeric(chosen["year"], errors="coerce") >= RECENT]
    elif which != "all":
        chosen = chosen[chosen["method"].str.lower().str.startswith(which.lower())]
    rows: list[dict[str, Any]] = []
    facts: list[dict[str, str]] = []
    for key, group in chosen.groupby(list(_ROW), sort=False):
        scores = {m: float(v) / 100 for m, v in zip(group["measure"], group["value"], strict=True)}
        if "J&F" not in scores and {"J", "F"} <= scores.keys():
            scores["J&F"] = (scores["J"] + scores["F"]) / 2
        fps = group["fps"].iloc[0]
        rows.append(scores | {"FPS": float(fps) if fps else float("nan")})
        facts.append(dict(zip(_ROW, key, strict=True)) | {"hardware": group["hardware"].iloc[0]})
    if not rows:
        return None
    table = pd.DataFrame(rows, index=_labels(facts))
    leading = next(name for name in ("J&F", "J&F_new") if name in table)
    order = (-table[leading].to_numpy()).argsort(kind="stable")
    return Published(
        dataset,
        table.iloc[order],
        tuple(_source(facts[row]) for row in order),
        DATASETS[dataset],
    )


def methods() -> list[str]:
    """Names of all methods with published numbers."""
    return list(dict.fromkeys(_numbers()["method"]))


@functools.cache
def _numbers() -> pd.DataFrame:
    """The whole file, every cell as text."""
    import pandas as pd

    return pd.read_csv(_FILE, dtype=str, keep_default_na=False)


def _labels(facts: list[dict[str, str]]) -> list[str]:
    """The method; with checkpoint or training data where several rows have it."""
    methods = [row["method"] for row in facts]
    labels = []
    for row in facts:
        details = row["checkpoint"] or row["training"]
        several = methods.count(row["method"]) > 1 and details
        labels.append(f"{row['method']}, {details}" if several else row["method"])
    return labels


def _source(row: dict[str, str]) -> str:
    parts = [
        f"{row['source']} ({_BY[row['by']]})",
        row["footnote"],
        f"input at {row['frame_rate']} frames a second" if row["frame_rate"] else "",
        f"FPS: {row['hardware']}" if row["hardware"] else "",
        "not checked at its origin" if row["evidence"] == "secondary" else "",
    ]
    return "; ".join(filter(None, parts))
