"""The six scenes of the demo dataset: which cut-outs move how.

Photographs are those that scikit-image ships. Keys are (frame, x, y, scale, angle) in a frame of
480x270 pixels. An object that comes late has a lower id than one of the first frame, so that the
rule of DAVIS-2017 (objects 1..largest id of the first mask) counts it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vosbench.datasets.demo.compositing import Layer, Sprite, cut_out, read_photo, sprite
from vosbench.errors import DatasetError
from vosbench.types import Image

WIDTH, HEIGHT = 480, 270


@dataclass(frozen=True, slots=True)
class Scene:
    """A sequence to render: `layers` back to front, `frames` many frames."""

    name: str
    frames: int
    layers: tuple[Layer, ...]


def scenes(photos: Path) -> list[Scene]:
    """All scenes from the folder `photos` that holds scikit-image's photographs."""
    builders: tuple[Callable[[_Studio], Scene], ...] = (
        _astronaut,
        _cat,
        _coffee,
        _coins,
        _motorbike,
        _rocket,
    )
    studio = _Studio(photos)
    return [build(studio) for build in builders]


class _Studio:
    """Photographs and cut-outs by name."""

    def __init__(self, photos: Path) -> None:
        self._photos = photos
        text = Path(__file__).with_name("outlines.json").read_text(encoding="utf-8")
        self._outlines: dict[str, dict[str, str]] = json.loads(text)

    def photo(self, name: str, width: int = 0) -> Image:
        path = self._photos / name
        if not path.is_file():
            raise DatasetError(
                f"the demo is made from {name} of scikit-image, which is not in {self._photos}",
                "Reinstall scikit-image (0.22 or newer).",
            )
        return read_photo(path, width)

    def cut(self, name: str, scale: float = 1.0) -> Sprite:
        outline = self._outlines[name]
        points = [tuple(map(float, pair.split(","))) for pair in outline["points"].split()]
        return cut_out(self.photo(outline["photo"]), points, scale)  # type: ignore[arg-type]

    def cut_in_place(self, name: str) -> Sprite:
        """The cut-out in a sprite of its whole photograph, to move together with that."""
        outline = self._outlines[name]
        photo = self.photo(outline["photo"])
        points = [tuple(map(float, pair.split(","))) for pair in outline["points"].split()]
        cut = cut_out(photo, points)  # type: ignore[arg-type]
        whole = np.zeros((*photo.shape[:2], 4), np.uint8)
        left, top = (max(math.floor(min(axis)), 0) for axis in zip(*points, strict=True))
        inner = cut[2:-2, 2:-2]
        whole[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return whole

    def coin(self, x: int, y: int, diameter: int, colour: tuple[int, int, int]) -> Sprite:
        """A coin of the photograph of coins, as if struck from metal of that colour."""
        angles = np.linspace(0, 2 * math.pi, 48, endpoint=False)
        outline = [(x + diameter / 2 * math.cos(a), y + diameter / 2 * math.sin(a)) for a in angles]
        return cut_out(tint(self.photo("coins.png"), colour), outline, 1.5)


def tint(photo: Image, colour: tuple[int, int, int]) -> Image:
    """A grey photograph in shades of `colour`."""
    grey = photo[..., :1].astype(np.uint16)
    return np.minimum(grey * np.array(colour, np.uint16) // 160, 255).astype(np.uint8)


def _astronaut(studio: _Studio) -> Scene:
    """Space: a shuttle flies behind an astronaut and comes out again; a red planet rises late."""
    stars = sprite(studio.photo("hubble_deep_field.jpg", 660))
    disk = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    planet = [(705 + 690 * math.cos(a), 705 + 690 * math.sin(a)) for a in disk]
    layers = (
        Layer(stars, ((0, 260, 170, 1, -4), (35, 215, 100, 1.06, 3))),
        Layer(
            cut_out(studio.photo("retina.jpg"), planet, 0.09),
            ((8, 446, -30, 1, 0), (20, 425, 44, 1, 12), (35, 385, 78, 1.1, 30)),
            id=1,
        ),
        Layer(
            studio.cut("shuttle", 0.5),
            (
                (0, 62, 190, 0.9, 38),
                (8, 132, 128, 0.95, 52),
                (18, 236, 100, 1, 64),
                (27, 352, 112, 1.05, 84),
                (35, 424, 158, 1.15, 104),
            ),
            id=2,
        ),
        Layer(
            studio.cut("astronaut", 0.56),
            (
                (0, 214, 178, 1, -3),
                (11, 226, 160, 1.03, 2),
                (24, 236, 172, 1.08, 5),
                (35, 214, 166, 1.1, -1),
            ),
            id=3,
        ),
    )
    return Scene("astronaut", 36, layers)


def _cat(studio: _Studio) -> Scene:
    """A camera drifts over a cat; a coin rolls past its face, leaves and comes back."""
    view = (
        (0, 262, 128, 1.3, 0),
        (10, 232, 142, 1.36, -4),
        (20, 214, 128, 1.5, 3),
        (31, 250, 124, 1.34, 6),
    )
    layers = (
        Layer(sprite(studio.photo("chelsea.png")), view),
        Layer(studio.cut_in_place("cat"), view, id=1),
        Layer(
            studio.coin(348, 186, 61, (214, 170, 84)),
            (
                (0, 62, 196, 0.8, 0),
                (7, 196, 150, 0.9, 150),
                (13, 330, 196, 0.95, 300),
                (18, 542, 178, 1, 430),
                (22, 542, 120, 1, 430),
                (27, 400, 96, 0.95, 300),
                (31, 300, 122, 0.85, 190),
            ),
            id=2,
            shadow=True,
        ),
    )
    return Scene("cat", 32, layers)


def _coffee(studio: _Studio) -> Scene:
    """A camera turns above a table; a second, smaller cup slides in late and covers the first."""
    table = (
        (0, 236, 168, 0.94, 0),
        (12, 246, 152, 1.08, 8),
        (24, 228, 140, 1.2, -3),
        (31, 240, 148, 1.1, -7),
    )
    layers = (
        Layer(sprite(studio.photo("coffee.png")), table),
        Layer(studio.cut_in_place("cup"), table, id=2),
        Layer(
            studio.cut("cup", 0.38),
            (
                (9, 508, 232, 1, 34),
                (16, 420, 206, 1, 10),
                (24, 350, 196, 1.05, -20),
                (31, 402, 168, 1, -60),
            ),
            id=1,
            shadow=True,
        ),
    )
    return Scene("coffee", 32, layers)


def _coins(studio: _Studio) -> Scene:
    """Four coins of two metals roll over bricks, cross, and cover each other."""
    ground = sprite(tint(studio.photo("brick.png", 620), (196, 150, 118)))
    layers = (
        Layer(ground, ((0, 250, 160, 1, 0), (35, 226, 112, 1.04, 4))),
        Layer(
            studio.coin(335, 44, 57, (206, 206, 214)),
            (
                (0, 70, 76, 1, 0),
                (12, 190, 118, 1, 160),
                (24, 318, 150, 1, 330),
                (35, 420, 214, 1.05, 470),
            ),
            id=2,
            shadow=True,
        ),
        Layer(
            studio.coin(172, 261, 51, (222, 176, 82)),
            (
                (0, 404, 84, 1.1, 0),
                (12, 300, 126, 1.1, -150),
                (24, 172, 142, 1.1, -330),
                (35, 66, 198, 1.1, -480),
            ),
            id=3,
            shadow=True,
        ),
        Layer(
            studio.coin(46, 260, 54, (190, 116, 84)),
            (
                (0, 118, 208, 1.05, 0),
                (14, 226, 196, 1.15, 120),
                (26, 258, 96, 1.05, 300),
                (35, 214, 52, 0.9, 420),
            ),
            id=4,
            shadow=True,
        ),
        Layer(
            studio.coin(271, 119, 47, (222, 176, 82)),
            (
                (13, 258, -14, 1.1, 0),
                (20, 236, 82, 1.15, 120),
                (28, 280, 176, 1.2, 250),
                (35, 330, 96, 1.1, 400),
            ),
            id=1,
            shadow=True,
        ),
    )
    return Scene("coins", 36, layers)


def _motorbike(studio: _Studio) -> Scene:
    """A motorbike drives behind a photographer, out of the picture and back."""
    wall = tint(studio.photo("brick.png", 512), (176, 104, 88))
    ground = tint(studio.photo("gravel.png", 512), (170, 152, 128))
    rows = [
        np.hstack([wall[150:330], wall[150:330, ::-1]]),
        np.hstack([ground[::3], ground[::3, ::-1]]),
    ]
    street = sprite(np.vstack(rows)[:, :760])
    layers = (
        Layer(street, ((0, 330, 132, 1.03, 0), (18, 214, 138, 1.06, 0.6), (35, 176, 134, 1.03, 0))),
        Layer(
            studio.cut("motorbike", 0.4),
            (
                (0, 104, 176, 0.9, 0),
                (5, 176, 174, 0.95, -3),
                (10, 286, 178, 1, 1),
                (15, 452, 180, 1.05, -8),
                (19, 618, 184, 1.1, -2),
                (23, 612, 184, 1.1, 1),
                (29, 430, 182, 1.05, 2),
                (35, 270, 176, 1, -1),
            ),
            id=1,
            shadow=True,
        ),
        Layer(
            tinted(studio.cut("cameraman", 0.55), (176, 164, 150)),
            ((0, 296, 158, 1, 0), (18, 236, 160, 1.04, -1.5), (35, 196, 158, 1.02, 1)),
            id=2,
        ),
    )
    return Scene("motorbike", 36, layers)


def _rocket(studio: _Studio) -> Scene:
    """A thin rocket takes off, leaves the picture, and lands again."""
    photo = studio.photo("rocket.jpg").astype(np.int32)
    left, right, top, bottom = 300, 344, 120, 412
    blend = np.linspace(0, 256, right - left).astype(np.int32)[None, :, None]
    edges = (
        photo[top:bottom, left - 6 : left].mean(axis=1),
        photo[top:bottom, right : right + 6].mean(axis=1),
    )
    start, end = (edge.astype(np.int32)[:, None] for edge in edges)
    photo[top:bottom, left:right] = (start * (256 - blend) + end * blend) // 256
    pad = sprite(photo.astype(np.uint8))
    camera = (
        (0, 240, 108, 0.78, 0),
        (12, 238, 114, 0.79, 0.3),
        (22, 242, 150, 0.8, -0.3),
        (39, 240, 108, 0.78, 0),
    )
    flight = (
        (0, 242, 157, 1, 0),
        (6, 242, 156, 1, 0.4),
        (12, 243, 118, 1, -1),
        (17, 246, 10, 1, 3),
        (21, 252, -142, 1, 5),
        (25, 262, -146, 1, -6),
        (31, 256, 40, 1, -4),
        (36, 247, 136, 1, 1),
        (39, 242, 157, 1, 0),
    )
    flame = (
        (5, 242, 262, 0.5, 0),
        (8, 242, 285, 1, 0),
        (12, 243, 262, 1.4, -1),
        (17, 240, 168, 1.6, 3),
        (21, 240, 22, 1.6, 5),
    )
    layers = (
        Layer(pad, camera),
        Layer(_flame(), flame),
        Layer(studio.cut("rocket", 0.78), flight, id=1),
    )
    return Scene("rocket", 40, layers)


def _flame() -> Sprite:
    """The glow of an engine: bright above, fading below; it is no object."""
    y, x = np.mgrid[0:96, -18:19]
    width = 4 + (y * 12) // 96
    fade = np.clip(255 * (96 - y) // 96, 0, 255)
    alpha = np.clip(fade - 255 * x * x // (width * width), 0, 255).astype(np.uint8)
    colours = np.dstack([np.full_like(y, 255), 236 - y, np.maximum(170 - 2 * y, 40)]).astype(
        np.uint8
    )
    return sprite(colours, alpha)


def tinted(cut: Sprite, colour: tuple[int, int, int]) -> Sprite:
    """A grey cut-out in shades of `colour`."""
    alpha = cut[..., 3:]
    return np.dstack([np.minimum(tint(cut[..., :3], colour), alpha), alpha])
