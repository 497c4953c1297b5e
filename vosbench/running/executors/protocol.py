"""Messages between the harness and a tracker's process, over a pair of pipes.

A message is a JSON object followed by arrays as raw bytes. Nothing is pickled, so that neither
side can make the other run code. Needs the standard library and numpy only.

    length of the JSON text, 8 bytes little-endian | JSON text, UTF-8 | array bytes ...

The key "arrays" of the JSON object lists dtype and shape of each array.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_KINDS = {"uint8": np.uint8, "bool": np.bool_}
_LONGEST = 1 << 28  # bytes of JSON: far above any sequence, far below what a stray print decodes to


class ConnectionLost(Exception):
    """The other side is gone, or what came is no message."""


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
            message: dict[str, Any] = json.loads(self._read(length))
            arrays = [self._array(kind, tuple(shape)) for kind, shape in message.pop("arrays")]
        except (AttributeError, ValueError, KeyError, TypeError) as error:
            raise ConnectionLost(f"not a message: {error}") from error
        return message, arrays

    def _array(self, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
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
