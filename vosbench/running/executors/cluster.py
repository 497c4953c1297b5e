"""A Ray cluster: one actor per job, each with a worker process of its own on some node.

Nothing needs to lie at the same place everywhere: frames, given masks and plugin files are sent to
the nodes, masks come back and are checked. vosbench, and the tracker's package where it has one,
must be installed on each (or in the `--python` that is named).
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import platform
import queue
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from vosbench import __version__
from vosbench.datasets.reading import encode_labels, read_file
from vosbench.durable import written_whole
from vosbench.errors import FileError, UsageError, VosbenchError
from vosbench.running.executors import Job, OnCall, Plan, Report
from vosbench.running.executors.pool import WorkerLost, track_all
from vosbench.running.executors.process import WorkerProcess
from vosbench.running.load import Load
from vosbench.store import SequenceRecord
from vosbench.tracking.clip import given_masks
from vosbench.types import label_map

_TELL_EVERY = 0.5  # seconds between two reports of a node on the same sequence
_ANSWER_WITHIN = 10.0  # seconds in which a cluster must answer
_LOOK_EVERY = 5.0  # seconds after which it is asked whether a worker that does not start ever can


_environment: dict[str, Any] = {}  # that this process has connected to Ray with


class RayExecutor:
    """Tracks sequences on the cluster that RAY_ADDRESS names, or on one that is started on this
    machine."""

    def capacity(self, plan: Plan) -> int:
        """Jobs at once if the user names no number: as many as the cluster has room for."""
        ray = _connect(plan)
        wanted = _resources(ray, plan)
        return max(1, sum(_fits(wanted, node) for node in _nodes(ray)))

    def run(self, plan: Plan, jobs: Sequence[Job], report: Report) -> None:
        """Track every job; see `vosbench.running.executors.Executor`.

        Raises:
            UsageError: no node of the cluster has what one job needs.
        """
        if ":" in plan.device:
            raise UsageError(
                f"--device {plan.device}: on a cluster Ray says which GPU", "Give --device cuda."
            )
        ray = _connect(plan)
        wanted = _resources(ray, plan)
        _require(ray, wanted)
        any_there = threading.Event()
        track_all(plan, jobs, report, lambda _: _RayWorker(ray, plan, wanted, any_there))


def _connect(plan: Plan) -> Any:
    """Ray, connected until this process ends, where it sets up what the plan's trackers need."""
    try:
        import ray
    except ImportError:
        raise UsageError(
            "--executor ray: ray is not installed", "pip install 'vosbench[ray]' adds it."
        ) from None
    global _environment
    if not ray.is_initialized():
        _reach(os.environ.get("RAY_ADDRESS", ""))
        _environment = dict(plan.runtime_env)
        try:
            ray.init(
                log_to_driver=False,
                logging_level=logging.WARNING,
                include_dashboard=False,
                runtime_env=copy.deepcopy(_environment),  # Ray puts addresses for folders
            )
        except (TypeError, ValueError, ray.exceptions.RuntimeEnvSetupError) as error:
            raise UsageError(f"--runtime-env: {_end_of(error)}") from None
        except (ConnectionError, RuntimeError) as error:  # none there, or of another version
            raise _unreachable(str(error)) from None
    elif plan.runtime_env and plan.runtime_env != _environment:
        raise UsageError(
            "--runtime-env: this process is connected to Ray already",
            "Give it to the ray.init that connects.",
        )
    return ray


def _reach(address: str) -> None:
    """Raise UsageError unless something answers at HOST:PORT: Ray would try for ten minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        return  # "auto", "local", "ray://...": Ray itself says soon
    try:
        socket.create_connection((host, int(port)), _ANSWER_WITHIN).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(f"nothing answers at {address}: {error}") from None


def _unreachable(why: str) -> UsageError:
    return UsageError(
        f"--executor ray: {why}",
        "RAY_ADDRESS names the cluster; without it one is started on this machine.",
    )


def _end_of(error: Exception) -> str:
    """The last lines of what Ray says, which hold the cause; tracebacks of its own come before."""
    lines = [
        line for line in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines() if line.strip()
    ]
    return "\n".join(lines[-2:])


def _resources(ray: Any, plan: Plan) -> dict[str, float]:
    """What one job takes of a node."""
    gpus = plan.gpus
    if gpus is None:
        there = any(node.get("GPU", 0) for node in _nodes(ray))
        gpus = float(plan.device == "cuda" or (plan.device == "auto" and there))
    return {"CPU": float(plan.threads), "GPU": gpus}


def _nodes(ray: Any) -> list[dict[str, float]]:
    """The resources of each live node."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _fits(wanted: Mapping[str, float], node: Mapping[str, float]) -> int:
    """Jobs that a node has room for."""
    return min(int(node.get(kind, 0.0) / n + 1e-9) for kind, n in wanted.items() if n > 0)


