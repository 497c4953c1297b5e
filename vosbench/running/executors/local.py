"""Spawned processes on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from vosbench.running.executors import Job, Plan, Report
from vosbench.running.executors.pool import track_all
from vosbench.running.executors.process import WorkerProcess


class LocalExecutor:
    """Tracks `plan.jobs` sequences at once, each in a process of its own."""

    def capacity(self, plan: Plan) -> int:  # noqa: ARG002
        """Jobs at once if the user names no number: one, so that its speed is its own."""
        return 1

    def run(self, plan: Plan, jobs: Sequence[Job], report: Report) -> None:
        """Track every job; see `vosbench.running.executors.Executor`."""
        track_all(plan, jobs, report, lambda number: WorkerProcess(plan, number))
