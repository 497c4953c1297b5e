"""The harness's handle on a tracker's process: start it, give it sequences, watch it, end it."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosbench.errors import DatasetError, FileError, PluginError, VosbenchError
from vosbench.processes import Keeper, end_tree
from vosbench.running.energy import read_energy
from vosbench.running.executors import Job, OnCall, Plan
from vosbench.running.executors.launch import how_it_ended, launch
from vosbench.running.executors.log import WorkerLog
from vosbench.running.executors.protocol import (
    Channel,
    ConnectionLost,
    MalformedMessage,
    ProcessPipe,
    frame_index,
    typed,
)
from vosbench.specs import Capabilities, Option, TrackerSpec
from vosbench.store import SequenceRecord
from vosbench.tracking.clip import given_masks
from vosbench.types import label_map

_TICK = 0.05  # seconds between two looks at the process
_LONGEST_TICK = 1.0  # what is longer was no waiting: we were suspended, and so was the tracker
_STAGES = ("init", "track", "update", "close")

#: What an answer holds, and of which kind.
_READY = {
    "device": str,
    "plugin": str,
    "versions": dict,
    "hardware": dict,
    "files": dict,
    "code": str,
}
_DONE = {
    "frames": int,
    "objects": int,
    "load_seconds": float,
    "init_seconds": float,
    "track_seconds": list,
    "update_seconds": list,
    "marks": dict,
    "peak_memory_bytes": int,
    "peak_device_memory_bytes": int,
    "wrapped": str,
    "files": dict,
    "places": dict,
    "packages": dict,
}


class WorkerProcess:
    """One spawned process with one tracker. Use as a context manager.

    Args:
        plan: what it is to run.
        number: which of the run's workers it is, from 0; each has a log of its own.

    Example:
        with WorkerProcess(plan) as worker:
            info = worker.start()
            record, info = worker.track(job)
    """

    def __init__(self, plan: Plan, number: int = 0) -> None:
        self._plan = plan
        self._number = number
        self._remote = bool(plan.python)
        self._timed_out = ""
        self._left = float("inf")
        self._advanced = float("-inf")
        self._stage = ""
        self._ended = threading.Event()
        self._killing = threading.Lock()
        log = plan.log
        self._log = WorkerLog(log.with_stem(f"{log.stem}-{number + 1}") if number else log)
        plan.scratch.mkdir(parents=True, exist_ok=True)
        self._keeper = Keeper.of_this_process()
        self._mark = self._keeper.new_mark()
        with self._log.open() as stream:
            self._process = launch(plan.python, plan.threads, self._mark, stream)
        self._keeper.hold(self._process.pid)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._answers = ProcessPipe(self._process.stdout.fileno())
        self._channel = Channel(self._answers, self._process.stdin)  # type: ignore[arg-type]
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can take another sequence."""
        return self._process.poll() is None and not self._ended.is_set()

    def describe(self) -> TrackerSpec:
        """The declaration of the plan's tracker as its own environment sees it.

        Raises:
            PluginError: there is no such tracker there, or the environment cannot run us.
        """
        answer = self._ask({"type": "describe", **self._setup()}, "start")
        try:
            spec = answer["spec"]
            capabilities = spec["capabilities"]
            for name in ("devices", "snapshots", "deterministic"):
                if isinstance(capabilities[name], list):
                    capabilities[name] = tuple(capabilities[name])
            options = [Option(**{**o, "choices": tuple(o["choices"])}) for o in spec["options"]]
            return TrackerSpec(
                name=spec["name"],
                factory=spec["factory"],
                summary=spec["summary"],
                options=tuple(options),
                capabilities=Capabilities(**capabilities),
                settings=spec["settings"],
                code=typed(spec, "code", str),
                packages=typed(spec, "packages", dict),
            )
        except (KeyError, TypeError, AttributeError, MalformedMessage) as error:
            raise self._not_started(f"its description is malformed: {error!r}") from None

    def start(self) -> Mapping[str, Any]:
        """Load the tracker; gives its device, versions, hardware and weight files.

        Raises:
            PluginError: its factory failed, died or took too long.
        """
        info = self._ask({"type": "start", **self._setup()}, "loading the tracker")
        try:
            for key, kind in _READY.items():
                typed(info, key, kind)
            return info
        except MalformedMessage as error:
            raise self._not_started(str(error)) from None

    def track(
        self, job: Job, on_call: OnCall | None = None
    ) -> tuple[SequenceRecord, Mapping[str, Any]]:
        """Track one sequence and write its masks. Whatever goes wrong with it is in the record,
        not raised."""
        sequence = job.sequence
        self._log.begin()
        try:
            given = given_masks(sequence)
        except VosbenchError as error:
            return SequenceRecord.failure(sequence.name, str(error)), {}
        message = {
            "type": "sequence",
            "name": sequence.name,
            "frames": [path.name for path in sequence.frames],
            "output": list(sequence.output),
            "given": [[index, sorted(targets)] for index, targets in given.items()],
            "variants": list(job.masks),
            "remote": self._remote or sequence.altered,
        }
        sizes = (next(iter(targets.values())).shape for targets in given.values())
        arrays = [
            label_map(targets, size) for targets, size in zip(given.values(), sizes, strict=True)
        ]
        try:
            self._stage = "start"
            self._expect_within()
            before = read_energy()
            self._channel.send(message, arrays)
            answer = self._serve(job, on_call)
            answer = {**answer, "energy_joules": read_energy().since(before)}
            if answer["type"] == "failed":
                self.kill()  # what a failure leaves behind must not reach the next sequence
                reason, trace = (typed(answer, key, str) for key in ("error", "traceback"))
                return SequenceRecord.failure(sequence.name, reason, trace), {}
            return SequenceRecord.success(sequence.name, answer), answer
        except ConnectionLost:
            problem = self._last_words()
            return SequenceRecord.failure(sequence.name, problem, self._log.tail()), {}
        except MalformedMessage as error:
            self.kill()
            problem = f"{self._stage}: the tracker's process sent a malformed message: {error}"
            return SequenceRecord.failure(sequence.name, problem, self._log.tail()), {}
        except VosbenchError as error:
            self.kill()
            return SequenceRecord.failure(sequence.name, str(error)), {}
        finally:
            self._left = float("inf")

    def kill(self) -> None:
        """End the process and everything it started."""
        self._ended.set()
        with self._killing:
            if self._mark:
                end_tree(self._process.pid, self._mark)
                self._keeper.release(self._process.pid)
                self._mark = ""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self._answers.end()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._answers.close()

    def _setup(self) -> dict[str, Any]:
        plan = self._plan
        return {
            "tracker": plan.tracker,
            "options": dict(plan.options),
            "seed": plan.seed,
            "device": plan.device,
            "worker": self._number,
            "warmup": plan.warmup,
            "snapshots": {name: list(values) for name, values in plan.snapshots.items()},
            "threads": plan.threads,
            "plugin_files": [str(path) for path in plan.plugin_files],
            "disabled": list(plan.disabled),
            "scratch": str(plan.scratch.resolve()),
        }

    def _ask(self, message: dict[str, Any], stage: str) -> dict[str, Any]:
        self._stage = stage
        self._expect_within()
        try:
            with contextlib.suppress(ConnectionLost):  # why it is gone is in what it sent before
                self._channel.send(message)
            while (answer := self._channel.receive()[0]).get("type") == "progress":
                self._note_progress(answer)
        except (ConnectionLost, MalformedMessage):
            raise self._not_started(self._last_words()) from None
        finally:
            self._left = float("inf")
        if answer.get("type") == "failed":
            raise PluginError(
                f"tracker {self._plan.tracker} cannot be loaded: {answer.get('error')}",
                str(answer.get("hint") or f"The traceback is in {self._log.path}."),
            )
        return answer

    def _not_started(self, reason: str) -> PluginError:
        self.kill()
        printed = self._log.tail().splitlines()[-1:]
        problem = ": ".join([f"tracker {self._plan.tracker}: {reason}", *printed])
        if self._plan.python:
            return PluginError(
                f"--python {self._plan.python}: {problem}",
                "It must be Python 3.11 or later, with numpy, pluggy and the tracker installed.",
            )
        return PluginError(problem, f"All that it printed is in {self._log.path}.")

    def _serve(self, job: Job, on_call: OnCall | None) -> dict[str, Any]:
        """Answer what the worker asks for until it is done with the sequence."""
        frames = len(job.sequence)
        began, watched = time.perf_counter(), 0.0
        while True:
            message, arrays = self._channel.receive()
            kind = typed(message, "type", str)
            if kind == "call":
                began = time.perf_counter()
                call, frame = typed(message, "call", str), frame_index(message, frames)
                if call not in _STAGES:
                    raise MalformedMessage(f"an unknown call {call!r}")
                self._stage = f"{call}, frame {job.sequence.frames[frame].stem}"
                self._expect_within()
                if on_call is not None:
                    on_call(call, frame)
            elif kind == "returned":
                watched += time.perf_counter() - began
                self._stage = f"after {self._stage}"
                self._expect_within()
            elif kind == "progress":
                self._note_progress(message)
            elif kind == "need":
                self._send_frame(job, frame_index(message, frames))
            elif kind == "broken":
                raise _undecodable(job, frame_index(message, frames))
            elif kind == "mask":
                self._write(job, message, arrays, frames)
            elif kind == "done":
                for key, of in _DONE.items():
                    typed(message, key, of)
                return {**message, "watched_seconds": watched}
            elif kind == "failed":
                return message
            else:
                raise MalformedMessage(f"an unknown type {kind!r}")

    def _send_frame(self, job: Job, index: int) -> None:
        """Send a frame: the file's bytes, or pixels where the other side may have no decoder."""
        from vosbench.datasets.reading import read_file

        if self._remote or job.sequence.altered:
            image: NDArray[Any] = job.sequence.frame(index).image
        else:
            path = job.sequence.frames[index]
            image = np.frombuffer(read_file(path), np.uint8)
        with contextlib.suppress(ConnectionLost):  # what it sent before it ended is read first
            self._channel.send({"type": "frame"}, [image])

    def _write(
        self, job: Job, message: dict[str, Any], arrays: list[NDArray[Any]], frames: int
    ) -> None:
        """Write a mask that has arrived, to a path that is chosen here."""
        from vosbench.datasets.encoding import PNG_SIGNATURE
        from vosbench.durable import written_whole

        variant = typed(message, "variant", str)
        if variant not in job.masks or len(arrays) != 1 or arrays[0].ndim != 1:
            raise MalformedMessage(f"a mask of {variant!r}, which was not asked for")
        data = arrays[0].tobytes()
        if not data.startswith(PNG_SIGNATURE):
            raise MalformedMessage("a mask that is no PNG")
        name = f"{job.sequence.frames[frame_index(message, frames)].stem}.png"
        path = job.masks[variant] / name
        try:
            with written_whole(path, sync=False) as stream:
                stream.write(data)
        except OSError as error:
            raise FileError.of(error, f"{path} cannot be written: ") from None

    def _note_progress(self, message: dict[str, Any]) -> None:
        """Renew the time limit of a call that advances; one that repeats itself has hung."""
        done = typed(message, "done", float)
        if done > self._advanced:
            self._left, self._advanced = self._plan.timeout, done

    def _expect_within(self) -> None:
        self._advanced = float("-inf")
        self._left = self._plan.timeout

    def _watch(self) -> None:
        """End what takes too long, and notice the end of the process, which a child that holds
        its pipe would hide."""
        before = time.monotonic()
        while not self._ended.wait(_TICK):
            now = time.monotonic()
            self._left -= min(now - before, _LONGEST_TICK)
            before = now
            if self._left < 0:
                self._timed_out = self._stage
                self.kill()
            elif self._process.poll() is not None:
                self._answers.end()
                return
            self._log.shorten()

    def _last_words(self) -> str:
        """Why the process is gone."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0
        self.kill()
        if self._timed_out:
            seconds = f"{self._plan.timeout:g}"
            return f"{self._timed_out}: no answer within {seconds} s (--timeout), so it was ended"
        return f"{self._stage}: {how_it_ended(code)}"


def _undecodable(job: Job, index: int) -> DatasetError:
    """What is wrong with a frame that the tracker's process could not decode."""
    try:
        job.sequence.frame(index)
    except DatasetError as error:
        return error
    return DatasetError(f"{job.sequence.frames[index]} cannot be decoded in the tracker's process")