def _require(ray: Any, wanted: Mapping[str, float]) -> None:
    """Raise UsageError unless some node could run a job: Ray would wait forever."""
    nodes = _nodes(ray)
    if not any(_fits(wanted, node) for node in nodes):
        have = ", ".join(f"{n.get('CPU', 0):g} CPU and {n.get('GPU', 0):g} GPU" for n in nodes)
        raise UsageError(
            f"no node of the cluster has room for one job: {wanted['CPU']:g} CPU and "
            f"{wanted['GPU']:g} GPU are asked for, the nodes have {have or 'nothing'}",
            "OMP_NUM_THREADS sets the CPUs of a job, --gpus its GPUs (a fraction shares one).",
        )


class _RayWorker:
    """The driver's handle on one actor; a `vosbench.running.executors.pool.Worker`."""

    def __init__(
        self, ray: Any, plan: Plan, wanted: Mapping[str, float], any_there: threading.Event
    ) -> None:
        self._ray, self._wanted, self._timeout = ray, wanted, plan.timeout
        self._any_there = any_there  # whether a worker of this run has been started
        self._killed = False
        remote = ray.remote(num_cpus=wanted["CPU"], num_gpus=wanted["GPU"])(_Actor)
        files = {path.name: path.read_bytes() for path in plan.plugin_files}
        self._actor = remote.remote(replace(plan, plugin_files=()), files)
        self.alive = True

    def start(self) -> Mapping[str, Any]:
        with self._lost():
            self._wait_until_it_is_there()
            info: Mapping[str, Any] = self._ray.get(self._actor.start.remote(__version__))
            return info

    def _wait_until_it_is_there(self) -> None:
        """Raise UsageError if that cannot be, or takes too long for the first one: Ray goes on
        trying, and says nothing."""
        there = self._actor.__ray_ready__.remote()
        began = time.monotonic()
        while not self._ray.wait([there], timeout=_LOOK_EVERY)[0]:
            _require(self._ray, self._wanted)  # the node with room for it may be gone
            if time.monotonic() - began > self._timeout and not self._any_there.is_set():
                raise UsageError(
                    f"Ray has started no worker within {self._timeout:g} s (--timeout): the "
                    "cluster is busy, or cannot",
                    "`ray status` tells who is at work, /tmp/ray/session_latest/logs on the nodes "
                    "why it failed.",
                )
        self._ray.get(there)  # raises what kept it from being there
        self._any_there.set()

    def track(
        self, job: Job, on_call: OnCall | None = None
    ) -> tuple[SequenceRecord, Mapping[str, Any]]:
        try:
            shipment = _Shipment.of(job)
        except VosbenchError as error:
            return SequenceRecord.failure(job.sequence.name, str(error)), {}
        with self._lost():
            for answer in self._actor.track.remote(shipment):
                told = self._ray.get(answer)
                if isinstance(told, _Arrival):
                    self.alive = told.alive
                    _write(job, told)
                    return told.record, told.info
                if on_call is not None:
                    on_call(*told)
        raise WorkerLost("its answer ended early")

    def kill(self) -> None:
        self.alive = False
        if not self._killed:
            self._killed = True
            with contextlib.suppress(Exception):  # it, or the cluster, may be gone
                self._ray.kill(self._actor)

    @contextlib.contextmanager
    def _lost(self) -> Iterator[None]:
        try:
            yield
        except self._ray.exceptions.RayTaskError as error:  # raised by our own code over there
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except self._ray.exceptions.RuntimeEnvSetupError as error:
            raise UsageError(f"--runtime-env cannot be set up: {_end_of(error)}") from None
        except self._ray.exceptions.RayActorError as error:
            self.alive = False
            if not error.actor_init_failed:
                raise WorkerLost(f"{type(error).__name__} of Ray") from error
            raise UsageError(
                f"a node of the cluster cannot start vosbench: {_end_of(error)}",
                f"Install vosbench {__version__} on every node.",
            ) from None
        except self._ray.exceptions.RayError as error:
            self.alive = False
            raise WorkerLost(f"{type(error).__name__} of Ray") from error

    def __enter__(self) -> _RayWorker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


