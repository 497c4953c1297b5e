"""A Ray cluster: one actor per job, each with a worker process of its own.

Frames, results and the tracker's environment must be at the same paths on every node. For GPUs give
`--device cuda`: each job then asks the cluster for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vosbench.errors import UsageError
from vosbench.running.executors import Job, Plan, Report
from vosbench.running.executors.process import WorkerProcess
from vosbench.store import SequenceRecord


class RayExecutor:
    """Tracks `plan.jobs` sequences at once on the cluster that RAY_ADDRESS names, or on one that
    is started on this machine. Frames are not reported one by one."""

    def run(self, plan: Plan, jobs: Sequence[Job], report: Report) -> None:
        """Track every job; see `vosbench.running.executors.Executor`."""
        try:
            import ray
        except ImportError:
            raise UsageError(
                "--executor ray: ray is not installed", "pip install 'vosbench[ray]' adds it."
            ) from None
        started = not ray.is_initialized()
        if started:
            ray.init(log_to_driver=False, include_dashboard=False)
        gpus = 1 if plan.device.startswith("cuda") else 0
        remote = ray.remote(num_cpus=plan.threads, num_gpus=gpus)(_Actor)
        actors = [remote.remote(plan) for _ in range(min(plan.jobs, len(jobs)))]
        try:
            for info in ray.get([actor.start.remote() for actor in actors]):
                report.ready(info)
            waiting = list(reversed(jobs))
            running: dict[Any, tuple[Any, Job]] = {}
            idle = list(actors)
            while waiting or running:
                while idle and waiting:
                    actor, job = idle.pop(), waiting.pop()
                    report.started(job)
                    running[actor.track.remote(job)] = (actor, job)
                (answer,), _ = ray.wait(list(running), num_returns=1)
                actor, job = running.pop(answer)
                report.finished(job, *ray.get(answer))
                idle.append(actor)
        finally:
            for actor in actors:
                ray.kill(actor)
            if started:
                ray.shutdown()


class _Actor:
    """Looks after one worker process on some node."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._worker: WorkerProcess | None = None

    def start(self) -> Mapping[str, Any]:
        """Start the worker; gives what it says when it is ready."""
        self._worker = WorkerProcess(self._plan)
        return self._worker.start()

    def track(self, job: Job) -> tuple[SequenceRecord, Mapping[str, Any]]:
        """Track one sequence, by a new worker if the last one failed or died."""
        if self._worker is None or not self._worker.alive:
            self.start()
        assert self._worker is not None
        return self._worker.track(job)
