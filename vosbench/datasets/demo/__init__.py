"""The demo dataset: six short videos rendered from photographs that scikit-image ships.

Nothing is downloaded. It is rendered once, into the cache folder, and is the same everywhere.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from vosbench.config import cache_path
from vosbench.datasets import folder
from vosbench.datasets.base import Dataset, DatasetSpec

#: Raise it whenever a pixel or mask of the demo changes.
VERSION = 1


def spec() -> DatasetSpec:
    """The demo dataset by name."""
    return DatasetSpec(
        name="demo",
        summary="rendered from photographs: occlusion, late and returning objects",
        count=6,
        load=load,
        locate=locate,
        protocol="objects",
        measures=("J", "F"),
        homepage="https://scikit-image.org",
        licence="public domain and CC0 photographs, see the documentation of skimage.data",
    )


def load(root: Path) -> Dataset:
    """The rendered dataset in the folder `root`, rendered now if it is not there yet."""
    if not root.is_dir():
        write(root)
    return folder.load(root, name="demo")


def locate(_root: Path) -> Path:
    """Where the rendered dataset lies or will lie; the same for every data root."""
    return cache_path() / f"demo-v{VERSION}"


def write(home: Path) -> None:
    """Render the dataset into the new folder `home`, which appears when it is complete."""
    import skimage
    from PIL import Image

    from vosbench.datasets.demo.compositing import render
    from vosbench.datasets.demo.scenes import HEIGHT, WIDTH, scenes
    from vosbench.datasets.reading import write_labels

    home.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        for scene in scenes(Path(skimage.__file__).parent / "data"):
            images = part / "JPEGImages" / "480p" / scene.name
            images.mkdir(parents=True)
            for frame in range(scene.frames):
                image, labels = render(scene.layers, frame, (HEIGHT, WIDTH))
                Image.fromarray(image).save(images / f"{frame:05d}.jpg", quality=92)
                write_labels(
                    part / "Annotations" / "480p" / scene.name / f"{frame:05d}.png", labels
                )
        part.rename(home)
    except OSError:
        if not home.is_dir():  # another process was faster: its rendering is the same
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
