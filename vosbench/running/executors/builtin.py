"""The executors that ship with vosbench."""

from __future__ import annotations

from collections.abc import Callable

from vosbench.hookspecs import hookimpl
from vosbench.running.executors import ExecutorSpec


@hookimpl
def vosbench_register_executors(register: Callable[[ExecutorSpec], None]) -> None:
    """Register `local` and `ray`."""
    register(
        ExecutorSpec(
            name="local",
            factory="vosbench.running.executors.local:LocalExecutor",
            summary="Spawned processes on this machine.",
        )
    )
    register(
        ExecutorSpec(
            name="ray",
            factory="vosbench.running.executors.cluster:RayExecutor",
            summary="A Ray cluster (pip install 'vosbench[ray]').",
        )
    )
