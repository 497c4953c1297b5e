"""Messages arrive as they were sent; anything else ends the connection."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from vosbench.running.executors.protocol import Channel, ConnectionLost


def exchange(*messages):
    pipe = io.BytesIO()
    for message, arrays in messages:
        Channel(io.BytesIO(), pipe).send(message, arrays)
    return Channel(io.BytesIO(pipe.getvalue()), io.BytesIO())


def test_messages_and_arrays_arrive():
    image = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    mask = image[::2, :, 0] > 20
    channel = exchange(({"type": "a", "name": "é"}, [image, mask]), ({"type": "b"}, []))
    message, (first, second) = channel.receive()
    assert message == {"type": "a", "name": "é"}
    assert np.array_equal(first, image)
    assert np.array_equal(second, mask)
    assert second.dtype == bool
    assert channel.receive() == ({"type": "b"}, [])


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
def test_empty_arrays_arrive(shape):
    _, (array,) = exchange(({}, [np.zeros(shape, np.uint8)])).receive()
    assert array.shape == shape


def test_a_cut_message_is_a_lost_connection():
    pipe = io.BytesIO()
    Channel(io.BytesIO(), pipe).send({"type": "a"}, [np.zeros((9, 9), np.uint8)])
    for length in range(len(pipe.getvalue())):
        with pytest.raises(ConnectionLost):
            Channel(io.BytesIO(pipe.getvalue()[:length]), io.BytesIO()).receive()


@pytest.mark.parametrize(
    "garbage",
    [
        b"Hello from a tracker that prints to the pipe\n",
        (4).to_bytes(8, "little") + b"nope",
        (2).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        *(
            len(text).to_bytes(8, "little") + text
            for text in (
                json.dumps({"arrays": [["object", [3]]]}).encode(),
                json.dumps({"arrays": [["uint8", [-1]]]}).encode(),
                json.dumps({"arrays": [["uint8", "x"]]}).encode(),
            )
        ),
    ],
)
def test_garbage_is_a_lost_connection(garbage):
    with pytest.raises(ConnectionLost):
        Channel(io.BytesIO(garbage), io.BytesIO()).receive()
