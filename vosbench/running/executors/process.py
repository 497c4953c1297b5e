"""The harness's handle on a tracker's process: start it, give it sequences, watch it, end it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosbench.errors import DatasetError, FileError, VosbenchError
from vosbench.running.energy import read_energy
from vosbench.running.executors import Job, OnCall
from vosbench.running.executors.handle import TrackerProcess
from vosbench.running.executors.protocol import (
    ConnectionLost,
    MalformedMessage,
    frame_index,
    typed,
)
from vosbench.store import SequenceRecord
from vosbench.tracking.clip import given_masks
from vosbench.types import label_map

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


class WorkerProcess(TrackerProcess):
    """A process that tracks sequences. Use as a context manager.

    Args:
        plan: what it is to run.
        number: which of the run's workers it is, from 0; each has a log of its own.

    Example:
        with WorkerProcess(plan) as worker:
            info = worker.start()
            record, info = worker.track(job)
    """

    def start(self) -> Mapping[str, Any]:
        """Load the tracker; gives its device, versions, hardware and weight files.

        Raises:
            PluginError: its factory failed, died or took too long.
        """
        info = self._ask_once_started({"type": "start", **self.setup()}, "loading the tracker")
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


def _undecodable(job: Job, index: int) -> DatasetError:
    """What is wrong with a frame that the tracker's process could not decode."""
    try:
        job.sequence.frame(index)
    except DatasetError as error:
        return error
    return DatasetError(f"{job.sequence.frames[index]} cannot be decoded in the tracker's process")
