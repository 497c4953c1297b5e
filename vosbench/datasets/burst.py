"""BURST (Athar et al., WACV 2023): open-world tracking; masks as run-length codes in one JSON file.

BURST/annotations/{train,val,test}/all_classes.json
BURST/frames/{train,val,test}/DATASET/SEQUENCE/FRAME.jpg

The masks that the codes stand for are written to the cache folder once, as label maps: a sequence
is made of files.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from vosbench.config import cache_path
from vosbench.datasets.base import Dataset, DatasetSpec, VideoSequence
from vosbench.errors import DatasetError
from vosbench.parsing import read_json

_SPLITS = {"burst-val": ("val", 993), "burst-test": ("test", 1421)}
_PLACES = ("BURST", "burst")
_LARGEST = 254


def specs() -> Iterator[DatasetSpec]:
    """The splits of BURST by name."""
    for name, (split, count) in _SPLITS.items():
        yield DatasetSpec(
            name=name,
            summary=f"BURST {split}: 482 categories, masks at 1 fps",
            count=count,
            load=partial(load, name),
            locate=partial(locate, name),
            protocol="objects",
            homepage="https://github.com/Ali2500/BURST-benchmark",
            licence="annotations MIT; videos under terms of their own",
            place="BURST",
            measures=("HOTA", "DetA", "AssA"),
        )


def locate(name: str, root: Path) -> Path | None:
    """The folder BURST at or under the data root `root`, if it holds the split's annotations."""
    split = _SPLITS[name][0]
    here = [root] if root.absolute().name in _PLACES else []
    for folder in (*here, *(root / place for place in _PLACES)):
        if _annotations(folder, split).is_file():
            return folder
    return None


def load(name: str, root: Path) -> Dataset:
    """The split `name` from the folder `root`. Sequences are called DATASET-SEQUENCE; the frames
    are those that are annotated, and an object starts in the first that shows it.

    Raises:
        DatasetError: the annotations are broken, or an image is missing.
    """
    split = _SPLITS[name][0]
    path = _annotations(root, split)
    try:
        entries = read_json(path)["sequences"]
        masks = _masks(path, entries)
        sequences = tuple(_sequence(e, root / "frames" / split, masks) for e in entries)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is no annotation file of BURST: {error!r}") from None
    return Dataset(name=name, root=root, sequences=sequences, protocol="objects")


def _annotations(root: Path, split: str) -> Path:
    return root / "annotations" / split / "all_classes.json"


def _name(entry: Mapping[str, Any]) -> str:
    name = f"{entry['dataset']}-{entry['seq_name']}"
    return name.replace("/", "-").replace("\\", "-").replace("..", "-")


def _objects(entry: Mapping[str, Any]) -> dict[str, int]:
    """Track id of the file -> object id, 1, 2, ... in their order."""
    tracks = sorted({track for frame in entry["segmentations"] for track in frame}, key=int)
    if len(tracks) > _LARGEST:
        raise ValueError(f"{_name(entry)} has {len(tracks)} objects; {_LARGEST} are the most")
    return {track: obj for obj, track in enumerate(tracks, 1)}


def _sequence(entry: Mapping[str, Any], frames: Path, masks: Path) -> VideoSequence:
    folder = frames / str(entry["dataset"]) / str(entry["seq_name"])
    paths = tuple(folder / Path(str(name)).name for name in entry["annotated_image_paths"])
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise DatasetError(f"{missing} is missing")
    ids = _objects(entry)
    starts: dict[int, int] = {}
    for index, frame in enumerate(entry["segmentations"]):
        for track in frame:
            starts.setdefault(ids[track], index)
    return VideoSequence(
        name=_name(entry),
        frames=paths,
        annotations={n: masks / _name(entry) / f"{path.stem}.png" for n, path in enumerate(paths)},
        objects=dict(sorted(starts.items())),
    )


def _masks(path: Path, entries: list[Mapping[str, Any]]) -> Path:
    """The folder of label maps, written now if that was not done since the file changed."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    home = cache_path() / "burst" / f"{path.parent.name}-{digest}"
    if home.is_dir():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        for entry in entries:
            _write_masks(entry, part / _name(entry))
        part.chmod(0o755)
        part.rename(home)
    except OSError:
        if not home.is_dir():  # another process was faster: its masks are the same
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return home


def _write_masks(entry: Mapping[str, Any], folder: Path) -> None:
    import numpy as np

    from vosbench.datasets.reading import write_labels
    from vosbench.datasets.rle import decode

    size = (int(entry["height"]), int(entry["width"]))
    ids = _objects(entry)
    names = entry["annotated_image_paths"]
    for name, frame in zip(names, entry["segmentations"], strict=True):
        labels = np.zeros(size, np.uint8)
        for track, code in frame.items():
            labels[decode({"size": size, "counts": code["rle"]}) != 0] = ids[track]
        write_labels(folder / f"{Path(str(name)).stem}.png", labels)
