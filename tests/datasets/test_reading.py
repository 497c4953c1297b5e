"""Images and label maps from files and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from vosbench.datasets.reading import (
    davis_palette,
    encode_labels,
    image_size,
    read_image,
    read_labels,
    write_labels,
)
from vosbench.errors import DatasetError


def test_image_is_rgb_and_read_only(tmp_path: Path) -> None:
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 200
    Image.fromarray(red).save(tmp_path / "red.png")
    image = read_image(tmp_path / "red.png")
    assert np.array_equal(image, red)
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 0


def test_grey_image_becomes_rgb(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1  # as it is
    Image.new("L", (30, 20), 90).save(tmp_path / "grey.jpg", exif=exif)
    assert read_image(tmp_path / "grey.jpg").shape == (20, 30, 3)
    assert image_size(tmp_path / "grey.jpg") == (20, 30)


@pytest.mark.parametrize("suffix", ["jpg", "png"])
@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.98])
def test_cut_off_image_is_named(tmp_path: Path, suffix: str, keep: float) -> None:
    path = tmp_path / f"00007.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DatasetError, match="00007"):
        read_image(path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    for read in (read_image, read_labels, image_size):
        with pytest.raises(DatasetError, match=r"absent\.png does not exist"):
            read(tmp_path / "absent.png")
    (tmp_path / "text.png").write_text("no image")
    for read in (read_image, read_labels, image_size):
        with pytest.raises(DatasetError, match=r"text\.png"):
            read(tmp_path / "text.png")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P"])
def test_binary_labels_of_every_mode(tmp_path: Path, mode: str) -> None:
    mask = np.zeros((9, 13), np.uint8)
    mask[2:6, 3:9] = 255
    image = Image.fromarray(mask)
    if mode == "P":
        image = Image.fromarray((mask // 255).astype(np.uint8), "L").convert("P")
    image.convert(mode).save(tmp_path / "mask.png")
    labels = read_labels(tmp_path / "mask.png", binary=True)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, mask // 255)


def test_0_255_without_binary_is_void(tmp_path: Path) -> None:
    Image.fromarray(np.full((3, 3), 255, np.uint8)).save(tmp_path / "void.png")
    assert set(read_labels(tmp_path / "void.png").ravel()) == {255}


def test_colours_are_no_label_map(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3), (9, 0, 0)).save(tmp_path / "colours.png")
    with pytest.raises(DatasetError, match="colours") as error:
        read_labels(tmp_path / "colours.png")
    assert "palette" in error.value.hint


@given(
    st.integers(1, 40).flatmap(
        lambda h: st.integers(1, 40).flatmap(
            lambda w: st.binary(min_size=h * w, max_size=h * w).map(
                lambda b: np.frombuffer(b, np.uint8).reshape(h, w)
            )
        )
    )
)
def test_labels_survive_writing(tmp_path_factory: pytest.TempPathFactory, labels: object) -> None:
    assert isinstance(labels, np.ndarray)
    path = tmp_path_factory.getbasetemp() / "labels.png"
    path.write_bytes(encode_labels(labels))
    assert np.array_equal(read_labels(path), labels)
    with Image.open(path) as image:
        image.load()
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), labels)


def test_written_palette_is_that_of_davis(davis_root: Path) -> None:
    with Image.open(davis_root / "Annotations/480p/bear/00000.png") as image:
        assert image.getpalette() == davis_palette().ravel().tolist()


def test_writing_is_atomic_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "run" / "bear" / "00000.png"
    write_labels(path, np.ones((5, 7), bool))
    write_labels(path, np.full((5, 7), 3, np.int64))
    assert set(read_labels(path).ravel()) == {3}
    assert [p.name for p in path.parent.iterdir()] == ["00000.png"]


@pytest.mark.parametrize("labels", [np.full((2, 2), 256), np.full((2, 2), -1), np.zeros((1, 2, 2))])
def test_what_is_no_label_map_is_not_written(tmp_path: Path, labels: object) -> None:
    with pytest.raises(ValueError, match="labels must"):
        write_labels(tmp_path / "x.png", labels)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
