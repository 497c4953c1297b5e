"""Scores as tables: in memory, and in the folder `scores/` of a run."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import pandas as pd

from vosbench.datasets.base import Dataset, label_of, part_of
from vosbench.durable import written_whole
from vosbench.errors import EvaluationError
from vosbench.evaluation.intervals import score_intervals
from vosbench.evaluation.key import ScoreKey
from vosbench.evaluation.score import AnySpec, SequenceScores
from vosbench.evaluation.summary import FORMAT, SCORES, parsed
from vosbench.metrics import Column, SequenceMetricSpec
from vosbench.metrics.protocols import Protocol, Row
from vosbench.metrics.sequence import summed
from vosbench.parsing import read_json

_FRAMES = "per-frame.csv"
_KEYS = ("sequence", "object")
_KINDS = {"object": int, "annotated": int, "predicted": int}

#: Every file that any protocol writes: all go before new ones come.
_FILES = (
    SCORES, _FRAMES, "global_results-val.csv", "per-sequence_results-val.csv", "metrics.json",
    "scores.txt", "results.csv",
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Evaluation:
    """The scores of one tracker over one dataset; all in 0..1.

    Attributes:
        protocol: name of the protocol.
        dataset: name of the dataset.
        global_scores: official columns first: "J&F-Mean", "J-Mean", "J-Recall", ...
        objects: one row per object: `sequence`, `object`, `J-Mean`, `J-Recall`, `J-Decay`,
            `F-Mean`, ..., and what the protocol or further metrics add.
        frames: one row per object and scored frame: `sequence`, `object`, `frame` (its name),
            `annotated`, `predicted` (whether it is there, 0 or 1), `J`, `F`, ...
        official: whether an official program defines the protocol.
        intervals: global score -> (low, high), its 95 % bootstrap interval over whole sequences.
        sequence_scores: index sequence; what sequence metrics found for whole sequences.
        columns: what is known of the columns of sequence metrics: name, direction, unit.
        tables: file name -> text of the tables that the protocol itself writes.
        warnings: what looks wrong with the predictions.
        missing: sequences that were asked for and are not scored.
        whole: number of sequences of the whole dataset; 0 if unknown.
        key: what these scores belong to, if they are a run's own.
    """

    protocol: str
    dataset: str
    global_scores: dict[str, float]
    objects: pd.DataFrame
    frames: pd.DataFrame
    official: bool = True
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    sequence_scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    columns: tuple[Column, ...] = ()
    tables: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    whole: int = 0
    key: ScoreKey | None = None

    @classmethod
    def from_scores(
        cls,
        dataset: Dataset,
        rules: Protocol,
        results: Sequence[SequenceScores],
        metrics: Sequence[AnySpec] = (),
    ) -> Self:
        """From the scores of all sequences of `dataset`, in its order, none with problems."""
        rows: list[Row] = []
        frames = _Columns()
        for video, result in zip(dataset.sequences, results, strict=True):
            for scores in result.objects:
                keys = {"sequence": video.name, "object": scores.object}
                rows.append({**keys, **rules.summarise(scores)})
                there = {"annotated": scores.annotated, "predicted": scores.predicted}
                frames.add(keys, {"frame": scores.frames, **there, **scores.values})
        overall = rules.overall(rows)
        through = [spec for spec in metrics if isinstance(spec, SequenceMetricSpec)]
        parts = {m.name: [result.measured[m.name] for result in results] for m in through}
        found = [(m.resolve(), parts[m.name]) for m in through]
        further = [metric.scores(summed(measured)) for metric, measured in found]
        names = [video.name for video in dataset.sequences]
        per_object: dict[tuple[Any, Any], Row] = {}
        per_sequence: dict[str, Row] = {}
        for measured in parts.values():
            for video, part in zip(dataset.sequences, measured, strict=True):
                per_sequence.setdefault(video.name, {}).update(part.sequence)
                for obj, values in part.objects.items():
                    per_object.setdefault((video.name, obj), {}).update(values)
        objects = [{**row, **per_object.get((row["sequence"], row["object"]), {})} for row in rows]
        return cls(
            protocol=rules.name,
            dataset=dataset.name,
            whole=dataset.size,
            global_scores={
                **overall,
                **{name: float(value) for scores in further for name, value in scores.items()},
            },
            objects=pd.DataFrame(objects),
            frames=pd.DataFrame(frames.columns),
            official=rules.official,
            intervals=score_intervals(rules, rows, names, found),
            sequence_scores=pd.DataFrame.from_dict(per_sequence, orient="index"),
            columns=tuple(column for spec in through for column in spec.columns),
            tables=rules.files(rows, overall),
            warnings=_warnings(rules, results, overall),
        )

    @property
    def scored(self) -> tuple[str, ...]:
        """Names of the sequences that the scores are over."""
        return tuple(dict.fromkeys(map(str, self.objects["sequence"])))

    @property
    def label(self) -> str:
        """The dataset's name, and how much of it the scores are over."""
        return label_of(self.dataset, len(self.scored), self.whole)

    @property
    def sequences(self) -> pd.DataFrame:
        """Index sequence; `J&F`, `J`, `J-Recall`, `J-Decay`, `F`, ...: mean over its objects. What
        sequence metrics found for the whole sequence comes last."""
        scores = self.objects.drop(columns="object").groupby("sequence", sort=False)
        table = scores.mean(numeric_only=True).drop(columns="unseen", errors="ignore")
        table.insert(0, "J&F-Mean", (table["J-Mean"] + table["F-Mean"]) / 2)
        table = table.rename(columns=lambda name: name.removesuffix("-Mean"))
        for name in self.sequence_scores:
            table[name] = self.sequence_scores[name].reindex(table.index)
        return table

    @property
    def table(self) -> pd.DataFrame:
        """In percent: one row a sequence (mean over its objects), then `global`, the scores that
        the protocol reports, which may be a mean over all objects or classes."""
        table = self.sequences
        scores = {name.removesuffix("-Mean"): v for name, v in self.global_scores.items()}
        last = pd.DataFrame([scores], index=["global"])
        table = 100 * pd.concat([table, last.reindex(columns=table.columns)])
        table.index.name = "sequence"
        return table

    def _repr_html_(self) -> str:
        caption = f"{html.escape(self.label)}, protocol {html.escape(self.protocol)} (%)"
        return f"<p>{caption}</p>{self.table.round(1).to_html()}"

    def files(self) -> dict[str, str]:
        """File name -> text of everything that `write` writes."""
        rows: list[Row] = self.objects.to_dict("records")  # type: ignore[assignment]
        document = {
            "format": FORMAT,
            "protocol": self.protocol,
            "official": self.official,
            "dataset": self.dataset,
            "part": part_of(len(self.scored), self.whole),
            "sequences": list(self.scored),
            "missing": self.missing,
            "whole": self.whole,
            "key": asdict(self.key) if self.key else None,
            "warnings": self.warnings,
            "global": _plain(self.global_scores),
            "intervals": {name: list(bounds) for name, bounds in self.intervals.items()},
            "columns": [asdict(column) for column in self.columns],
            "objects": [_plain(row) for row in rows],
            "per_sequence": {
                str(name): _plain(row.to_dict()) for name, row in self.sequences.iterrows()
            },
            "sequence_metrics": list(map(str, self.sequence_scores)),
            "tables": sorted(self.tables),
        }
        frames = self.frames.astype({"annotated": int, "predicted": int})
        return {
            **self.tables,
            _FRAMES: frames.to_csv(index=False, lineterminator="\n"),
            SCORES: json.dumps(document, indent=1, allow_nan=False) + "\n",
        }

    def write(self, folder: Path) -> None:
        """Write the official tables, `scores.json` (full precision) and `per-frame.csv`.

        What an earlier evaluation left goes first, `scores.json` comes last, and every file
        appears whole or not at all.
        """
        texts = self.files()
        clear(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with written_whole(folder / name) as stream:
                stream.write(text.encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `write` wrote, float for float. Raises EvaluationError if it cannot be read."""
        path = folder / SCORES
        try:
            document = read_json(path)
            values = parsed(document)
            del values["scored"]  # the objects say that
            objects = pd.DataFrame(document["objects"])
            for name in set(objects.columns) - {*_KEYS, "unseen", "name"}:
                objects[name] = objects[name].astype(float)
            per_sequence = document["per_sequence"]
            of_sequences = {
                name: {key: row[key] for key in document["sequence_metrics"]}
                for name, row in per_sequence.items()
            }
            path = folder / _FRAMES
            frames = pd.read_csv(path, dtype=str)  # pandas' own parser may lose the last bit
            for name in frames.columns.drop(["sequence", "frame"]):
                frames[name] = frames[name].astype(_KINDS.get(name, float))
            frames = frames.astype({"annotated": bool, "predicted": bool})
            tables = {
                name: (folder / Path(name).name).read_text(encoding="utf-8")
                for name in document["tables"]
            }
            return cls(
                **values,
                dataset=document["dataset"],
                objects=objects,
                frames=frames,
                official=bool(document["official"]),
                sequence_scores=pd.DataFrame.from_dict(of_sequences, orient="index").astype(float),
                tables=tables,
                warnings=list(document["warnings"]),
                missing=list(document["missing"]),
            )
        except FileNotFoundError:
            raise EvaluationError(
                f"{folder} holds no scores: {path.name} is missing",
                "`vosbench evaluate` writes them.",
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise EvaluationError(
                f"{path} cannot be read: {error}", "`vosbench evaluate` writes it anew."
            ) from None


class _Columns:
    """Columns that grow; what a row does not have is nan."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {}
        self._rows = 0

    def add(self, keys: Mapping[str, Any], columns: Mapping[str, Sequence[Any]]) -> None:
        """Add rows, which share the values of `keys`."""
        count = len(next(iter(columns.values())))
        new = {**{name: [value] * count for name, value in keys.items()}, **columns}
        for name in {**self.columns, **new}:
            column = self.columns.setdefault(name, [math.nan] * self._rows)
            column.extend(new.get(name, [math.nan] * count))
        self._rows += count


def clear(folder: Path) -> None:
    """Remove the files of an earlier evaluation from `folder`, nothing else."""
    for name in (*_own_tables(folder), *_FILES):
        (folder / name).unlink(missing_ok=True)


def _own_tables(folder: Path) -> list[str]:
    """Names of the tables that a protocol wrote beside `scores.json`."""
    try:
        names = read_json(folder / SCORES)["tables"]
        return [Path(str(name)).name for name in names]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _warnings(
    rules: Protocol, results: Sequence[SequenceScores], overall: dict[str, float]
) -> list[str]:
    found = [rules.caveat] if rules.caveat else []
    if all(result.identical for result in results):
        found.append(
            "predictions and annotations are identical in every frame: are these the annotations?"
        )
    elif same := [result.sequence for result in results if result.identical]:
        found.append(f"predictions and annotations are identical in: {', '.join(same)}")
    if overall["J-Mean"] == 0:
        found.append("J is 0 everywhere: are these the masks of this dataset, with its object ids?")
    found += [
        f"there is no object of {group} categories: means are over the others"
        for group in ("seen", "unseen")
        if math.isnan(overall.get(f"J-{group}-Mean", 0.0))
    ]
    return found + [warning for result in results for warning in result.warnings]


def _plain(values: dict[Any, Any]) -> dict[str, Any]:
    """For JSON: nan becomes null, numpy's numbers become Python's."""

    def plain(value: Any) -> Any:
        value = value.item() if hasattr(value, "item") else value
        return None if isinstance(value, float) and math.isnan(value) else value

    return {str(name): plain(value) for name, value in values.items()}
