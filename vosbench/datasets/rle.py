"""Masks as run-length codes of COCO, in JSON files.

Read are the files of YouTube-VIS, annotations and results alike, and results of COCO for single
images; what `vosbench pack --layout coco` writes is of the first kind:

    {"videos": [{"id": 1, "name": "bear", "file_names": ["bear/00000.jpg", ...]}],
     "annotations": [{"video_id": 1, "object_id": 1, "segmentations": [{"size", "counts"}, null]}]}
    [{"video_id": "bear", "object_id": 1, "segmentations": [...]}]
    [{"image_id": "bear/00000", "object_id": 1, "segmentation": {...}}]

The object is `object_id`, or else `track_id`, or else counted in the order of the entries of a
video.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vosbench.datasets.derived import derived
from vosbench.datasets.encoding import encode_labels
from vosbench.datasets.listing import in_order
from vosbench.datasets.masks import Layers
from vosbench.datasets.matching import match_names
from vosbench.errors import DatasetError
from vosbench.parsing import read_json

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence
    from vosbench.types import LabelMap

#: Frame name, or its place where the file has no names -> object id -> code.
_Video = dict[str | int, dict[int, Any]]


def encode(mask: LabelMap) -> dict[str, Any]:
    """The code of a mask (H, W), everything non-zero: {"size": [H, W], "counts": text}."""
    from pycocotools import mask as coco

    code = coco.encode(np.asfortranarray(mask != 0, np.uint8))
    return {"size": [int(n) for n in code["size"]], "counts": code["counts"].decode("ascii")}


def decode(code: Any) -> LabelMap:
    """The mask (H, W) uint8, 0 and 1, of a code, compressed or a list of run lengths.

    Raises:
        ValueError: it is no code, or its runs are not as many pixels as its size says.
    """
    from pycocotools import mask as coco

    try:
        height, width = (int(n) for n in code["size"])
        counts = code["counts"]
        runs = _runs(counts) if isinstance(counts, str) else [int(n) for n in counts]
    except (KeyError, TypeError, ValueError, IndexError):
        raise ValueError("it is no run-length code with size and counts") from None
    if height <= 0 or width <= 0 or min(runs, default=-1) < 0 or sum(runs) != height * width:
        raise ValueError(f"its runs do not fill {width}x{height} pixels")
    whole = coco.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    mask: LabelMap = coco.decode(whole)
    return mask


def _runs(text: str) -> list[int]:
    """Run lengths of a compressed code, checked before a C library is trusted with them."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError(f"{character!r} is no part of a code")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("it is cut off")
    return runs


@dataclass(frozen=True, slots=True)
class RleMasks:
    """Masks of one sequence from a JSON file.

    Attributes:
        path: the file.
        codes: frame index -> object id -> code.
        names: empty: an object that the file does not mention in a frame is not there.
        strays: names in the file that no frame has.
    """

    path: Path
    codes: Mapping[int, Mapping[int, Any]]
    names: Mapping[int, str] = field(default_factory=dict)
    strays: tuple[str, ...] = ()

    @property
    def indices(self) -> tuple[int, ...]:
        """Indices of the frames that the file mentions, in order."""
        return tuple(sorted(self.codes))

    def read(self, index: int) -> Layers | None:
        """The masks of a frame; None where the file does not mention it."""
        codes = self.codes.get(index)
        if not codes:
            return None
        try:
            masks = {obj: decode(code) for obj, code in codes.items() if code is not None}
        except ValueError as error:
            raise DatasetError(f"{self.path}: a mask of frame {index}: {error}") from None
        shapes = {mask.shape for mask in masks.values()}
        if len(shapes) > 1:
            raise DatasetError(f"{self.path}: masks of frame {index} differ in size")
        if not shapes:
            return Layers((0, 0), {})
        height, width = shapes.pop()
        return Layers((height, width), masks)