@dataclass(frozen=True, slots=True)
class _Shipment:
    """A job as it travels: its frames, and of its annotations the masks that are given away."""

    job: Job
    frames: tuple[bytes, ...]
    given: Mapping[int, bytes]

    @classmethod
    def of(cls, job: Job) -> _Shipment:
        """Raises DatasetError: a file cannot be read."""
        sequence = job.sequence
        given = {}
        for index, targets in given_masks(sequence).items():
            size = next(iter(targets.values())).shape
            given[index] = encode_labels(label_map(targets, (size[0], size[1])))
        return cls(job, tuple(read_file(path) for path in sequence.frames), given)

    def unpack(self, folder: Path) -> Job:
        """The job with everything in `folder`."""
        frames, given, masks = (folder / name for name in ("frames", "given", "masks"))
        for each in (frames, given, masks):
            each.mkdir()
        sequence = self.job.sequence
        for path, data in zip(sequence.frames, self.frames, strict=True):
            (frames / path.name).write_bytes(data)
        for index, data in self.given.items():
            (given / f"{index}.png").write_bytes(data)
        moved = replace(
            sequence,
            frames=tuple(frames / path.name for path in sequence.frames),
            annotations={index: given / f"{index}.png" for index in self.given},
            layers={},
            binary=False,
        )
        return Job(
            sequence=moved,
            masks={name: masks / str(i) for i, name in enumerate(self.job.masks)},
        )


@dataclass(frozen=True, slots=True)
class _Arrival:
    """What comes back: the record, and the masks by variant and file name."""

    record: SequenceRecord
    info: Mapping[str, Any]
    masks: Mapping[str, Mapping[str, bytes]]
    alive: bool


def _write(job: Job, arrival: _Arrival) -> None:
    """Write the masks that have arrived, all that were asked for."""
    sequence = job.sequence
    wanted = {f"{sequence.frames[i].stem}.png" for i in sequence.output or range(len(sequence))}
    for variant, folder in job.masks.items():
        masks = arrival.masks.get(variant, {})
        if arrival.record.status == "done" and set(masks) != wanted:
            raise WorkerLost(f"{len(masks)} of {len(wanted)} masks arrived")
        for name in wanted & set(masks):
            try:
                with written_whole(folder / name, sync=False) as stream:
                    stream.write(masks[name])
            except OSError as error:
                raise FileError.of(error, f"{folder / name} cannot be written: ") from None


class _Actor:
    """Looks after one worker process on some node."""

    def __init__(self, plan: Plan, files: Mapping[str, bytes]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="vosbench-")
        root = Path(self._folder.name)
        for name, data in files.items():
            (root / name).write_bytes(data)
        self._plan = replace(
            plan,
            plugin_files=tuple(root / name for name in files),
            log=root / "log.txt",
            scratch=root / "scratch",
        )
        self._worker: WorkerProcess | None = None

    def start(self, version: str) -> Mapping[str, Any]:
        """Start the worker; gives what it says when it is ready, and where that is.

        Raises:
            UsageError: vosbench here is of another version than the driver's.
        """
        if version != __version__:
            raise UsageError(
                f"node {platform.node()} has vosbench {__version__}, this machine has {version}",
                "Install the same version on every node.",
            )
        self._worker = WorkerProcess(self._plan)
        info = self._worker.start()
        self._device = str(info["device"])
        return {**info, "node": platform.node()}

    def track(self, shipment: _Shipment) -> Iterator[tuple[str, int] | _Arrival]:
        """Track one sequence; yields the call that the tracker is at now and then, and last what
        came of it."""
        told: queue.SimpleQueue[tuple[str, int] | _Arrival | BaseException] = queue.SimpleQueue()
        thread = threading.Thread(target=self._work, args=(shipment, told), daemon=True)
        thread.start()
        last = 0.0
        while True:
            item = told.get()
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, _Arrival):
                yield item
                return
            if time.monotonic() > last + _TELL_EVERY:
                last = time.monotonic()
                yield item

    def _work(self, shipment: _Shipment, told: queue.SimpleQueue[Any]) -> None:
        assert self._worker is not None
        try:
            load = Load()
            with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
                job = shipment.unpack(Path(folder))
                record, info = self._worker.track(job, lambda *call: told.put(call))
                masks = {
                    variant: {path.name: path.read_bytes() for path in sorted(masks.iterdir())}
                    for variant, masks in job.masks.items()
                    if masks.is_dir()
                }
            shared = load.shared(1, self._device)
            facts = {"node": platform.node(), "shared_machine": shared}
            info = {**info, **facts} if info else {}
            told.put(_Arrival(record, info, masks, self._worker.alive))
        except BaseException as error:  # raised where the driver asks
            told.put(error)
