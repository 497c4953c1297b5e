"""What a run records: of itself (run.json) and of each sequence (sequences/<sequence>.json)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from vosbench.errors import printable
from vosbench.specs import OptionValue
from vosbench.store.names import run_name

FORMAT = 1


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
        imported: where masks that another program made were taken from; "" for vosbench's own.
            Their speed is stated, not measured.
        source: folder of a dataset that was given by its path, "" if by its name.
        beside: the same from the run's folder on, where one folder holds results and dataset: a
            copy of that folder finds its own dataset.
        versions: of Python, vosbench and `plugin`, the plugin that registers the tracker.
        packages: distribution -> version, of everything that the tracker's process imported.
        files: file that the result depends on -> SHA-256: weights by the end of their path, longer
            where two have one name, and modules that no installed package holds.
        places: where each of `files` lay.
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
    beside: str = ""
    imported: str = ""
    plugin: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
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
    def made_of(self) -> dict[str, str]:
        """Everything whose state its masks depend on -> that state: the plugin's version and code,
        packages, weights and further files. What is not known is not there."""
        plugin = {f"plugin {self.plugin}": self.versions.get(self.plugin, "")}
        code = {"the plugin's code": self.code}
        known = {name: state for name, state in (plugin | code).items() if state}
        return {**known, **self.packages, **self.files}

    @property
    def name(self) -> str:
        """The run's name: the tracker's, and what was changed."""
        return run_name(self.tracker, self.changed, self.seed)
