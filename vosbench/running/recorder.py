"""The record of a run: what its directories must hold, and what is written into them as it goes."""

from __future__ import annotations

import contextlib
import logging
import queue
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from vosbench.datasets.base import Dataset
from vosbench.datasets.filedigests import KeptDigests
from vosbench.errors import RunError
from vosbench.provenance import harness_commit, installed_versions
from vosbench.running.executors import Job
from vosbench.running.load import Load
from vosbench.specs import OptionValue, TrackerSpec
from vosbench.store import Run, RunRecord, SequenceRecord, path_beside, run_name

_log = logging.getLogger(__name__)


class Progress:
    """What a run tells its user; override what is needed.

    Example:
        class Count(Progress):
            def finished(self, record): print(record.sequence, record.status)
    """

    def begin(self, run: Run, sequences: Sequence[str], frames: int) -> None:
        """A run starts with these sequences still to do, of `frames` frames in all."""

    def started(self, sequence: str, frames: int) -> None:
        """A sequence starts."""

    def called(self, sequence: str, call: str, frame: int) -> None:
        """The tracker is being called for a frame."""

    def finished(self, record: SequenceRecord) -> None:
        """A sequence is done or has failed."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A sequence that is done or has failed: its record, and that of each variant."""

    record: SequenceRecord
    records: Mapping[str, SequenceRecord]


#: Under which a perturbed run notes, among its options, what was done to its input.
PERTURB = "perturb"


