"""The rendered demo: what is in it, and that it is the same everywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import skimage

from vosbench.datasets import demo
from vosbench.datasets.base import Dataset
from vosbench.datasets.demo.compositing import Layer, render, sprite
from vosbench.datasets.demo.scenes import HEIGHT, WIDTH, scenes
from vosbench.datasets.verify import verify
from vosbench.errors import DatasetError

DIGEST = "42286def069e447140b86cc10227a0c7a3ccd060694bc380f2455bc92b32e4c5"
PHOTOS = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return demo.load(tmp_path_factory.mktemp("cache") / "demo")


def test_what_is_in_it(rendered: Dataset) -> None:
    assert (rendered.name, rendered.protocol, len(rendered.sequences)) == ("demo", "objects", 6)
    assert all(len(s) == len(s.annotations) for s in rendered.sequences)
    assert all(s.size == (HEIGHT, WIDTH) for s in rendered.sequences)
    assert verify(list(rendered.sequences)) == []
    late = [s for s in rendered.sequences if set(s.objects.values()) != {0}]
    assert len(late) == 3
    leaves_and_returns = 0
    for sequence in rendered.sequences:
        for obj, start in sequence.objects.items():
            seen = [bool(np.any(sequence.labels(i) == obj)) for i in range(start, len(sequence))]
            leaves_and_returns += False in seen and seen[-1]
            assert sequence.targets(start)[obj].sum() > 500, "a given mask shows something"
    assert leaves_and_returns >= 3


def test_same_pixels_everywhere() -> None:
    """The digest of one frame a scene, from before encoding; raise VERSION if it has to change."""
    digest = hashlib.sha256()
    for scene in scenes(PHOTOS):
        image, labels = render(scene.layers, scene.frames // 2, (HEIGHT, WIDTH))
        digest.update(image.tobytes() + labels.tobytes())
    assert (demo.VERSION, digest.hexdigest()) == (1, DIGEST)


def test_background_covers_every_frame() -> None:
    for scene in scenes(PHOTOS):
        for frame in range(0, scene.frames, 5):
            image, _ = render(scene.layers[:1], frame, (HEIGHT, WIDTH))
            corners = image[[0, 0, -1, -1], [0, -1, 0, -1]].astype(int)
            assert corners.sum(axis=1).min() > 0, (scene.name, frame)


def test_layers_cover_each_other() -> None:
    red, blue = (np.full((20, 20, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    opaque = np.full((20, 20), 255, np.uint8)
    layers = (
        Layer(sprite(red, opaque), ((0, 20, 20, 1, 0),), id=1),
        Layer(sprite(blue, opaque), ((0, 30, 20, 1, 0), (1, 200, 20, 1, 0)), id=2),
    )
    image, labels = render(layers, 0, (40, 60))
    assert labels[20, 15] == 1
    assert labels[20, 25] == 2, "the later layer lies in front"
    assert tuple(image[20, 25]) == (0, 0, 255)
    assert set(np.unique(labels[:, 45:])) == {0}
    _, labels = render(layers, 1, (40, 60))
    assert set(np.unique(labels)) == {0}, "one has left the picture, one is over"


def test_half_rendered_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vosbench.datasets.demo.compositing.render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.load(tmp_path / "demo")
    assert list(tmp_path.iterdir()) == []


def test_missing_photographs_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"hubble_deep_field\.jpg"):
        scenes(tmp_path)
