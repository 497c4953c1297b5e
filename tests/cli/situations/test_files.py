"""Files that are not what their names say, or hold more than pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import FRAMES, SHIFTED, Labels, squares, write_masks, write_sequence

JPEG = io.BytesIO()
Image.fromarray(squares(255)).save(JPEG, "JPEG")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (JPEG.getvalue(), "is a JPEG, not a PNG"),
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS, not a PNG"),
        (b"<!DOCTYPE html>", "is a page of HTML or XML, not a PNG"),
        (b"\x93NUMPY\x01", "is a NumPy array, not a PNG"),
        (b"nothing of this kind", "is no PNG: it starts with b'nothing '"),
    ],
)
def test_what_is_no_png_is_called_what_it_is(
    tmp_path: Path, vosbench, data: bytes, what: str
) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(1)] * FRAMES)
    for path in ("masks/a/00003.png", "data/Annotations/480p/a/00003.png"):
        (tmp_path / path).write_bytes(data)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert f"data/Annotations/480p/a/00003.png {what}" in result.output
    write_masks(tmp_path / "data/Annotations/480p/a", {3: squares(1)})
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 6
    assert f"masks/a/00003.png {what}" in result.output


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16"])
def test_black_and_white_masks_however_they_are_stored(tmp_path: Path, scores, mode: str) -> None:
    write_sequence(tmp_path / "data", "a", [squares(255)] * FRAMES)
    for root, shift in (("data/Annotations/480p", 0), ("masks", 2)):
        for t in range(FRAMES):
            path = tmp_path / root / "a" / f"{t:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(squares(255, shift=shift))
            if mode == "I;16":
                image = Image.fromarray(np.asarray(image).astype(np.uint16))
            else:
                image = image.convert(mode)
            image.save(path)
    assert scores("masks", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)


def test_objects_that_are_only_in_the_opacity_are_refused(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    black = np.zeros((48, 96, 4), np.uint8)
    black[..., 3] = squares(255)
    Image.fromarray(black).save(tmp_path / "data/Annotations/480p/a/00000.png")
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "a/00000.png has pixels of different opacity (mode RGBA)" in result.output


@pytest.mark.parametrize("orientation", range(2, 9))
def test_frames_that_are_shown_turned_are_refused(
    tmp_path: Path, vosbench, orientation: int
) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    exif = Image.Exif()
    exif[0x0112] = orientation
    frame = tmp_path / "data/JPEGImages/480p/a/00002.jpg"
    Image.new("RGB", (96, 48), (9, 99, 200)).save(frame, exif=exif)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert f"00002.jpg carries an EXIF orientation ({orientation}: shown" in result.output
    if orientation == 6:
        result = vosbench("run", "--tracker", "flow", "--dataset", "data")
        assert result.exit_code == 5
        assert "00002.jpg carries an EXIF orientation" in result.output


@pytest.mark.parametrize("damage", ["hole", "zeros", "cut, with its end"])
def test_a_jpeg_damaged_in_the_middle_is_refused(tmp_path: Path, vosbench, damage: str) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    frame = tmp_path / "data/JPEGImages/480p/a/00002.jpg"
    data = frame.read_bytes()
    middle, lost = len(data) // 2, len(data) // 4
    frame.write_bytes(
        {
            "hole": data[:middle] + data[middle + lost :],
            "zeros": data[:middle] + bytes(lost) + data[middle + lost :],
            "cut, with its end": data[:middle] + b"\xff\xd9",
        }[damage]
    )
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "data/JPEGImages/480p/a/00002.jpg is damaged" in result.output


@pytest.mark.parametrize("kind", ["padded", "trailing", "four colours", "progressive", "grey"])
def test_jpegs_that_are_odd_and_whole_are_read(tmp_path: Path, vosbench, kind: str) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    for frame in sorted((tmp_path / "data/JPEGImages/480p/a").iterdir()):
        image = Image.open(frame).convert({"four colours": "CMYK", "grey": "L"}.get(kind, "RGB"))
        image.save(frame, progressive=kind == "progressive")
        data = frame.read_bytes()
        if kind == "padded":
            data = data[:-2] + bytes(16) + data[-2:]
        frame.write_bytes(data + (b"written by a camera" if kind == "trailing" else b""))
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 0, result.output


def in_palette(folder: Path, labels: Labels, *colours: int) -> None:
    image = Image.fromarray(labels)
    image.putpalette(bytes(colours))
    for t in range(FRAMES):
        image.save(folder / f"{t:05d}.png")


def test_a_palette_whose_background_is_not_0_is_refused(tmp_path: Path, vosbench, scores) -> None:
    """Quantised masks of white on black have white as index 0."""
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    masks = write_masks(tmp_path / "masks/a", [squares(1)] * FRAMES)
    white, black = (255, 255, 255), (0, 0, 0)
    in_palette(masks, 1 - squares(1, shift=2), *white, *black)
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 6
    assert "masks/a/00001.png has a palette in which 1 is black and 0 is not" in result.output
    in_palette(masks, squares(1, shift=2), *white, 200, 0, 0, *black)
    assert scores("masks", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)
    in_palette(tmp_path / "data/Annotations/480p/a", 1 - squares(1), *white, *black)
    result = vosbench("datasets", "verify", "data")
    assert result.exit_code == 3
    assert "data/Annotations/480p/a/00000.png has a palette in which 1 is black" in result.output


def test_masks_with_an_orientation_are_refused(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    masks = write_masks(tmp_path / "masks/a", [squares(1)] * FRAMES)
    exif = Image.Exif()
    for orientation, code in ((1, 0), (6, 6)):
        exif[0x0112] = orientation
        Image.fromarray(squares(1)).save(masks / "00002.png", exif=exif)
        result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
        assert result.exit_code == code, result.output
    assert "masks/a/00002.png carries an EXIF orientation (6)" in result.output


def test_white_in_16_bits(tmp_path: Path, vosbench, scores) -> None:
    write_sequence(tmp_path / "data", "a", [squares(255)] * FRAMES)
    masks = write_masks(tmp_path / "masks/a", [squares(1)] * FRAMES)
    for t in range(FRAMES):
        white = squares(255, shift=2).astype(np.uint16) * 257
        Image.fromarray(white).save(masks / f"{t:05d}.png")
    assert scores("masks", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)
    Image.fromarray(white // 200).save(masks / "00002.png")
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 6
    assert "masks/a/00002.png has values up to 327; object ids end at 254" in result.output


def test_one_annotation_of_another_size_is_what_is_blamed(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * FRAMES)
    write_masks(tmp_path / "data/Annotations/480p/a", {3: squares(1)[::2, ::2]})
    write_masks(tmp_path / "masks/a", [squares(1)] * FRAMES)
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert result.exit_code == 6
    assert "1 frame (00003) as large as the frame, 96x48, but annotated in 48x24" in result.output
    assert "data/Annotations/480p/a" in result.output
    result = vosbench("datasets", "verify", "data")
    assert "00003.png is 48x24, but its frame is 96x48" in result.output