class RunState:
    """One run directory and what must hold for it.

    Attributes:
        run: its directory and record.
        done: sequences that need not be tracked again.
    """

    def __init__(
        self, run: Run, installed: Mapping[str, str], published: Mapping[str, str]
    ) -> None:
        self.run = run
        self.done: set[str] = set()
        self._installed = installed
        self._published = published
        self._fresh = False

    @classmethod
    def of(
        cls,
        results: Path,
        dataset: Dataset,
        spec: TrackerSpec,
        values: Mapping[str, OptionValue],
        seed: int,
        python: str,
    ) -> RunState:
        """The state of the run with these arguments; nothing is read or written yet."""
        changed = changed_options(spec, values)
        record = RunRecord(
            tracker=spec.name,
            dataset=dataset.name,
            options=dict(values),
            changed=changed,
            seed=seed,
            device="",
            fingerprint="",
            protocol=dataset.protocol,
            sequences=[],
            code=spec.code,
            whole=dataset.size,
            source=dataset.source,
            beside=path_beside(dataset.source, results, dataset.name),
            python=python,
        )
        folder = results / dataset.name / run_name(spec.name, changed, seed)
        published = spec.origin.digests if spec.origin else {}
        return cls(Run(folder, record), spec.packages, published)

    def begin(self, dataset: Dataset, wanted: Sequence[str], fresh: bool) -> None:
        """Resume what is there, unless it is to be discarded."""
        run, record = self.run, self.run.record
        self._fresh = fresh
        names = set(wanted)
        if not fresh and (run.folder / "run.json").exists():
            old = Run.open(run.folder)
            self.done = _intact(old)
            if self.done:
                self._check(dataset, old.record)
                names |= set(old.record.sequences)
                old.record.python = record.python
                old.record.source, old.record.beside = record.source, record.beside
                old.record.whole = record.whole
                old.record.code = old.record.code or record.code
                run.record = record = old.record
        record.sequences = [s.name for s in dataset.sequences if s.name in names]
        record.fingerprint = _fingerprint(dataset, record.sequences)

    def _check(self, dataset: Dataset, old: RunRecord) -> None:
        """Refuse to resume a run of other data or options."""
        known = {sequence.name for sequence in dataset.sequences}
        if not known.issuperset(old.sequences) or (
            _fingerprint(dataset, old.sequences) != old.fingerprint
        ):
            self.refuse("the dataset's files have changed since (its fingerprint differs)")
        for key in ("tracker", "options", "seed", "protocol"):
            before, now = getattr(old, key), getattr(self.run.record, key)
            if before != now:
                way = f"; `vosbench evaluate --protocol {now}` scores it by that"
                more = way if key == "protocol" else ""
                self.refuse(f"it was made with {key} {before!r}, this is {now!r}{more}")
        self.agree_on_code(old.code, self.run.record.code)
        if not old.nodes:  # what other machines have, their workers say
            self._check_packages(old)
            self._check_files(old)

    def _check_packages(self, old: RunRecord) -> None:
        """Refuse if a package that was imported is installed in another version now."""
        installed = self._installed if self.run.record.python else installed_versions(old.packages)
        for name, before in old.packages.items():
            if (now := installed.get(name, "")) != before:
                state = f"it is {now} now" if now else "it is not installed now"
                self.refuse(f"the package {name} was {before}, {state}")

    def _check_files(self, old: RunRecord) -> None:
        """Refuse if weights or modules have been changed where they lay, or where options say."""
        named = [Path(v).absolute() for v in old.options.values() if isinstance(v, str) and v]
        with KeptDigests() as kept:
            for name, before in old.files.items():
                given = [path for path in named if f"{path.as_posix()}".endswith(f"/{name}")]
                for path in (Path(old.places.get(name, "")), *given):
                    with contextlib.suppress(OSError):  # what is gone is no other file
                        if path.is_file() and (now := kept.of([path]).hex()) != before:
                            self.refuse(f"{name} was {before[:12]}, it is {now[:12]} now: {path}")

    def agree_on_code(self, before: str, now: str) -> None:
        """Refuse if the plugin's source is another one; "" is unknown."""
        if before and now and before != now:
            self.refuse(f"the plugin's code has changed since: was {before[:12]}, is {now[:12]}")

    def discard(self) -> None:
        """Remove what was there if that was asked for. Waits until the tracker is loaded, so that
        one that cannot be loaded costs nothing."""
        if self._fresh:
            for part in ("masks", "sequences", "scores"):
                shutil.rmtree(self.run.folder / part, ignore_errors=True)
            self._fresh = False

    def agree(self, key: str, now: Mapping[str, str]) -> None:
        """Note versions, packages or files; refuse if sequences were tracked with others."""
        noted: dict[str, str] = getattr(self.run.record, key)
        for name, value in now.items():
            if noted.get(name, value) != value:
                self.refuse(f"{name} was {noted[name][:12]}, it is {value[:12]} now")
        setattr(self.run.record, key, {**noted, **now})  # anew: it may just be written down

    def agree_on_files(self, now: Mapping[str, str]) -> None:
        """Note files, and say which are called like published weights but are others: one's own
        may be, and so may a download that failed."""
        for name, digest in now.items():
            expected = self._published.get(Path(name).name, digest)
            if digest != expected and name not in self.run.record.files:
                _log.warning(
                    "%s: the SHA-256 of %s is %s, that of the published file is %s",
                    self.run.record.tracker, name, digest, expected,
                )  # fmt: skip
        self.agree("files", now)

    def refuse(self, why: str) -> None:
        raise RunError(
            f"{self.run.folder} holds another run: {why}",
            "--fresh discards it; --results keeps this one elsewhere.",
        )

    def finish(self, worked: bool) -> None:
        """Say whether all is done. A run that was finished before and on which nothing was `worked`
        stays as it is, to the byte."""
        record = self.run.record
        complete = set(self.run.done()) == set(record.sequences)
        status: Literal["complete", "partial"] = "complete" if complete else "partial"
        if worked or record.status != status:
            record.status = status
            record.finished = _now()
            self.run.save()


