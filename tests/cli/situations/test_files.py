"""Files that are not what their names say, or hold more than pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import FRAMES, SHIFTED, squares, write_masks, write_sequence

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
