"""Where sequences are tracked: in spawned local processes, in another Python, on a cluster.

This file stays light: it only says what an executor is. `vosbench.running.runner` plans the work
and records it; an executor carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vosbench.backports import dataclass
from vosbench.specs import OptionValue

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence
    from vosbench.store import SequenceRecord


#: Told before each call of the tracker: "init", "track", "update" or "close", and which frame.
OnCall = Callable[[str, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSpec:
    """A way to run sequences, by name.

    Attributes:
        name: what users type after `--executor`.
        factory: "package.module:attribute", called without arguments, gives an `Executor`.
        summary: one line.
    """

    name: str
    factory: str | Callable[[], Executor]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What every worker of one run needs to know; picklable and free of arrays.

    Attributes:
        tracker: its name among the plugins that the worker loads.
        options: every option with its value.
        seed: applied before each sequence.
        device: torch device, or "auto": cuda where the tracker can use it and it is there.
        log: file that the first worker's standard output and error are appended to; those of
            others go to files beside it ("log-2.txt").
        scratch: folder for their temporary files.
        snapshots: option -> values that are answered in one run, see `Context.snapshots`.
        jobs: workers at once.
        threads: torch threads of each.
        timeout: seconds that one call of the tracker may take without progress.
        warmup: frames that each worker tracks before anything is timed.
        isolate: a fresh process for each sequence.
        retries: times that a sequence is tried again whose worker's machine was lost.
        gpus: GPUs of a cluster that a job takes, a fraction to share one; None: one if `device`
            asks for one.
        runtime_env: what a cluster sets up for the trackers on each node, as Ray's runtime_env.
        python: interpreter that the tracker lives in; "" is the one we run in.
        plugin_files, disabled: as given on the command line.
    """

    tracker: str
    options: Mapping[str, OptionValue]
    seed: int
    device: str
    log: Path
    scratch: Path
    snapshots: Mapping[str, tuple[OptionValue, ...]] = field(default_factory=dict)
    jobs: int = 1
    threads: int = 1
    timeout: float = 600.0
    warmup: int = 0
    isolate: bool = False
    retries: int = 1
    gpus: float | None = None
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    python: str = ""
    plugin_files: tuple[Path, ...] = ()
    disabled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One sequence to track.

    Attributes:
        sequence: its files; of its annotations only the given masks reach the worker.
        masks: variant -> folder for its masks; "" is the tracker's own answer. A variant without
            a folder is not written.
    """

    sequence: VideoSequence
    masks: Mapping[str, Path]


class Report(Protocol):
    """What an executor tells the runner; may be called from any thread, one call at a time."""

    def ready(self, info: Mapping[str, Any]) -> None:
        """A worker has loaded the tracker: its device, versions, hardware and weight files."""

    def started(self, job: Job) -> None:
        """A worker begins a sequence."""

    def called(self, job: Job, call: str, frame: int) -> None:
        """The tracker is being called ("init", "track", "update" or "close") for a frame."""

    def finished(self, job: Job, record: SequenceRecord, info: Mapping[str, Any]) -> None:
        """A sequence is done or has failed."""


class Executor(Protocol):
    """Carries out a plan.

    Example:
        class InTurn:
            def capacity(self, plan):
                return 1

            def run(self, plan, jobs, report):
                with WorkerProcess(plan) as worker:
                    report.ready(worker.start())
                    for job in jobs:
                        report.started(job)
                        report.finished(job, *worker.track(job))
    """

    def capacity(self, plan: Plan) -> int:
        """Jobs at once if the user names no number."""

    def run(self, plan: Plan, jobs: Sequence[Job], report: Report) -> None:
        """Track every job and report each one, failed or not. Whatever `report` raises, and
        KeyboardInterrupt, ends it: no worker survives.

        Raises:
            PluginError: the tracker cannot be loaded.
        """
