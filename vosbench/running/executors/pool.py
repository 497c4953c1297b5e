"""Deals sequences out to workers, each looked after by a thread here."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

from vosbench.running.executors import Job, OnCall, Plan, Report
from vosbench.store import SequenceRecord


class Worker(Protocol):
    """One tracker in a process, here or elsewhere; a context manager."""

    @property
    def alive(self) -> bool:
        """Whether it can take another sequence."""

    def start(self) -> Mapping[str, Any]:
        """Load the tracker; gives its device, versions, hardware and weight files."""

    def track(
        self, job: Job, on_call: OnCall | None = None
    ) -> tuple[SequenceRecord, Mapping[str, Any]]:
        """Track one sequence; its masks are in the folders of the job afterwards."""

    def kill(self) -> None:
        """End it at once, from any thread."""

    def __enter__(self) -> Worker: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class WorkerLost(Exception):
    """A worker's machine is gone; that is no failure of its tracker."""


def track_all(
    plan: Plan, jobs: Sequence[Job], report: Report, make: Callable[[int], Worker]
) -> None:
    """Track `plan.jobs` sequences at once, each by a worker that `make` builds from its number; it
    lives on for the next sequence, and is replaced when it failed or died. A sequence whose worker
    was lost is tried again, up to `plan.retries` times.

    Raises:
        PluginError: the tracker cannot be loaded.
    """
    pool = _Pool(plan, jobs, report, make)
    threads = [
        threading.Thread(target=pool.work, args=(i,), name=f"worker-{i}", daemon=True)
        for i in range(min(plan.jobs, len(jobs)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        pool.stop()
        for thread in threads:
            thread.join()
    if pool.error is not None:
        raise pool.error


class _Pool:
    def __init__(
        self, plan: Plan, jobs: Sequence[Job], report: Report, make: Callable[[int], Worker]
    ) -> None:
        self.error: BaseException | None = None
        self._plan = plan
        self._make = make
        self._report = report
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            self._waiting.put(job)
        self._lost: dict[str, int] = {}
        self._reporting = threading.Lock()
        self._stopped = threading.Event()
        self._workers: set[Worker] = set()

    def stop(self) -> None:
        """End all workers; what they were doing counts as not begun."""
        self._stopped.set()
        for worker in list(self._workers):
            worker.kill()

    def work(self, number: int) -> None:
        """Body of a thread. It must outlive its workers: Linux ends a process whose parent thread
        is gone (PR_SET_PDEATHSIG)."""
        try:
            while not self._stopped.is_set():
                job = self._next()
                if job is None:
                    return
                self._serve_from(job, number)
        except BaseException as error:
            if not self._stopped.is_set():
                self.error = error
                self.stop()

    def _serve_from(self, first: Job, number: int) -> None:
        """One worker's life: from its start to the end of the jobs or to its first failure."""
        with self._make(number) as worker:
            self._workers.add(worker)
            if self._stopped.is_set():
                return
            job: Job | None = first
            try:
                info = worker.start()
                self._tell(lambda: self._report.ready(info))
                while job is not None and worker.alive:
                    self._track(worker, job)
                    job = self._next() if worker.alive and not self._plan.isolate else None
            except WorkerLost as error:
                assert job is not None
                self._again(job, error)
            finally:
                self._workers.discard(worker)

    def _track(self, worker: Worker, job: Job) -> None:
        self._tell(lambda: self._report.started(job))
        record, info = worker.track(
            job, lambda call, frame: self._tell(lambda: self._report.called(job, call, frame))
        )
        self._tell(lambda: self._report.finished(job, record, info))

    def _again(self, job: Job, error: WorkerLost) -> None:
        name = job.sequence.name
        self._lost[name] = self._lost.get(name, 0) + 1
        if self._lost[name] <= self._plan.retries:
            self._waiting.put(job)
            return
        problem = f"its worker was lost: {error} (--retries {self._plan.retries})"
        record = SequenceRecord.failure(name, problem)
        self._tell(lambda: self._report.started(job))
        self._tell(lambda: self._report.finished(job, record, {}))

    def _next(self) -> Job | None:
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def _tell(self, report: Callable[[], None]) -> None:
        with self._reporting:
            if not self._stopped.is_set():
                report()
