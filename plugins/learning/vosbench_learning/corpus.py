"""Images with instance masks, decoded once into a file that every process maps.

A corpus is a folder of photos (`images/*.jpg`, `masks/*.png`, index masks, 255 ignored) or the
frames of a DAVIS folder (`JPEGImages/480p/<sequence>`, `Annotations/480p/<sequence>`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vosbench.errors import DatasetError

Image = NDArray[np.uint8]
Labels = NDArray[np.uint8]

#: Sequences of DAVIS-2016 train that no training sees; models are selected on them.
DEVELOPMENT_SPLIT = (
    "breakdance-flare",
    "car-turn",
    "dog-agility",
    "horsejump-low",
    "motorbike",
    "tennis",
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Item:
    """One image of a corpus.

    Attributes:
        name: unique within the corpus. sequence: its video, "" for a photo.
        frame: position in the sequence. objects: ids in its label map.
        offset, height, width: where its pixels are in the cache file.
    """

    name: str
    sequence: str
    frame: int
    objects: tuple[int, ...]
    offset: int
    height: int
    width: int


class Corpus:
    """Decoded images, read-only and shared between processes through the page cache.

    Attributes:
        items: every readable image with at least one object.
        skipped: files that could not be used, with the reason.
    """

    def __init__(self, items: Sequence[Item], skipped: Sequence[str], pixels: Image) -> None:
        self.items = list(items)
        self.skipped = list(skipped)
        self._pixels = pixels

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Image, Labels]:
        """RGB (H, W, 3) and label map (H, W) of item `index`, read-only views."""
        item = self.items[index]
        area = item.height * item.width
        block = self._pixels[item.offset : item.offset + 4 * area]
        shape = (item.height, item.width)
        return block[: 3 * area].reshape(*shape, 3), block[3 * area :].reshape(shape)

    def sequences(self) -> dict[str, list[int]]:
        """Video name -> indices of its items in order of frames."""
        found: dict[str, list[int]] = {}
        for i, item in enumerate(self.items):
            if item.sequence:
                found.setdefault(item.sequence, []).append(i)
        return found

    def photos(self) -> list[int]:
        """Indices of the items that belong to no video."""
        return [i for i, item in enumerate(self.items) if not item.sequence]


@dataclass(frozen=True)
class _Source:
    name: str
    sequence: str
    frame: int
    image: Path
    mask: Path
    binary: bool


def photo_sources(root: Path) -> list[_Source]:
    """The photos below `root`. Raises DatasetError if there are none."""
    images = sorted((root / "images").glob("*.jpg"))
    if not images:
        raise DatasetError(f"no photos in {root / 'images'}", "Expected images/*.jpg, masks/*.png.")
    return [
        _Source(p.stem, "", 0, p, root / "masks" / f"{p.stem}.png", binary=False) for p in images
    ]


def davis_sources(root: Path, sequences: Iterable[str]) -> list[_Source]:
    """All annotated frames of some sequences of a DAVIS folder.

    Raises:
        DatasetError: a sequence is not there.
    """
    found = []
    for sequence in sequences:
        masks = sorted((root / "Annotations/480p" / sequence).glob("*.png"))
        if not masks:
            raise DatasetError(f"no annotations of {sequence!r} in {root}")
        for i, mask in enumerate(masks):
            image = root / "JPEGImages/480p" / sequence / f"{mask.stem}.jpg"
            found.append(_Source(f"{sequence}/{mask.stem}", sequence, i, image, mask, binary=True))
    return found


def davis_sequences(root: Path, split: str = "train") -> list[str]:
    """Sequence names of DAVIS-2016's `split` ("train"), in the official order."""
    path = root / "ImageSets/2016" / f"{split}.txt"
    if not path.is_file():
        raise DatasetError(f"no split file {path}")
    names = []
    for line in path.read_text().split("\n"):
        if line.strip():
            first = line.split()[0]
            name = first.strip("/").split("/")[-2] if "/" in first else first
            if name not in names:
                names.append(name)
    return names


def load_corpus(sources: Sequence[_Source], cache: Path) -> Corpus:
    """Decode `sources` into `cache` (a folder, about 4 bytes a pixel), or map what is there.

    Items that cannot be read, whose sizes differ or that show no object are named in the log and
    left out.
    """
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256("\n".join(f"{s.image}|{s.mask}" for s in sources).encode())
    stem = cache / key.hexdigest()[:16]
    index, blob = stem.with_suffix(".json"), stem.with_suffix(".bin")
    if not index.is_file():
        items: list[Item] = []
        skipped: list[str] = []
        part = stem.with_suffix(".part")
        with part.open("wb") as file:
            for source in sources:
                try:
                    image, labels = _decode(source)
                except (OSError, ValueError) as error:
                    skipped.append(f"{source.name}: {error}")
                    logger.warning("skipped %s", skipped[-1])
                    continue
                ids = tuple(int(i) for i in np.unique(labels) if i)
                size = image.shape[:2]
                items.append(
                    Item(source.name, source.sequence, source.frame, ids, file.tell(), *size)
                )
                file.write(image.tobytes())
                file.write(labels.tobytes())
        part.replace(blob)
        text = json.dumps({"items": [asdict(i) for i in items], "skipped": skipped})
        index.write_text(text)
    stored = json.loads(index.read_text())
    items = [Item(**{**i, "objects": tuple(i["objects"])}) for i in stored["items"]]
    return Corpus(items, stored["skipped"], np.memmap(blob, np.uint8, mode="r"))


def _decode(source: _Source) -> tuple[Image, Labels]:
    from PIL import Image as Pillow

    with Pillow.open(source.image) as file:
        image = np.asarray(file.convert("RGB"))
    with Pillow.open(source.mask) as file:
        labels = np.array(file if file.mode in ("P", "L") else file.convert("L"))
    if image.shape[:2] != labels.shape:
        raise ValueError(f"image {image.shape[:2]} and mask {labels.shape} differ in size")
    labels = (labels > 0).astype(np.uint8) if source.binary else resolve_void(labels)
    if not labels.any():
        raise ValueError("no object")
    return image, labels


def resolve_void(labels: Labels, reach: float = 4.0) -> Labels:
    """Give ignored pixels (255) the label next to them; further than `reach` pixels, background.

    Annotators leave a band of a few pixels around objects undecided; its middle is the contour.
    """
    void = labels == 255
    if not void.any() or void.all():
        return np.where(void, 0, labels).astype(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(
        void.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    by_index = np.zeros(int(nearest.max()) + 1, np.uint8)
    by_index[nearest[~void]] = labels[~void]
    return np.where(void & (distance > reach), 0, by_index[nearest]).astype(np.uint8)


def training_sequences(root: Path, *, everything: bool = False) -> list[str]:
    """DAVIS-2016 train without the development split, or all of it."""
    held_out = () if everything else DEVELOPMENT_SPLIT
    return [s for s in davis_sequences(root) if s not in held_out]


def shuffled(count: int, seed: int) -> Iterator[int]:
    """0..count-1 in a new random order each time through, for ever."""
    epoch = 0
    while True:
        yield from np.random.default_rng((seed, epoch)).permutation(count).tolist()
        epoch += 1
