"""A run directory, opened; and all of them that lie in one folder."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any, Self

from vosbench.durable import sync_files, written_whole
from vosbench.errors import RunError
from vosbench.parsing import read_json, record_from
from vosbench.store.records import FORMAT, RunRecord, SequenceRecord
from vosbench.store.timing import Timing

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Run:
    """A run directory.

    Attributes:
        folder: where it is.
        record: what was run.
    """

    folder: Path
    record: RunRecord
    _known: dict[str, tuple[tuple[int, int, int], SequenceRecord]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The run in `folder`. Raises RunError if there is none or it cannot be read."""
        path = folder / "run.json"
        try:
            raw = read_json(path)
            if isinstance(raw, dict) and raw.get("format") != FORMAT:
                raise ValueError(
                    f"its format is {raw.get('format')!r}, this program reads {FORMAT}"
                )
            return cls(folder, record_from(RunRecord, raw))
        except FileNotFoundError:
            raise RunError(f"{folder} is not a run: it has no run.json") from None
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be read: {error}", "--fresh discards the run and starts again."
            ) from None

    @property
    def name(self) -> str:
        """As shown in tables: the folder's name."""
        return self.folder.name

    @property
    def masks(self) -> Path:
        """Folder of the masks, <sequence>/<frame>.png."""
        return self.folder / "masks"

    @property
    def scores(self) -> Path:
        """Folder of the scores."""
        return self.folder / "scores"

    def _repr_html_(self) -> str:
        timing = self.timing()
        facts = {
            "run": f"{self.name} over {self.record.dataset}",
            "done": f"{len(self.done())} of {len(self.record.sequences)} sequences",
            "speed": f"{timing.fps:.1f} FPS" if timing else "-",
            "folder": str(self.folder),
        }
        rows = "".join(f"<tr><th>{key}</th><td>{escape(v)}</td></tr>" for key, v in facts.items())
        return f"<table>{rows}</table>"

    @property
    def sources(self) -> list[str]:
        """Where its dataset may be, most likely first: beside the run, where it was given, and by
        its name, where it was given so."""
        beside = self.record.beside and str((self.folder.resolve() / self.record.beside).resolve())
        places = [place for place in (beside, self.record.source) if place]
        there = [place for place in dict.fromkeys(places) if Path(place).is_dir()]
        return there or places[-1:] or [self.record.dataset]

    @property
    def complete(self) -> bool:
        """Whether every sequence that was asked for is done."""
        return self.record.status == "complete"

    def sequences(self) -> dict[str, SequenceRecord]:
        """What happened so far, by sequence, in the order asked for. Unreadable records count as
        not there: the sequence is done again."""
        found: dict[str, SequenceRecord] = {}
        for name in self.record.sequences:
            with contextlib.suppress(OSError, ValueError):
                found[name] = self._sequence(name)
        return found

    def _sequence(self, name: str) -> SequenceRecord:
        """One record; read again only if its file has changed since."""
        path = self._sequence_path(name)
        facts = path.stat()
        stamp = facts.st_mtime_ns, facts.st_size, facts.st_ino
        if self._known.get(name, (None,))[0] != stamp:
            record = record_from(SequenceRecord, read_json(path))
            self._known[name] = stamp, record
        return self._known[name][1]

    def done(self) -> list[str]:
        """Names of the sequences that are done."""
        return [name for name, record in self.sequences().items() if record.status == "done"]

    def timing(self) -> Timing | None:
        """How fast it was; None before the first sequence is done."""
        return Timing.of(self.record, self.sequences().values())

    def save(self) -> None:
        """Write run.json."""
        _write_json(self.folder / "run.json", dataclasses.asdict(self.record))

    def save_sequence(self, record: SequenceRecord) -> None:
        """Note that a sequence is done or has failed; see `save_sequences`."""
        self.save_sequences([record])

    def save_sequences(self, records: Sequence[SequenceRecord]) -> None:
        """Note that sequences are done or have failed. The masks of those that are done are synced
        before: a record outlives a power cut only with the masks that it vouches for."""
        masks = {r.sequence: _files(self.masks / r.sequence) for r in records if r.status == "done"}
        sync_files(path for paths in masks.values() for path in paths)
        written = []
        for record in records:
            if paths := masks.get(record.sequence):
                record = replace(record, masks={p.name: p.stat().st_size for p in paths})
            path = self._sequence_path(record.sequence)
            _write_json(path, dataclasses.asdict(record), sync=False)
            written.append(path)
        sync_files(written)

    def intact(self, record: SequenceRecord) -> bool:
        """Whether the masks of a sequence that is done are there as its record says."""
        sizes = {p.name: p.stat().st_size for p in _files(self.masks / record.sequence)}
        if not record.masks:  # of an earlier version
            return bool(sizes) and all(sizes.values())
        return sizes == record.masks

    def clear_sequence(self, name: str) -> Path:
        """Forget a sequence, and the scores, which held with it; gives the folder for its masks,
        empty."""
        shutil.rmtree(self.scores, ignore_errors=True)
        self._sequence_path(name).unlink(missing_ok=True)
        folder = self.masks / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the directory; the lock goes with the process that holds it,
        however it ends. Raises RunError if another holds it or the folder cannot be written."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / ".lock", blocking=False)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise RunError(
                f"another process is running {self.folder}",
                "Wait for it, end it, or choose another folder by --results.",
            ) from None
        except OSError as error:
            raise RunError(
                f"{self.folder} cannot be written: {error.strerror}",
                "Choose another folder by --results.",
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _sequence_path(self, name: str) -> Path:
        return self.folder / "sequences" / f"{name}.json"


def find_runs(results: Path, dataset: str | None = None) -> list[Run]:
    """All runs under `results`, of one dataset or of all, by dataset and name. Those that cannot
    be read are left out with a warning."""
    runs, errors = _opened(results, dataset)
    for error in errors:
        _log.warning("left out: %s", error.message)
    return runs


def runs_in(folder: Path) -> list[Run]:
    """The run that `folder` is, or all runs under it. Raises RunError if there is none, or one
    cannot be read."""
    if (folder / "run.json").exists():
        return [Run.open(folder)]
    runs, errors = _opened(folder, None)
    if errors:
        raise errors[0]
    if not runs:
        raise RunError(f"there is no run in {folder}")
    return runs


def broken_runs(results: Path, dataset: str | None = None) -> list[RunError]:
    """What is wrong with those that `find_runs` leaves out."""
    return _opened(results, dataset)[1]


def _opened(results: Path, dataset: str | None) -> tuple[list[Run], list[RunError]]:
    runs, errors = [], []
    for path in sorted(results.glob(f"{glob.escape(dataset) if dataset else '*'}/*/run.json")):
        try:
            runs.append(Run.open(path.parent))
        except RunError as error:
            errors.append(error)
    return runs, errors


def _write_json(path: Path, value: Any, *, sync: bool = True) -> None:
    """Write `value` so that a reader sees the old or the new file, never half of one; after a power
    cut too if it is synced, see `vosbench.durable.sync_files`."""
    with written_whole(path, sync=sync) as stream:
        stream.write(f"{json.dumps(value, indent=1)}\n".encode())


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
