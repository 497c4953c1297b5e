"""The executors that ship with vosbench."""

from __future__ import annotations

from collections.abc import Callable

from vosbench.executors import ExecutorSpec
from vosbench.hookspecs import hookimpl


@hookimpl
def vosbench_register_executors(register: Callable[[ExecutorSpec], None]) -> None:
    """Register `local` and `ray`."""
    register(
        ExecutorSpec(
            name="local",
            factory="vosbench.executors.local:LocalExecutor",
            summary="Spawned processes on this machine.",
        )
    )
    register(
        ExecutorSpec(
            name="ray",
            factory="vosbench.executors.cluster:RayExecutor",
            summary="A ray cluster with a shared file system (pip install 'vosbench[ray]').",
        )
    )
