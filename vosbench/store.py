"""The run directory: what was run, its masks, how long each sequence took. Atomic and resumable.

run.json                         RunRecord
masks/<sequence>/<frame>.png     one per output frame
sequences/<sequence>.json        SequenceRecord, written last: its presence says "done" or "failed"
scores/                          written by the evaluation
log.txt, log-2.txt, ...          what the tracker printed and logged, a file for each worker
scratch/                         while it runs
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import logging
import math
import re
import shutil
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, Literal, Self

from vosbench.durable import sync_files, written_whole
from vosbench.errors import RunError, printable
from vosbench.parsing import record_from
from vosbench.specs import OptionValue

FORMAT = 1
_LONGEST_NAME = 240  # bytes; file systems allow 255, and some letters are added

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceRecord:
    """What happened to one sequence; times in seconds.

    Attributes:
        sequence: its name.
        status: "done" or "failed".
        error: what went wrong, naming call and frame; "" if done.
        traceback: of the failure, or what the process printed last.
        frames: frames of the sequence, the first included.
        objects: objects tracked.
        load_seconds: loading the tracker, once per process.
        init_seconds: all `init` calls.
        track_seconds: one per tracked frame.
        update_seconds: one per `update` call.
        total_seconds: init, track and update together.
        watched_seconds: the same calls by the harness's own clock, which the tracker cannot reach;
            0 where they were not watched.
        marks: snapshot -> seconds of `init` at which it was ready.
        late_marks: position in `track_seconds` -> snapshot -> seconds of that call at which it was
            ready, for calls in which a tracker learned objects that appear late.
        peak_memory_bytes: resident memory of the tracker's process.
        peak_device_memory_bytes: allocated on the accelerator; 0 on CPU.
        energy_joules: used by the whole machine meanwhile, as RAPL and NVML count it; 0 where the
            system does not tell.
        node: machine of a cluster that it was tracked on; "" for the one that keeps the run.
        masks: file name -> bytes of each mask, which were on the disk before this record was.
    """

    sequence: str
    status: Literal["done", "failed"]
    error: str = ""
    traceback: str = ""
    frames: int = 0
    objects: int = 0
    load_seconds: float = 0.0
    init_seconds: float = 0.0
    track_seconds: tuple[float, ...] = ()
    update_seconds: tuple[float, ...] = ()
    total_seconds: float = 0.0
    watched_seconds: float = 0.0
    marks: Mapping[str, float] = field(default_factory=dict)
    late_marks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    peak_device_memory_bytes: int = 0
    energy_joules: float = 0.0
    node: str = ""
    masks: Mapping[str, int] = field(default_factory=dict)

    @property
    def clock_agrees(self) -> bool:
        """Whether the tracker's process measured about what the harness saw from outside: a process
        can change its own clock. Messages take their time too, a few milliseconds at most."""
        calls = 1 + len(self.track_seconds) + len(self.update_seconds)
        return self.watched_seconds <= 2 * self.total_seconds + 1 + 0.005 * calls

    @classmethod
    def success(cls, sequence: str, measured: Mapping[str, Any]) -> Self:
        """From what the worker measured; keys are attribute names, others are ignored."""
        names = {f.name for f in dataclasses.fields(cls)}
        values = {k: v for k, v in measured.items() if k in names}
        values["track_seconds"] = tuple(values["track_seconds"])
        values["update_seconds"] = tuple(values["update_seconds"])
        total = values["init_seconds"] + sum(values["track_seconds"] + values["update_seconds"])
        return cls(**{**values, "sequence": sequence, "status": "done", "total_seconds": total})

    @classmethod
    def failure(cls, sequence: str, error: str, traceback: str = "") -> Self:
        return cls(sequence=sequence, status="failed", error=printable(error), traceback=traceback)

    def as_variant(self, name: str, answers: int) -> Self:
        """The record of one of `answers` answers (the variants and the tracker's own) that came
        from one run: `init` until its mark, of a `track` that learned what comes before its mark
        there, and an equal share of all other tracking and of updates.

        The tracker's own answer is the variant "".
        """
        share = 1.0 / answers

        def tracked(position: int, seconds: float) -> float:
            marks = self.late_marks.get(str(position), {})
            learned = max(marks.values(), default=0.0)
            return marks.get(name, learned) + (seconds - learned) * share

        values = {
            "init_seconds": self.marks.get(name, self.init_seconds),
            "track_seconds": tuple(tracked(i, t) for i, t in enumerate(self.track_seconds)),
            "update_seconds": tuple(t * share for t in self.update_seconds),
            "marks": {},
            "late_marks": {},
        }
        return self.success(self.sequence, {**dataclasses.asdict(self), **values})


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """What was run (run.json).

    Attributes:
        tracker, dataset: names.
        options: every option with its value; changed: those that differ from the defaults.
        seed: applied before each sequence.
        device: that it ran on.
        fingerprint: `Dataset.fingerprint()` of `sequences`.
        protocol: the dataset's evaluation protocol.
        sequences: names asked for so far, in the dataset's order.
        whole: number of sequences of the whole dataset; 0 if unknown.
        imported: where masks that another program made were taken from; "" for runs of ours. Their
            speed is stated, not measured.
        source: folder of a dataset that was given by its path, "" if by its name.
        versions: package or plugin -> version; plugin is the plugin that registers the tracker.
        files: file that the result depends on -> SHA-256; the end of its path names it, longer
            where two have one name.
        code: SHA-256 of the source of the tracker's plugin, see `vosbench.provenance`; "" in
            records of earlier versions.
        commit: of the harness's checkout when the run was last worked on, with "-dirty" where files
            differed from it; "" if it was none.
        hardware: cpu, cores, threads, memory_bytes, accelerator, system; of a cluster's node that
            was ready last, and nodes: the same of each by name.
        python: interpreter that the tracker lives in; "" for our own.
        jobs: workers at once.
        shared_machine: other programs, or the run's own workers, took CPU time from it, so that
            its speed is not the tracker's alone.
        derived_timing: at least one sequence was one of several answers of one run.
        wrapped: how missing capabilities were compensated for; "" where nothing was missing.
        started, finished: ISO 8601, UTC.
        status: "running" (or interrupted), "complete", or "partial" if sequences failed.
    """

    tracker: str
    dataset: str
    options: dict[str, OptionValue]
    changed: dict[str, OptionValue]
    seed: int
    device: str
    fingerprint: str
    protocol: str
    sequences: list[str]
    whole: int = 0
    source: str = ""
    imported: str = ""
    plugin: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    code: str = ""
    commit: str = ""
    hardware: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    python: str = ""
    jobs: int = 1
    shared_machine: bool = False
    derived_timing: bool = False
    wrapped: str = ""
    started: str = ""
    finished: str = ""
    status: Literal["running", "complete", "partial"] = "running"
    format: int = FORMAT

    @property
    def name(self) -> str:
        """The run's name: the tracker's, and what was changed."""
        return run_name(self.tracker, self.changed, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How fast a run was, over its done sequences; seconds, frames per second, bytes.

    Attributes:
        init_seconds: median over sequences.
        frame_median, frame_p95: of the steady state: `track`, with its `update` where there is
            one, per tracked frame.
        fps: frames of all sequences / everything the tracker took, init and updates included:
            the figure that papers of fine-tuning methods quote.
        object_fps: the same with each frame counted once per object.
        update_seconds: median of an `update` call; 0 without updates.
        peak_memory_bytes, peak_device_memory_bytes: largest over sequences.
        comparable: the machine was not shared, and the times are measured, neither derived nor
            stated, by a clock that agrees with the harness's.
    """

    init_seconds: float
    frame_median: float
    frame_p95: float
    fps: float
    object_fps: float
    update_seconds: float
    peak_memory_bytes: int
    peak_device_memory_bytes: int
    comparable: bool


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
            raw = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(raw, dict) and raw.get("format") != FORMAT:
                raise ValueError(
                    f"its format is {raw.get('format')!r}, this program reads {FORMAT}"
                )
            return cls(folder, record_from(RunRecord, raw))
        except FileNotFoundError:
            raise RunError(f"{folder} is not a run: it has no run.json") from None
        except (OSError, ValueError, RecursionError) as error:
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
    def complete(self) -> bool:
        """Whether every sequence that was asked for is done."""
        return self.record.status == "complete"

    def sequences(self) -> dict[str, SequenceRecord]:
        """What happened so far, by sequence, in the order asked for. Unreadable records count as
        not there: the sequence is done again."""
        found: dict[str, SequenceRecord] = {}
        for name in self.record.sequences:
            with contextlib.suppress(OSError, ValueError, RecursionError):
                found[name] = self._sequence(name)
        return found

    def _sequence(self, name: str) -> SequenceRecord:
        """One record; read again only if its file has changed since."""
        path = self._sequence_path(name)
        facts = path.stat()
        stamp = facts.st_mtime_ns, facts.st_size, facts.st_ino
        if self._known.get(name, (None,))[0] != stamp:
            record = record_from(SequenceRecord, json.loads(path.read_text(encoding="utf-8")))
            self._known[name] = stamp, record
        return self._known[name][1]

    def done(self) -> list[str]:
        """Names of the sequences that are done."""
        return [name for name, record in self.sequences().items() if record.status == "done"]

    def timing(self) -> Timing | None:
        """How fast it was; None before the first sequence is done."""
        records = [record for record in self.sequences().values() if record.status == "done"]
        total = sum(record.total_seconds for record in records)
        if not records or total <= 0:
            return None
        steady = sorted(seconds for record in records for seconds in _steady(record))
        updates = [seconds for record in records for seconds in record.update_seconds]
        return Timing(
            init_seconds=statistics.median(record.init_seconds for record in records),
            frame_median=statistics.median(steady) if steady else 0.0,
            frame_p95=_percentile(steady, 0.95),
            fps=sum(record.frames for record in records) / total,
            object_fps=sum(record.frames * record.objects for record in records) / total,
            update_seconds=statistics.median(updates) if updates else 0.0,
            peak_memory_bytes=max(record.peak_memory_bytes for record in records),
            peak_device_memory_bytes=max(record.peak_device_memory_bytes for record in records),
            comparable=not (
                self.record.shared_machine or self.record.derived_timing or self.record.imported
            )
            and all(record.clock_agrees for record in records),
        )

    def save(self) -> None:
        """Write run.json."""
        write_json(self.folder / "run.json", dataclasses.asdict(self.record))

    def save_sequence(self, record: SequenceRecord) -> None:
        """Note that a sequence is done or has failed. The masks of one that is done are synced
        before: a record outlives a power cut only with the masks that it vouches for."""
        if record.status == "done":
            masks = _files(self.masks / record.sequence)
            sync_files(masks)
            sizes = {path.name: path.stat().st_size for path in masks}
            record = dataclasses.replace(record, masks=sizes)
        write_json(self._sequence_path(record.sequence), dataclasses.asdict(record))

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


def run_name(tracker: str, changed: Mapping[str, OptionValue], seed: int) -> str:
    """The run's folder name: tracker, `+key=value` for each changed option, sorted, `+seed=N`
    where it is not 0.

    Values that are no file names are shortened and told apart by a digest.

    Example:
        >>> run_name("eosvos", {"iterations": 10}, 1)
        'eosvos+iterations=10+seed=1'
    """
    parts = [tracker, *(f"{key}={_file_name(changed[key])}" for key in sorted(changed))]
    return "+".join([*parts, *([f"seed={seed}"] if seed else [])])


def check_name(name: str, what: str) -> None:
    """Raise RunError, which says `what` it is the name of, unless `name` can name a folder."""
    if name in ("", ".", "..") or not name.isprintable() or set(name) & set("/\\"):
        raise RunError(f"{what} {name!r} cannot name a folder", "Rename it.")
    if len(name.encode()) > _LONGEST_NAME:
        raise RunError(
            f"{what} {name[:40]!r}... is longer than {_LONGEST_NAME} bytes", "Shorten it."
        )


def find_runs(results: Path, dataset: str | None = None) -> list[Run]:
    """All runs under `results`, of one dataset or of all, by dataset and name. Those that cannot
    be read are left out with a warning."""
    runs, errors = _opened(results, dataset)
    for error in errors:
        _log.warning("left out: %s", error.message)
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


def write_json(path: Path, value: Any) -> None:
    """Write `value` so that a reader sees the old or the new file, never half of one, after a power
    cut too."""
    with written_whole(path) as stream:
        stream.write(f"{json.dumps(value, indent=1)}\n".encode())


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _file_name(value: OptionValue) -> str:
    text = str(value)
    if re.fullmatch(r"[\w.,-]{1,60}", text, re.ASCII):
        return text
    short = re.sub(r"[^\w.,-]+", "_", text, flags=re.ASCII)[-40:]
    return f"{short}~{sha256(text.encode()).hexdigest()[:8]}"


def _steady(record: SequenceRecord) -> Iterator[float]:
    updates = record.update_seconds or (0.0,) * len(record.track_seconds)
    for track, update in zip(record.track_seconds, updates, strict=True):
        yield track + update


def _percentile(ordered: list[float], part: float) -> float:
    """Nearest rank: the smallest value that at least `part` of all do not exceed."""
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)] if ordered else 0.0
