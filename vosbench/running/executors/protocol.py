"""Messages between the harness and a tracker's process, over a pair of pipes.

A message is a JSON object followed by arrays as raw bytes. Nothing is pickled, so that neither
side can make the other run code. Needs the standard library and numpy only.

    length of the JSON text, 8 bytes little-endian | JSON text, UTF-8 | array bytes ...

The key "arrays" of the JSON object lists dtype and shape of each array.
"""

from __future__ import annotations

import json
import math
import os
import select
import threading
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_KINDS = {"uint8": np.uint8, "bool": np.bool_}
_LONGEST = 1 << 28  # bytes of JSON: far above any sequence, far below what a stray print decodes to
_LARGEST = 1 << 30  # bytes of an array: a frame of 300 megapixels


class ConnectionLost(Exception):
    """The other side is gone, or what came is no message."""


class MalformedMessage(ValueError):
    """A message that nobody should have sent."""


class Channel:
    """One end of the connection; `send` may be used from several threads, `receive` from one."""

    def __init__(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._sending = threading.Lock()

    def send(self, message: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> None:
        """Send `message` with `arrays` of uint8 or bool. Raises ConnectionLost."""
        contiguous = [np.ascontiguousarray(array) for array in arrays]
        listed = [[array.dtype.name, array.shape] for array in contiguous]
        text = json.dumps({**message, "arrays": listed}).encode()
        try:
            with self._sending:
                self._outgoing.write(len(text).to_bytes(8, "little") + text)
                for array in contiguous:
                    self._outgoing.write(array.data)
                self._outgoing.flush()
        except (OSError, ValueError) as error:
            raise ConnectionLost(str(error)) from error

    def receive(self) -> tuple[dict[str, Any], list[NDArray[Any]]]:
        """The next message. Raises ConnectionLost at the end of the stream."""
        length = int.from_bytes(self._read(8), "little")
        if length > _LONGEST:
            raise ConnectionLost("not a message")
        try:
            message = json.loads(self._read(length))
            arrays = [self._array(kind, tuple(shape)) for kind, shape in message.pop("arrays")]
        except (AttributeError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConnectionLost(f"not a message: {error}") from error
        return message, arrays

    def _array(self, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if not all(isinstance(n, int) and n >= 0 for n in shape) or math.prod(shape) > _LARGEST:
            raise ValueError(f"an array of shape {shape}")
        array: NDArray[Any] = np.empty(shape, _KINDS[kind])
        view = memoryview(array.view(np.uint8).reshape(-1))  # type: ignore[arg-type]
        while view:
            count = self._readinto(view)
            view = view[count:]
        return array

    def _readinto(self, view: memoryview) -> int:
        try:
            count: int = self._incoming.readinto(view)  # type: ignore[attr-defined]
        except (OSError, ValueError) as error:
            raise ConnectionLost(str(error)) from error
        if not count:
            raise ConnectionLost("end of stream")
        return count

    def _read(self, count: int) -> bytes:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            view = view[self._readinto(view) :]
        return bytes(data)


class ProcessPipe:
    """The read end of a worker's pipe. It ends with the process, not with the last one that holds
    the pipe: a forked child may hold it forever. What was written before is read first."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ended, self._end = os.pipe()
        self._open = True
        self._closing = threading.Lock()
        self._poll = select.poll()
        for each in (descriptor, self._ended):
            self._poll.register(each, select.POLLIN)

    def readinto(self, view: memoryview) -> int:
        """As of a raw stream."""
        ready = {descriptor for descriptor, _ in self._poll.poll()}
        return os.readv(self._descriptor, [view]) if self._descriptor in ready else 0

    def end(self) -> None:
        """The process has ended: nothing comes any more."""
        with self._closing:
            if self._open:
                os.write(self._end, b"\0")

    def close(self) -> None:
        with self._closing:
            if self._open:
                self._open = False
                os.close(self._ended)
                os.close(self._end)


def typed(message: Mapping[str, Any], key: str, kind: Any) -> Any:
    """`message[key]`, which is of this kind: `float` is any finite number from 0 on, `list` a list
    of them. Raises MalformedMessage."""
    value = message.get(key)
    if kind is float:
        fits = _is_number(value)
    elif kind is list:
        fits = isinstance(value, list) and all(map(_is_number, value))
    else:
        fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not fits:
        what = {float: "a number from 0 on", list: "a list of numbers from 0 on"}
        expected = what.get(kind, kind.__name__)
        raise MalformedMessage(f"{key} is {str(value)[:40]!r}, not {expected}")
    return value


def _is_number(value: object) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= 0
    )


def frame_index(message: Mapping[str, Any], frames: int) -> int:
    """`message["frame"]`, an index below `frames`. Raises MalformedMessage."""
    index: int = typed(message, "frame", int)
    if not 0 <= index < frames:
        raise MalformedMessage(f"frame {index} of {frames}")
    return index
