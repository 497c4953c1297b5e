"""What the pictures show: colours where they belong, films that play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench import overlay
from vosbench.datasets.reading import davis_palette

SIZE = (60, 80)


def scene() -> tuple[np.ndarray, np.ndarray]:
    image = np.full((*SIZE, 3), 100, np.uint8)
    labels = np.zeros(SIZE, np.uint8)
    labels[10:40, 10:40] = 2
    labels[50:, :] = 255
    return image, labels


def test_blend_tints_objects_and_nothing_else() -> None:
    image, labels = scene()
    picture = overlay.blend(image, labels, alpha=0.5)
    colour = davis_palette()[2]
    np.testing.assert_array_equal(picture[25, 25], np.rint(50 + colour / 2).astype(np.uint8))
    np.testing.assert_array_equal(picture[10, 20], (0, 255, 0))
    np.testing.assert_array_equal(picture[labels == 0], image[labels == 0])
    np.testing.assert_array_equal(picture[labels == 255], image[labels == 255])
    assert image.max() == 100


def test_error_map_colours_every_kind_of_error() -> None:
    image, _ = scene()
    truth, answer = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    truth[0:10], answer[0:10] = 1, 1
    truth[10:20] = 1
    answer[20:30] = 1
    truth[30:40], answer[30:40] = 1, 2
    truth[40:50], answer[40:50] = 255, 1
    picture = overlay.error_map(image, truth, answer).astype(int)
    assert np.ptp(picture[5, 5]) == 0
    assert picture[5, 5, 0] > picture[55, 5, 0]
    for row, colour in ((15, overlay.MISSED), (25, overlay.FALSE), (35, overlay.CONFUSED)):
        np.testing.assert_allclose(picture[row, 5], 0.8 * np.array(colour) + 0.2 * 45, atol=1)
    np.testing.assert_array_equal(picture[45, 5], picture[55, 5])


def test_contours_follow_the_annotation() -> None:
    image, labels = scene()
    drawn = overlay.draw_contours(image, labels)
    changed = (drawn != image).any(axis=2)
    assert changed[10, 20]
    assert changed[20, 10]
    assert not changed[25, 25]
    assert not changed[55, 40]


@pytest.mark.parametrize("count", [1, 4, 5])
def test_sheet_holds_every_picture(count: int) -> None:
    colours = [(40 * i + 30, 10, 10) for i in range(count)]
    pictures = [np.full((*SIZE, 3), colour, np.uint8) for colour in colours]
    texts = [f"frame {i}" for i in range(count)]
    sheet = overlay.contact_sheet(pictures, texts, "title", legend=overlay.LEGEND)
    for colour in colours:
        assert (sheet == np.array(colour, np.uint8)).all(axis=2).sum() >= 400 * 290


def test_caption_is_drawn_above_and_fits() -> None:
    image, _ = scene()
    picture = overlay.caption(image, "a very long caption that must be made smaller to fit in")
    assert picture.shape[1] == SIZE[1]
    np.testing.assert_array_equal(picture[-SIZE[0] :], image)
    assert picture[: -SIZE[0]].max() > 100


@pytest.mark.parametrize("size", [(60, 80), (61, 81)])
def test_film_plays_back_whole(tmp_path: Path, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (*size, 3)).astype(np.uint8) for _ in range(7)]
    path = tmp_path / "deep" / "film.mp4"
    assert overlay.write_video(path, pictures, fps=10) == 7
    assert overlay.count_frames(path) == 7
    assert [p.name for p in path.parent.iterdir()] == ["film.mp4"]


def test_animation_has_every_frame(tmp_path: Path) -> None:
    pictures = [np.full((*SIZE, 3), 60 * i, np.uint8) for i in range(4)]
    overlay.write_gif(tmp_path / "a.gif", pictures, fps=10)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 4
        assert animation.info["duration"] == 100
