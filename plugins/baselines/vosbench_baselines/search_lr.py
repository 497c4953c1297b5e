"""Grid search of one learning rate, by region similarity on training sequences.

Every (rate, sequence) is a row of a table that is appended as soon as it is known, so an
interrupted search resumes where it stopped.
"""

from __future__ import annotations

import csv
import json
import logging
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.errors import RunError, UsageError
from vosbench.metrics import region_similarity
from vosbench.specs import TrackerSpec
from vosbench.tracking.clip import Clip
from vosbench.tracking.session import Session, make_tracker
from vosbench.types import Context, LabelMap

COLUMNS = ("rate", "sequence", "J", "seconds")


@dataclass(frozen=True)
class Row:
    """What one rate gave on one sequence: mean J over objects and frames, seconds it took."""

    rate: float
    sequence: str
    J: float
    seconds: float


class RateSearch:
    """A search in a folder: `search.json` says what is searched, `search.csv` what was found.

    Args:
        spec: a tracker with an option `rate`.
        given: its other options, as texts of `-o`.
        dataset: training sequences, annotated. stride: one frame in this many is tracked.
        folder: of the search.

    Raises:
        UsageError: the tracker has no option `rate`, or an option does not fit.
        RunError: the folder holds a search of something else.
    """

    def __init__(
        self,
        spec: TrackerSpec,
        given: Mapping[str, str],
        dataset: Dataset,
        folder: Path,
        *,
        stride: int,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        if "rate" not in {option.name for option in spec.options}:
            raise UsageError(f"tracker {spec.name!r} has no option rate to search for")
        if "rate" in given:
            raise UsageError("option rate is what is searched for", "Leave -o rate=... out.")
        self._spec, self._given, self._dataset = spec, dict(given), dataset
        self._stride, self._device, self._seed = stride, device, seed
        self.table = folder / "search.csv"
        folder.mkdir(parents=True, exist_ok=True)
        options = {k: v for k, v in spec.resolve_options(given).items() if k != "rate"}
        what = {
            "tracker": spec.name,
            "options": options,
            "dataset": dataset.name,
            "fingerprint": dataset.fingerprint(),
            "stride": stride,
            "seed": seed,
        }
        note = folder / "search.json"
        if note.is_file():
            before = json.loads(note.read_text(encoding="utf-8"))
            other = sorted(k for k in what if before.get(k) != what[k])
            if other:
                raise RunError(
                    f"{folder} holds a search with other settings: {', '.join(other)}",
                    "Choose another folder with --out.",
                )
        note.write_text(json.dumps(what, indent=2) + "\n", encoding="utf-8")

    def rows(self) -> list[Row]:
        """All that is known so far; a row that was being written when the search died is not."""
        if not self.table.is_file():
            return []
        with self.table.open(newline="", encoding="utf-8") as file:
            lines = [line for line in csv.reader(file) if len(line) == len(COLUMNS)][1:]
        return [Row(float(r), s, float(j), float(t)) for r, s, j, t in lines]

    def run(self, rates: Sequence[float], found: Callable[[Row], None] = lambda _row: None) -> None:
        """Score what is missing; `found` hears of each new row."""
        rows = self.rows()
        known = {(row.rate, row.sequence) for row in rows}
        for rate in rates:
            missing = [v for v in self._dataset.sequences if (rate, v.name) not in known]
            if not missing:
                continue
            ctx = self._context(rate)
            session = Session(make_tracker(self._spec, ctx), self._spec.capabilities)
            for video in missing:
                row = self._score(session, ctx, rate, thinned(video, self._stride))
                rows.append(row)
                self._write(rows)
                found(row)

    def curve(self) -> dict[float, float]:
        """Rate -> mean J over sequences, ascending, for rates that are complete."""
        names = {video.name for video in self._dataset.sequences}
        by_rate: dict[float, dict[str, float]] = {}
        for row in self.rows():
            by_rate.setdefault(row.rate, {})[row.sequence] = row.J
        return {
            rate: fmean(by_rate[rate][name] for name in names)
            for rate in sorted(by_rate)
            if names <= set(by_rate[rate])
        }

    def _context(self, rate: float) -> Context:
        return Context(
            device=self._device,
            seed=self._seed,
            options=self._spec.resolve_options({**self._given, "rate": repr(rate)}),
            scratch=Path(tempfile.mkdtemp(prefix="vosbench-search-")),
            logger=logging.getLogger("vosbench.search"),
        )

    def _score(self, session: Session, ctx: Context, rate: float, video: VideoSequence) -> Row:
        started = time.monotonic()
        values: list[float] = []

        def score(index: int, labels: LabelMap, _: Mapping[str, LabelMap]) -> None:
            truth = video.labels(index)
            if truth is not None:
                values.extend(
                    float(region_similarity(truth == obj, labels == obj))
                    for obj, start in video.objects.items()
                    if start < index
                )

        session.run(Clip.of(video), ctx, score)
        mean = float(np.mean(values)) if values else 0.0
        return Row(rate, video.name, mean, time.monotonic() - started)

    def _write(self, rows: Sequence[Row]) -> None:
        part = self.table.with_suffix(".part")
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows([r.rate, r.sequence, f"{r.J:.5f}", f"{r.seconds:.2f}"] for r in rows)
        part.replace(self.table)


def thinned(video: VideoSequence, stride: int) -> VideoSequence:
    """Every `stride`-th frame of a sequence, and those in which objects are given."""
    kept = sorted({*range(0, len(video), stride), *video.objects.values()})
    place = {old: new for new, old in enumerate(kept)}
    return replace(
        video,
        frames=tuple(video.frames[old] for old in kept),
        annotations={place[i]: path for i, path in video.annotations.items() if i in place},
        objects={obj: place[start] for obj, start in video.objects.items()},
        output=(),
    )