def open_rle(path: Path, video: VideoSequence) -> RleMasks | None:
    """The masks of `video` in the file `path`; None where it holds none.

    Raises:
        DatasetError: the file is of no known kind, or its frames or objects do not fit.
    """
    found = _read(path, path.stat().st_mtime_ns).get(video.name)
    if found is None:
        return None
    names = [frame.stem for frame in video.frames]
    pairs: Mapping[int, str | int]
    if all(isinstance(key, str) for key in found):
        by_name = {str(key): key for key in found}
        pairs = {i: by_name[n] for i, n in match_names(names, by_name, path).items()}
    elif len(found) == len(names):
        pairs = {i: i for i in range(len(names))}
    else:
        raise DatasetError(
            f"{path} has {len(found)} masks an object for the {len(names)} frames of {video.name}",
            "Give the names of its frames in file_names, or one entry (or null) a frame.",
        )
    codes = {index: found[key] for index, key in pairs.items()}
    strays = tuple(in_order(map(str, found.keys() - set(pairs.values()))))
    objects = {obj for of_frame in codes.values() for obj in of_frame}
    if strange := sorted(objects - video.objects.keys()):
        raise DatasetError(
            f"{path}: {video.name} has unknown objects {strange}",
            f"Its objects are {sorted(video.objects)}; give object_id.",
        )
    return RleMasks(path, codes, strays=strays)


def extract_masks(path: Path) -> Path:
    """The folder SEQUENCE/OBJECT/FRAME.png of all masks in the file `path`, decoded now if that was
    not done since the file changed. A frame in which an object is not there has an empty mask.

    Raises:
        DatasetError: the file is of no known kind or does not name its frames, a code is broken, or
            the cache cannot be written.
    """
    return derived(path, "masks", _write_masks)


def _write_masks(path: Path, folder: Path) -> None:
    for name, video in _read(path, path.stat().st_mtime_ns).items():
        if Path(name).name != name or name in (".", ".."):
            raise DatasetError(f"{path}: {name!r} is no name of a video")
        if not all(isinstance(frame, str) for frame in video):
            raise DatasetError(
                f"{path} does not name the frames of {name!r}",
                "Annotations need file_names, SEQUENCE/FRAME.jpg, for each video.",
            )
        codes = [(o, str(f), code) for f, objects in video.items() for o, code in objects.items()]
        empty: LabelMap | None = None
        for obj, frame, code in sorted(codes, key=lambda entry: entry[2] is None):
            try:
                mask = empty if code is None else decode(code)
            except ValueError as error:
                raise DatasetError(f"{path}: {name}, frame {frame}: {error}") from None
            if mask is None:
                raise DatasetError(f"{path}: {name} has no mask at all")
            empty = np.zeros_like(mask)
            target = folder / name / f"{obj:03d}" / f"{Path(frame).name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(encode_labels(mask))


@functools.lru_cache(maxsize=2)
def _read(path: Path, _changed: int) -> dict[str, _Video]:
    """Sequence -> its masks; read once for all sequences."""
    try:
        document = read_json(path)
        entries, videos = document, []
        if isinstance(document, dict):
            entries, videos = document["annotations"], document.get("videos", [])
        names = {video["id"]: _name(video) for video in videos}
        frames = {
            video["id"]: [Path(name).stem for name in video.get("file_names", ())]
            for video in videos
        }
        found: dict[str, _Video] = {}
        counted: dict[str, int] = {}
        for entry in entries:
            if "image_id" in entry:
                name, _, frame = str(entry["image_id"]).rpartition("/")
                obj = int(entry.get("object_id", entry.get("track_id", 1)))
                _add(found.setdefault(name, {}), Path(frame).stem, obj, entry["segmentation"])
                continue
            key = entry["video_id"]
            name = names.get(key, str(key))
            counted[name] = counted.get(name, 0) + 1
            obj = int(entry.get("object_id", entry.get("track_id", counted[name])))
            listed: Sequence[str | int] = frames.get(key) or range(len(entry["segmentations"]))
            for frame_key, code in zip(listed, entry["segmentations"], strict=True):
                _add(found.setdefault(name, {}), frame_key, obj, code)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{path} holds no masks as COCO's run-length codes: {error!r}",
            "docs/formats.md shows the files that are read.",
        ) from None
    return found


def _add(video: _Video, frame: str | int, obj: int, code: Any) -> None:
    codes = video.setdefault(frame, {})
    if code is not None and codes.get(obj) is not None:
        raise ValueError(
            f"two masks of object {obj} in frame {frame}; object_id tells objects apart"
        )
    if code is not None or obj not in codes:
        codes[obj] = code


def _name(video: Mapping[str, Any]) -> str:
    """A video's name, or else the folder of its frames."""
    if "name" in video:
        return str(video["name"])
    files = video.get("file_names") or [f"{video['id']}/"]
    return str(files[0]).rpartition("/")[0].rpartition("/")[2]
