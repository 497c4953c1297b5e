"""The process that a tracker lives in, started by `process.WorkerProcess`.

Needs the standard library, numpy and pluggy only, so that it runs in other people's environments.
Whatever the tracker prints goes to standard error, which is the run's log.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import logging
import os
import queue
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosbench.backports import dataclass, zip
from vosbench.datasets.encoding import encode_labels
from vosbench.errors import DatasetError
from vosbench.plugins import Plugins
from vosbench.processes import MARK, adopt_and_follow, end_tree
from vosbench.provenance import all_installed
from vosbench.running.executors.environment import (
    Dependencies,
    hardware,
    resolve_device,
    versions,
)
from vosbench.running.executors.protocol import Channel, ConnectionLost
from vosbench.tracking.clip import Clip
from vosbench.tracking.session import Session, make_tracker
from vosbench.tracking.timing import PeakMemory
from vosbench.types import Context, Frame, LabelMap, Targets, Video

#: Label maps that may wait for the writer.
_DEPTH = 8
#: Seconds between two signs of progress that are passed on.
_TELL_EVERY = 0.2


def main() -> None:
    """Serve the process that started us until it says stop or is gone."""
    channel = take_over_pipes()
    adopt_and_follow()
    inbox: queue.Queue[tuple[dict[str, Any], list[NDArray[Any]]]] = queue.Queue()
    frames: queue.Queue[NDArray[Any]] = queue.Queue()

    def listen() -> None:
        while True:
            try:
                message, arrays = channel.receive()
            except ConnectionLost:
                end_group()
            if message["type"] == "frame":
                frames.put(arrays[0])
            else:
                inbox.put((message, arrays))

    threading.Thread(target=listen, name="listen", daemon=True).start()
    worker = _Worker(channel, frames)
    while True:
        message, arrays = inbox.get()
        if message["type"] == "describe":
            worker.describe(message)
        elif message["type"] == "start":
            worker.start(message)
        elif message["type"] == "sequence":
            worker.track(message, arrays)
        else:
            return


def take_over_pipes() -> Channel:
    """Keep the pipes to ourselves: a tracker that prints must not garble them."""
    incoming, outgoing = os.dup(0), os.dup(1)
    channel = Channel(
        os.fdopen(incoming, "rb", buffering=1 << 16), os.fdopen(outgoing, "wb", buffering=0)
    )
    nothing = os.open(os.devnull, os.O_RDONLY)

    def leave_pipes() -> None:  # a child that the tracker forks has no business with them
        for descriptor in (incoming, outgoing):
            os.dup2(nothing, descriptor)

    os.register_at_fork(after_in_child=leave_pipes)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    faulthandler.enable()
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    return channel


def end_group() -> None:
    """End this process and those that the tracker started: the harness is gone."""
    end_tree(os.getpid(), os.environ.get(MARK, ""))
    os._exit(1)


@dataclass(slots=True)
class _ChannelVideo:
    """Frames that the harness sends: where they lie, and what lies beside them, is not known here.

    Attributes:
        decoded: they come as pixels, for a tracker's environment may lack a decoder; else as the
            bytes of their files.
    """

    channel: Channel
    replies: queue.Queue[NDArray[Any]]
    names: list[str]
    decoded: bool
    asking: threading.Lock = field(default_factory=threading.Lock)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Frame:
        index = range(len(self.names))[index]
        with self.asking:
            self.channel.send({"type": "need", "frame": index})
            image = self.replies.get()
        name = Path(self.names[index])
        if not self.decoded:
            from vosbench.datasets.reading import decode_image

            try:
                image = decode_image(image.tobytes(), name)
            except DatasetError:
                self.channel.send({"type": "broken", "frame": index})
                raise
        return Frame(image, index, name.stem)


@dataclass
class _Beginning:
    """The first `frames` frames of a video."""

    video: Video
    frames: int

    def __len__(self) -> int:
        return min(self.frames, len(self.video))

    def __getitem__(self, index: int) -> Frame:
        return self.video[range(len(self))[index]]


class _Worker:
    """One tracker, loaded once, and the sequences that it is given."""

    def __init__(self, channel: Channel, frames: queue.Queue[NDArray[Any]]) -> None:
        self._channel = channel
        self._frames = frames
        self._told = 0.0
        self._cold_frames = 0

    def describe(self, message: dict[str, Any]) -> None:
        """Answer with the declaration of a tracker of this environment."""
        with self._reporting("failed"):
            plugins = _plugins(message)
            spec = plugins.tracker(message["tracker"])
            code, packages = plugins.digest(spec), all_installed()
            described = asdict(replace(spec, code=code, packages=packages))
            described["factory"] = str(spec.factory)
            self._channel.send({"type": "described", "spec": described})

    def start(self, message: dict[str, Any]) -> None:
        """Load the tracker and answer with what the result depends on."""
        with self._reporting("failed"):
            if message["ours"]:
                # Decodes frames with OpenCV, whose generator is seeded once it is imported.
                importlib.import_module("vosbench.datasets.reading")
            began = time.perf_counter()
            self._message = message
            self._cold_frames = message["warmup"]
            self._plugins = _plugins(message)
            self._depends = Dependencies(self._plugins)
            self._spec = self._plugins.tracker(message["tracker"])
            device = message["device"]
            threads = message["threads"]
            with self._scratch() as scratch:
                ctx = self._context(device, scratch)
                # Decided before the factory runs; a factory given as text imports torch first.
                ctx.device = self._device = resolve_device(device, self._spec, message["worker"])
                tracker = make_tracker(self._spec, ctx, threads)
            self._session = Session(
                tracker,
                self._spec.capabilities,
                observers=self._plugins.observers(),
                threads=threads,
            )
            self._load_seconds = time.perf_counter() - began
            self._channel.send(
                {
                    "type": "ready",
                    "device": self._device,
                    "plugin": self._plugins.provider("trackers", self._spec.name).name,
                    "versions": versions(self._plugins, self._spec),
                    "hardware": hardware(self._device, threads)
                    | ({"warmup_frames": message["warmup"]} if message["warmup"] else {}),
                    "files": self._depends.files,
                    "code": self._plugins.digest(self._spec),
                }
            )

    def track(self, message: dict[str, Any], arrays: list[NDArray[Any]]) -> None:
        """Track one sequence, write its masks, answer with its timings."""
        with self._reporting("failed"), self._scratch() as scratch:
            clip = self._clip(message, arrays)
            frames = len(clip.video)
            outputs = set(message["output"]) or set(range(frames))
            ctx = self._context(self._device, scratch)
            self._warm_up(clip, ctx)
            memory = PeakMemory(self._device)
            with _Writer(self._send_mask) as writer:

                def emit(index: int, labels: LabelMap, variants: Mapping[str, LabelMap]) -> None:
                    if index in outputs:
                        for name, part in {"": labels, **variants}.items():
                            if name in message["variants"]:
                                writer.put(index, name, part)

                timings = self._session.run(clip, ctx, emit, self._on_call)
            resident, device_memory = memory.read()
            self._depends.look_at_imports()
            self._channel.send(
                {
                    "type": "done",
                    "frames": frames,
                    "objects": len(clip.objects),
                    "load_seconds": self._load_seconds,
                    "init_seconds": timings.init,
                    "track_seconds": [timings.track[i] for i in sorted(timings.track)],
                    "update_seconds": [timings.update[i] for i in sorted(timings.update)],
                    "marks": timings.marks,
                    "late_marks": {
                        str(position): timings.late_marks[index]
                        for position, index in enumerate(sorted(timings.track))
                        if timings.late_marks.get(index)
                    },
                    "peak_memory_bytes": resident,
                    "peak_device_memory_bytes": device_memory,
                    "wrapped": self._session.wrapped(clip),
                    "files": self._depends.files,
                    "places": self._depends.places,
                    "packages": self._depends.packages,
                }
            )

    def _warm_up(self, clip: Clip, ctx: Context) -> None:
        """Track the beginning of the first sequence once without a clock: a device's libraries are
        loaded and its kernels chosen when they are first used."""
        frames, self._cold_frames = self._cold_frames, 0
        if frames:
            given = {index: targets for index, targets in clip.given.items() if index < frames}
            start = Clip(clip.name, _Beginning(clip.video, frames), given)
            self._session.run(start, ctx, lambda *_: None, self._on_call)

    def _clip(self, message: dict[str, Any], arrays: list[NDArray[Any]]) -> Clip:
        video = _ChannelVideo(self._channel, self._frames, message["frames"], message["remote"])
        given: dict[int, Targets] = {
            index: {obj: labels == obj for obj in ids}
            for (index, ids), labels in zip(message["given"], arrays, strict=True)
        }
        return Clip(message["name"], video, given)

    def _context(self, device: str, scratch: Path) -> Context:
        return Context(
            device=device,
            seed=self._message["seed"],
            options=self._message["options"],
            scratch=scratch,
            logger=logging.getLogger(self._message["tracker"]),
            snapshots={k: tuple(v) for k, v in self._message["snapshots"].items()},
            on_file=self._depends.add_file,
            on_progress=self._on_progress,
        )

    def _on_call(self, call: str, index: int) -> None:
        if call:
            self._channel.send({"type": "call", "call": call, "frame": index})
        else:
            self._channel.send({"type": "returned"})

    def _on_progress(self, done: float) -> None:
        now = time.monotonic()
        if now > self._told + _TELL_EVERY:
            self._told = now
            self._channel.send({"type": "progress", "done": done})

    def _send_mask(self, index: int, variant: str, labels: LabelMap) -> None:
        data = np.frombuffer(encode_labels(labels), np.uint8)
        self._channel.send({"type": "mask", "frame": index, "variant": variant}, [data])

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        given = self._message["scratch"]
        # In a container the harness's folder need not be there.
        with tempfile.TemporaryDirectory(dir=given if Path(given).is_dir() else None) as folder:
            scratch = Path(folder, "tracker")
            scratch.mkdir()
            yield scratch

    @contextlib.contextmanager
    def _reporting(self, kind: str) -> Iterator[None]:
        """Send what is raised inside instead of ending the process."""
        try:
            yield
        except ConnectionLost:
            end_group()
        except (Exception, SystemExit) as error:
            text = traceback.format_exc()
            print(text, file=sys.stderr, flush=True)
            message = getattr(error, "message", None) or f"{type(error).__name__}: {error}"
            self._channel.send(
                {
                    "type": kind,
                    "error": message,
                    "hint": getattr(error, "hint", ""),
                    "traceback": text,
                }
            )


class _Writer:
    """Encodes and sends label maps in a thread; `put` or the end raises the first error."""

    def __init__(self, write: Callable[[int, str, LabelMap], None]) -> None:
        self._write = write
        self._waiting: queue.Queue[tuple[int, str, LabelMap] | None] = queue.Queue(_DEPTH)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)

    def put(self, index: int, variant: str, labels: LabelMap) -> None:
        if self._error is not None:
            raise self._error
        self._waiting.put((index, variant, labels))

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            if self._error is None:
                try:
                    self._write(*item)
                except BaseException as error:  # raised where the masks come from
                    self._error = error

    def __enter__(self) -> _Writer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error


def _plugins(message: dict[str, Any]) -> Plugins:
    files = [Path(path) for path in message["plugin_files"]]
    return Plugins(files, message["disabled"], trackers_only=True)
