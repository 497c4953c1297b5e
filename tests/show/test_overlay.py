"""What the pictures show: colours where they belong, films that play."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench import overlay

SIZE = (60, 80)


def scene() -> tuple[np.ndarray, np.ndarray]:
    image = np.full((*SIZE, 3), 100, np.uint8)
    labels = np.zeros(SIZE, np.uint8)
    labels[10:40, 10:40] = 2
    labels[50:, :] = 255
    return image, labels


def test_blend_tints_objects_and_draws_a_line_with_a_dark_rim() -> None:
    image, labels = scene()
    picture = overlay.blend(image, labels, alpha=0.5)
    colour = np.array(overlay.OBJECT_COLOURS[1])
    np.testing.assert_array_equal(picture[25, 25], np.rint(50 + colour / 2).astype(np.uint8))
    np.testing.assert_array_equal(picture[10, 20], colour)
    np.testing.assert_array_equal(picture[9, 20], (25, 25, 25))
    far = np.ones(SIZE, bool)
    far[8:42, 8:42] = False
    np.testing.assert_array_equal(picture[far], image[far])
    assert image.max() == 100
    lines = overlay.blend(image, labels, alpha=0)
    np.testing.assert_array_equal(lines[25, 25], image[25, 25])
    np.testing.assert_array_equal(lines[10, 20], colour)


def test_difference_map_says_who_is_right() -> None:
    image, _ = scene()
    truth, first, second = (np.zeros(SIZE, np.uint8) for _ in range(3))
    truth[0:30], first[0:10], second[10:20] = 1, 1, 1
    first[40:45] = second[40:45] = 1
    truth[50:], first[50:] = 255, 1
    picture = overlay.difference_map(image, truth, first, second).astype(int)
    for row, colour in ((5, overlay.ONLY_A), (15, overlay.ONLY_B), (25, overlay.CONFUSED)):
        np.testing.assert_allclose(picture[row, 5], 0.8 * np.array(colour) + 0.2 * 45, atol=1)
    np.testing.assert_array_equal(picture[42, 5], picture[25, 5])
    assert np.ptp(picture[35, 5]) == 0 and np.ptp(picture[55, 5]) == 0
    blind = overlay.difference_map(image, None, first, second)
    assert np.ptp(blind[42, 5].astype(int)) == 0 and np.ptp(blind[5, 5].astype(int)) > 0


def test_object_colours_differ_for_colour_blind_eyes() -> None:
    """Deuteranopia after Viénot and others (1999), in linear RGB."""
    colours = np.array(overlay.OBJECT_COLOURS) / 255
    seen = colours**2.2 @ np.array([[0.292, 0.708, 0], [0.292, 0.708, 0], [-0.022, 0.022, 1]]).T
    seen = 255 * np.clip(seen, 0, 1) ** (1 / 2.2)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2) + 999 * np.eye(len(seen))
    assert apart.min() > 20


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


@pytest.mark.parametrize("words", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [240, 400, 640])
def test_no_caption_is_cut_off(words: int, width: int) -> None:
    text = "A: flow+seed=1 J 100 " * words
    bar = overlay.caption(np.zeros((60, width, 3), np.uint8), text)[:-60]
    assert bar.max() > 100 and (bar[:, -2:] == bar[0, 0]).all()


@pytest.mark.parametrize(("size", "kind"), [((60, 80), "mp4"), ((61, 81), "webm")])
def test_film_plays_back_whole(tmp_path: Path, size: tuple[int, int], kind: str) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (*size, 3)).astype(np.uint8) for _ in range(7)]
    path = tmp_path / "deep" / f"film.{kind}"
    assert overlay.write_video(path, pictures, fps=10) == 7
    assert overlay.count_frames(path) == 7
    assert [p.name for p in path.parent.iterdir()] == [f"film.{kind}"]


def test_animation_has_every_frame(tmp_path: Path) -> None:
    pictures = [np.full((*SIZE, 3), 60 * i, np.uint8) for i in range(4)]
    overlay.write_gif(tmp_path / "a.gif", pictures, fps=10)
    with Image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 4
        assert animation.info["duration"] == 100
