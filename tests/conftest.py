"""Fixtures shared by all tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

if TYPE_CHECKING:
    from vosbench_learning.corpus import Corpus

# A slow machine must not fail a property.
settings.register_profile("vosbench", deadline=None)
settings.load_profile("vosbench")


def _data_root() -> Path:
    for part in os.environ.get("VOSBENCH_DATA", "").split(os.pathsep):
        if part and Path(part, "DAVIS").is_dir():
            return Path(part)
    message = "VOSBENCH_DATA names no folder that holds DAVIS: tests on real video are SKIPPED"
    warnings.warn(message, stacklevel=2)
    pytest.skip(message)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder that holds DAVIS/, DAVIS-2017-240p/ and static/; skips loudly where it is absent."""
    return _data_root()


@pytest.fixture(scope="session")
def davis_root(data_root: Path) -> Path:
    """DAVIS-2016 train: 30 sequences, 854x480, one object."""
    return data_root / "DAVIS"


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests of a process, so that the demo is rendered once at most."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _private_user_folders(tmp_path: Path, _cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the developer's own configuration or cache."""
    monkeypatch.setenv("VOSBENCH_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("VOSBENCH_CACHE", str(_cache))


@dataclass(frozen=True)
class Disk:
    """A disk whose power can be cut.

    Attributes:
        folder: where it is mounted.
        cut: gives what is on it if the power fails now: what programs wrote and the system has not
            sent to it yet is lost.
    """

    folder: Path
    cut: Callable[[], Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """An ext4 image in memory, mounted. Its copy is what a power cut leaves; mounting that replays
    the journal. Skips where a system does not let us mount."""
    memory, folder = tmp_path / "memory", tmp_path / "disk"
    image = memory / "image"
    with contextlib.ExitStack() as mounted:

        def mount(kind: str, image: Path, at: Path) -> None:
            at.mkdir()
            subprocess.run(["mount", *kind.split(), image, at], check=True, capture_output=True)
            mounted.callback(subprocess.run, ["umount", "--lazy", at], check=True)

        def cut() -> Path:
            after = tmp_path / f"after-{len(list(tmp_path.iterdir()))}"
            mount("-o loop", shutil.copyfile(image, memory / after.name), after)
            return after

        try:
            mount("-t tmpfs", Path("none"), memory)
            with image.open("wb") as stream:
                stream.truncate(16 << 20)
            subprocess.run(["mkfs.ext4", "-q", image], check=True, capture_output=True)
            mount("-o loop", image, folder)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no disk can be mounted here: {error}")
        yield Disk(folder, cut)


@pytest.fixture(scope="session")
def training_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photos of two squares (one file broken) and two DAVIS sequences of four frames."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for folder in ("photos/images", "photos/masks"):
        (root / folder).mkdir(parents=True)

    def write(image_path: Path, mask_path: Path, shift: int, *, binary: bool) -> None:
        image = random.integers(60, 120, (90, 120, 3), dtype=np.uint8)
        mask = np.zeros((90, 120), np.uint8)
        mask[20:60, 10 + shift : 50 + shift] = 1
        image[mask == 1] = (220, 40, 40)
        if not binary:
            mask[30:50, 70:100] = 2
            image[mask == 2] = (40, 40, 220)
        for path in (image_path, mask_path):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(image_path, quality=95)
        Image.fromarray(mask * 255 if binary else mask).save(mask_path)

    for i in range(4):
        name = f"p{i}"
        write(
            root / f"photos/images/{name}.jpg", root / f"photos/masks/{name}.png", i, binary=False
        )
    (root / "photos/images/broken.jpg").write_bytes(b"no jpeg")
    Image.fromarray(np.ones((9, 9), np.uint8)).save(root / "photos/masks/broken.png")
    davis = root / "davis"
    for sequence in ("alpha", "tennis"):
        for t in range(4):
            write(
                davis / f"JPEGImages/480p/{sequence}/{t:05d}.jpg",
                davis / f"Annotations/480p/{sequence}/{t:05d}.png",
                4 * t,
                binary=True,
            )
    (davis / "ImageSets/2016").mkdir(parents=True)
    lines = [
        f"/JPEGImages/480p/{s}/{t:05d}.jpg /Annotations/480p/{s}/{t:05d}.png"
        for s in ("alpha", "tennis")
        for t in range(4)
    ]
    (davis / "ImageSets/2016/train.txt").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="session")
def corpus(training_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The photos of `training_folders` and one of its sequences."""
    from vosbench_learning.corpus import davis_sources, load_corpus, photo_sources

    davis = davis_sources(training_folders / "davis", ["alpha"])
    sources = photo_sources(training_folders / "photos") + davis
    return load_corpus(sources, tmp_path_factory.mktemp("corpus"))
