"""Images with instance masks, decoded once into a file that every process maps, or when drawn.

A corpus is a folder of photos (`images/*.jpg`, `masks/*.png`, index masks, 255 ignored), the frames
of a DAVIS folder (`JPEGImages/480p/<sequence>`, `Annotations/480p/<sequence>`) or of one in
YouTube-VOS's layout (`JPEGImages/<sequence>`, `Annotations/<sequence>`). None of it needs to fit
into memory.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from vosbench.durable import written_whole
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


class Decoded:
    """Pixels of decoded images in one file, shared between processes through the page cache."""

    def __init__(self, path: Path) -> None:
        self._pixels = np.memmap(path, np.uint8, mode="r") if path.stat().st_size else None

    def __call__(self, item: Item) -> tuple[Image, Labels]:
        assert self._pixels is not None
        area = item.height * item.width
        block = self._pixels[item.offset : item.offset + 4 * area]
        shape = (item.height, item.width)
        return block[: 3 * area].reshape(*shape, 3), block[3 * area :].reshape(shape)


class Files:
    """Pixels decoded from the images' own files whenever they are asked for."""

    def __init__(self, sources: Iterable[_Source]) -> None:
        self._sources = {source.name: source for source in sources}

    def __call__(self, item: Item) -> tuple[Image, Labels]:
        return _decode(self._sources[item.name])


#: What gives an item's image and label map.
Pixels = Callable[[Item], tuple[Image, Labels]]


class Corpus:
    """Images with their label maps.

    Attributes:
        items: every readable image with at least one object.
        skipped: files that could not be used, with the reason.
    """

    def __init__(self, items: Sequence[Item], skipped: Sequence[str], pixels: Pixels) -> None:
        self.items = list(items)
        self.skipped = list(skipped)
        self._pixels = pixels

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Image, Labels]:
        """RGB (H, W, 3) and label map (H, W) of item `index`, not to be written to."""
        return self._pixels(self.items[index])

    def sequences(self) -> dict[str, list[int]]:
        """Video name -> indices of its items in order of frames."""
        found: dict[str, list[int]] = {}
        for i, item in enumerate(self.items):
            if item.sequence:
                found.setdefault(item.sequence, []).append(i)
        return found

    def without(self, sequences: Iterable[str]) -> Corpus:
        """The same images but those of some videos."""
        out = set(sequences)
        kept = [item for item in self.items if item.sequence not in out]
        return Corpus(kept, self.skipped, self._pixels)

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


def video_sources(root: Path, *, sequences: Iterable[str] | None = None) -> list[_Source]:
    """All annotated frames of a folder in YouTube-VOS's layout, or of DAVIS-2017: several objects.

    Args:
        root: holds JPEGImages/<sequence> and Annotations/<sequence>, or both below 480p.
        sequences: only these; all that are annotated by default.

    Raises:
        DatasetError: there are no annotations, or a sequence has none.
    """
    sub = "480p" if (root / "Annotations/480p").is_dir() else ""
    images, annotations = root / "JPEGImages" / sub, root / "Annotations" / sub
    if sequences is None:
        sequences = sorted(p.name for p in annotations.glob("*") if p.is_dir())
    found = []
    for sequence in sequences:
        masks = sorted((annotations / sequence).glob("*.png"))
        if not masks:
            raise DatasetError(f"no annotations of {sequence!r} in {annotations}")
        for i, mask in enumerate(masks):
            image = images / sequence / f"{mask.stem}.jpg"
            name = f"{root.name}/{sequence}/{mask.stem}"
            found.append(_Source(name, f"{root.name}/{sequence}", i, image, mask, binary=False))
    if not found:
        raise DatasetError(
            f"no annotated videos in {root}", "Expected JPEGImages/VIDEO and Annotations/VIDEO."
        )
    return found


def davis17_sequences(root: Path) -> list[str]:
    """Sequence names of DAVIS-2017's train split. Raises DatasetError if the list is not there."""
    path = root / "ImageSets/2017/train.txt"
    if not path.is_file():
        raise DatasetError(f"no split file {path}")
    return path.read_text().split()


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


def load_corpus(sources: Sequence[_Source], cache: Path, *, decoded: bool = True) -> Corpus:
    """Decode `sources` into `cache` (a folder, about 4 bytes a pixel), or map what is there.

    Of several processes that ask for the same, one decodes and the others wait for it. Items that
    cannot be read, whose sizes differ or that show no object are named in the log and left out.

    Args:
        decoded: keep the pixels; else only what is in which image is kept, and each is decoded
            when it is drawn.
    """
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256("\n".join(f"{s.image}|{s.mask}" for s in sources).encode())
    stem = cache / key.hexdigest()[:16]
    index, blob = stem.with_suffix(".json" if decoded else ".index.json"), stem.with_suffix(".bin")
    with FileLock(stem.with_suffix(".lock")):
        if (stored := _read_index(index)) is None:
            _decode_all(sources, index, blob if decoded else None)
            stored = _read_index(index)
    if stored is None:
        raise DatasetError(f"{index} cannot be read", f"Is {cache} a folder that keeps files?")
    items, skipped = stored
    return Corpus(items, skipped, Decoded(blob) if decoded else Files(sources))


def _read_index(index: Path) -> tuple[list[Item], list[str]] | None:
    """Items and what was skipped; None if there is no index, or a broken one."""
    try:
        stored = json.loads(index.read_text())
        items = [Item(**{**i, "objects": tuple(i["objects"])}) for i in stored["items"]]
        return items, list(stored["skipped"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _decode_all(sources: Sequence[_Source], index: Path, blob: Path | None) -> None:
    """Write what is in which image to `index`, and the pixels to `blob`."""
    items: list[Item] = []
    skipped: list[str] = []
    part = index.with_suffix(".part")
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
            items.append(Item(source.name, source.sequence, source.frame, ids, file.tell(), *size))
            if blob is not None:
                file.write(image.tobytes())
                file.write(labels.tobytes())
        file.flush()
        os.fsync(file.fileno())
    if blob is not None:
        part.replace(blob)
    else:
        part.unlink()
    text = json.dumps({"items": [asdict(i) for i in items], "skipped": skipped})
    with written_whole(index) as stream:  # last: it vouches for the pixels
        stream.write(text.encode())


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
