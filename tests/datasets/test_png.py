"""PNG label maps: every encoding, every way to be broken."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vosbench.datasets import png
from vosbench.datasets.png import read_png_labels
from vosbench.errors import DatasetError

ENCODINGS = Path(__file__).parent.parent / "golden" / "encodings"
EXPECTED = json.loads((ENCODINGS / "expected.json").read_text())
LABELS = {name: case for name, case in EXPECTED.items() if len(case["array_shape"]) == 2}


@pytest.mark.parametrize("name", LABELS)
def test_every_encoding_of_labels_is_read_as_pillow_reads_it(name: str) -> None:
    labels = read_png_labels(ENCODINGS / name)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, np.asarray(Image.open(ENCODINGS / name)))
    reference = np.asarray(Image.open(ENCODINGS / "l8.png"))
    if LABELS[name]["equals_reference_labels"]:
        np.testing.assert_array_equal(labels, reference)
    np.testing.assert_array_equal(labels != 0, reference != 0)


def test_grey_with_opacity_is_read() -> None:
    reference = np.asarray(Image.open(ENCODINGS / "la.png"))[..., 0]
    np.testing.assert_array_equal(read_png_labels(ENCODINGS / "la.png"), reference)


@pytest.mark.parametrize("name", ["rgb.png", "rgba.png"])
def test_colours_are_refused_by_name(name: str) -> None:
    with pytest.raises(DatasetError, match=rf"{name} holds colours"):
        read_png_labels(ENCODINGS / name)


def test_plain_files_do_not_go_through_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_by_pillow", None)
    assert read_png_labels(ENCODINGS / "p8.png").max() == 2


@pytest.mark.parametrize("inflater", ["zlib_ng", "zlib"])
def test_both_inflaters_agree(inflater: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if inflater == "zlib":
        monkeypatch.setattr(png, "decompressobj", zlib.decompressobj)
    labels = np.random.default_rng(0).integers(0, 4, (37, 53), dtype=np.uint8)
    np.testing.assert_array_equal(png.decode_png_labels(encode(labels), Path("x.png")), labels)


def test_grey_of_16_bits_is_read_if_its_values_are_labels(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    labels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    Image.fromarray(labels).save(path)
    np.testing.assert_array_equal(read_png_labels(path), labels)
    Image.fromarray(labels * 300).save(path)
    with pytest.raises(DatasetError, match=r"deep\.png has values up to 3300"):
        read_png_labels(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.png does not exist"):
        read_png_labels(tmp_path / "none.png")


def encode(labels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(labels).convert("P")
    image.save(buffer, "png")
    return buffer.getvalue()


def damaged() -> dict[str, bytes]:
    data = encode(np.random.default_rng(0).integers(0, 3, (40, 60), dtype=np.uint8))
    at = data.index(b"IDAT")
    flipped = bytearray(data)
    flipped[at + 40] ^= 0xFF
    header = bytearray(data)
    header[16:20] = struct.pack(">I", 61)  # another width, checksum as it was
    return {
        "empty": b"",
        "text": b"not a picture",
        "cut in the header": data[:30],
        "cut in the data": data[: at + 60],
        "cut at the end of the data": data[:-24],
        "flipped byte": bytes(flipped),
        "changed width": bytes(header),
    }


@pytest.mark.parametrize("damage", damaged())
def test_broken_file_is_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(damaged()[damage])
    with pytest.raises(DatasetError, match=r"broken\.png"):
        read_png_labels(path)