class RunRecorder:
    """Hears what the executor reports and writes it down; a `vosbench.running.executors.Report`.

    Use as a context manager: a thread of its own waits for the disk, so that no tracker does. What
    ends while it waits is synced together the next time. At the end of the block all is written.
    """

    def __init__(
        self,
        states: Mapping[str, RunState],
        jobs: int,
        progress: Progress,
    ) -> None:
        self.progress = progress
        self._states = states
        self._jobs = jobs
        self._commit = harness_commit()
        self._load = Load()
        self._stamps: dict[str, list[tuple[int, int]]] = {}
        self._changed: set[str] = set()
        self._ended: queue.SimpleQueue[_Ended | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._writing = threading.Thread(target=self._write, name="recorder", daemon=True)

    def __enter__(self) -> RunRecorder:
        self._writing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.put(None)
        self._writing.join()
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        """Body of the thread: write whatever has ended meanwhile, until None comes."""
        more = True
        while more:
            batch = [self._ended.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._ended.get_nowait())
            more = None not in batch
            try:
                self._write_batch([ended for ended in batch if ended is not None])
            except BaseException as error:
                self._failure = error
                return

    def _write_batch(self, batch: Sequence[_Ended]) -> None:
        for variant, state in self._states.items():
            if variant in self._changed:
                self._changed.discard(variant)
                state.run.save()
            if own := [ended.records[variant] for ended in batch if variant in ended.records]:
                state.run.save_sequences(own)
        for ended in batch:
            self.progress.finished(ended.record)

    def ready(self, info: Mapping[str, Any]) -> None:
        from vosbench import __version__

        for state in self._states.values():
            state.agree_on_code(state.run.record.code, info["code"])
            state.discard()
            record = state.run.record
            if state.done and kind_of(record.device) != kind_of(info["device"]):
                state.refuse(f"it was made on {record.device}, this is {info['device']}")
            record.device = info["device"]
            record.plugin = info["plugin"]
            plugin = {record.plugin: info["versions"][record.plugin]}
            state.agree("versions", plugin)
            state.agree_on_files(info["files"])
            record.versions = {**record.versions, **info["versions"], "vosbench": __version__}
            record.code = info["code"]
            record.commit = self._commit
            record.hardware = info["hardware"]
            if node := info.get("node"):
                record.nodes = {**record.nodes, node: info["hardware"]}
            record.jobs = self._jobs
            record.status = "running"
            record.started = record.started or _now()
            state.run.save()

    def started(self, job: Job) -> None:
        self._raise_failure()
        self._stamps[job.sequence.name] = _stamp(job)
        for variant in job.masks:
            self._states[variant].run.clear_sequence(job.sequence.name)
        self.progress.started(job.sequence.name, len(job.sequence))

    def called(self, job: Job, call: str, frame: int) -> None:
        self.progress.called(job.sequence.name, call, frame)

    def finished(self, job: Job, record: SequenceRecord, info: Mapping[str, Any]) -> None:
        shared = info.get("shared_machine")  # measured where the work was done
        if shared is None:
            device = next(iter(self._states.values())).run.record.device
            shared = self._load.shared(self._jobs, device)
        record = replace(record, node=info.get("node", ""))
        if record.status == "done" and _stamp(job) != self._stamps[job.sequence.name]:
            problem = "its files changed while it was tracked"
            record = SequenceRecord.failure(job.sequence.name, problem)
        own = {}
        for variant in job.masks:
            if record.status == "done":
                self._note(variant, info, shared)
            own[variant] = record
            if record.status == "done" and len(self._states) > 1:
                own[variant] = record.as_variant(variant, len(self._states))
        self._ended.put(_Ended(record, own))

    def _note(self, variant: str, info: Mapping[str, Any], shared: bool) -> None:
        """Take up in the run's record what a sequence has told."""
        state = self._states[variant]
        record = state.run.record
        before = replace(record)
        state.agree_on_files(info["files"])
        state.agree("packages", info["packages"])
        record.places = {**record.places, **info["places"]}
        record.wrapped = record.wrapped or info["wrapped"]
        record.shared_machine |= shared
        record.derived_timing |= len(self._states) > 1
        if record != before:
            self._changed.add(variant)


def _stamp(job: Job) -> list[tuple[int, int]]:
    """Size and time of every file of a sequence."""
    stamps = []
    for path in (*job.sequence.frames, *job.sequence.annotations.values()):
        with contextlib.suppress(OSError):  # what is missing is said where it is read
            facts = path.stat()
            stamps.append((facts.st_size, facts.st_mtime_ns))
    return stamps


def _intact(run: Run) -> set[str]:
    """The sequences that are done, and whose masks are what their records say."""
    records = [record for record in run.sequences().values() if record.status == "done"]
    intact = {record.sequence for record in records if run.intact(record)}
    if lost := [record.sequence for record in records if record.sequence not in intact]:
        _log.warning(
            "%s: the masks of %s are not what was recorded; done again", run.folder, ", ".join(lost)
        )
    return intact


def kind_of(device: str) -> str:
    """ "cuda" of "cuda:1": which of a machine's cards it was makes no difference."""
    return device.partition(":")[0]


def changed_options(spec: TrackerSpec, values: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Those of `values` that differ from the tracker's defaults."""
    defaults = spec.resolve_options({})
    return {key: value for key, value in values.items() if value != defaults.get(key)}


def _fingerprint(dataset: Dataset, sequences: Sequence[str]) -> str:
    """Of the named part."""
    names = set(sequences)
    part = tuple(s for s in dataset.sequences if s.name in names)
    return replace(dataset, sequences=part).fingerprint()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
