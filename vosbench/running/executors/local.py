"""Spawned processes on this machine: one thread here looks after each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

from vosbench.running.executors import Job, Plan, Report
from vosbench.running.executors.process import WorkerProcess


class LocalExecutor:
    """Tracks `plan.jobs` sequences at once, each in a process of its own; a process lives on for
    the next sequence, one that failed or died is replaced."""

    def run(self, plan: Plan, jobs: Sequence[Job], report: Report) -> None:
        """Track every job; see `vosbench.running.executors.Executor`."""
        waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            waiting.put(job)
        pool = _Pool(plan, waiting, report)
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
    def __init__(self, plan: Plan, waiting: queue.SimpleQueue[Job], report: Report) -> None:
        self.error: BaseException | None = None
        self._plan = plan
        self._waiting = waiting
        self._report = report
        self._reporting = threading.Lock()
        self._stopped = threading.Event()
        self._workers: set[WorkerProcess] = set()

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
                try:
                    job = self._waiting.get_nowait()
                except queue.Empty:
                    return
                self._serve_from(job, number)
        except BaseException as error:
            if not self._stopped.is_set():
                self.error = error
                self.stop()

    def _serve_from(self, first: Job, number: int) -> None:
        """One worker's life: from its start to the end of the jobs or to its first failure."""
        with WorkerProcess(self._plan, number) as worker:
            self._workers.add(worker)
            if self._stopped.is_set():
                return
            info = worker.start()
            self._tell(lambda: self._report.ready(info))
            job: Job | None = first
            while job is not None and worker.alive:
                self._track(worker, job)
                job = self._next() if worker.alive and not self._plan.isolate else None
            self._workers.discard(worker)

    def _track(self, worker: WorkerProcess, job: Job) -> None:
        self._tell(lambda: self._report.started(job))
        record, info = worker.track(
            job, lambda call, frame: self._tell(lambda: self._report.called(job, call, frame))
        )
        self._tell(lambda: self._report.finished(job, record, info))

    def _next(self) -> Job | None:
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def _tell(self, report: Callable[[], None]) -> None:
        with self._reporting:
            if not self._stopped.is_set():
                report()
