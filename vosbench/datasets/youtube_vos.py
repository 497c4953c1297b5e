"""YouTube-VOS 2018 and 2019: objects may start in the middle of a video.

Unpacked archives hold `train/`, `valid/` (6 frames a second) and `valid_all_frames/` (30), each
with JPEGImages/, Annotations/ and meta.json. The masks of the validation sets are those given away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from vosbench.datasets.base import Archive, Dataset, DatasetSpec, VideoSequence
from vosbench.datasets.layout import (
    find_layouts,
    names_objects,
    path_below,
    read_meta,
    read_sequences,
)
from vosbench.datasets.listing import IMAGE_SUFFIXES, list_files, list_folders
from vosbench.errors import DatasetError

#: The 65 categories of the training set; all others of the validation sets are unseen.
SEEN = frozenset(
    """
airplane ape bear bike bird boat bucket bus camel cat cow crocodile deer dog dolphin duck eagle
earless_seal elephant fish fox frisbee frog giant_panda giraffe hand hat hedgehog horse knife
leopard lion lizard monkey motorbike mouse others owl paddle parachute parrot penguin person plant
rabbit raccoon sedan shark sheep sign skateboard snail snake snowboard squirrel surfboard
tennis_racket tiger toilet train truck turtle umbrella whale zebra
""".strip().split()
)

#: Dataset name -> (folder of the split, edition or "" for any, sequences).
_SPLITS = {
    "ytvos18-valid": ("valid", "2018", 474),
    "ytvos18-valid-all-frames": ("valid_all_frames", "2018", 474),
    "ytvos19-valid": ("valid", "2019", 507),
    "ytvos19-valid-all-frames": ("valid_all_frames", "2019", 507),
    "ytvos-train": ("train", "", 3471),
}
#: Dataset name -> its archive, as one public record has it.
_ARCHIVES = {
    "ytvos-train": Archive(
        url="train.tar",
        into="YouTube-VOS/2019",
        sha256="5a81246005cfc2245bcd1f7e8fff41868963dfc3873e92bb810ea5f35a7cf8c0",
        size=9_258_444_800,
        certain=False,
    ),
    "ytvos19-valid": Archive(
        url="valid.tar",
        into="YouTube-VOS/2019",
        sha256="3c847cd8f64ec6219db88671681303e84537e5478d53a88534592761ba74eb03",
        size=1_296_824_320,
        certain=False,
    ),
}
_FAMILY = re.compile(r"youtube|yt-?_?vos|ytb", re.IGNORECASE)
_ON_THE_WAY = re.compile(
    r"youtube|yt-?_?vos|ytb|^vos$|^2018$|^2019$|^all_frames$|^valid|^train", re.IGNORECASE
)
_EVERY = 5  # of the 30 frames a second, in the sets of 6


def specs() -> Iterator[DatasetSpec]:
    """The YouTube-VOS datasets by name."""
    for name, (folder, edition, count) in _SPLITS.items():
        rate = "30 fps, 6 fps scored" if folder.endswith("all_frames") else "6 fps"
        yield DatasetSpec(
            name=name,
            summary=f"YouTube-VOS {edition} {folder.partition('_')[0]}, {rate}".replace("  ", " "),
            count=count,
            load=partial(load, name),
            locate=partial(locate, name),
            recognise=partial(recognise, name),
            protocol="ytvos",
            measures=("J-seen", "F-seen", "J-unseen", "F-unseen"),
            homepage="https://youtube-vos.org/dataset/vos/",
            place=f"YouTube-VOS/{edition or 2019}/{folder}",
            by_hand=(_ARCHIVES[name],) if name in _ARCHIVES else (),
            licence="annotations CC BY 4.0; videos for non-commercial research",
        )


def load(name: str, root: Path) -> Dataset:
    """The split `name` from its folder `root` (the one that holds JPEGImages).

    An object starts in the first frame of its `frames` in meta.json, or else where a mask first
    shows it. `Sequence.meta` holds `categories` (object id -> category) and `unseen` (ids of
    categories that the training set lacks).

    Raises:
        DatasetError: sequences are missing, or metadata or a mask is broken.
    """
    sparse = _six_fps_folder(root)
    meta = read_meta(root / "meta.json") or read_meta(sparse / "meta.json")
    annotations = root / "Annotations"
    if not annotations.is_dir():
        annotations = sparse / "Annotations"
    sequences = read_sequences(
        sorted(meta) or list_folders(root / "JPEGImages"),
        root / "JPEGImages",
        annotations,
        given={video: _starts(entry) for video, entry in meta.items()},
        late=True,
    )
    sequences = tuple(_with_meta(s, meta.get(s.name, {})) for s in sequences)
    if name.endswith("-all-frames"):
        sequences = tuple(replace(s, output=_output(s, sparse)) for s in sequences)
    return Dataset(
        name=name,
        root=root,
        sequences=sequences,
        protocol="ytvos",
        annotated="valid" not in name,
        withheld="valid" in name,
    )


def recognise(name: str, root: Path) -> bool:
    """Whether the folder `root` is the split `name`, or, for "ytvos-train", anyone's videos in the
    same form: with a meta.json that names the objects of each video."""
    folder, edition, _ = _SPLITS[name]
    if not (root / "JPEGImages").is_dir():
        return False
    split = root.absolute().name
    known = split in {folder for folder, *_ in _SPLITS.values()}
    if split != folder if known else name != "ytvos-train":
        return False
    meta = next((f / "meta.json" for f in (root, _six_fps_folder(root)) if _has_meta(f)), None)
    if meta is None or edition not in _edition(root):
        return False
    return names_objects(meta)


def locate(name: str, root: Path) -> Path | None:
    """The folder of the split `name` at or under the data root `root`: named as in the archive,
    below a folder that is named after YouTube-VOS. Where no year is named, 2018 and 2019 are told
    apart by the number of videos."""
    folder, edition, _ = _SPLITS[name]
    for found in find_layouts(root, _ON_THE_WAY, depth=4):
        if (
            found.absolute().name == folder
            and _FAMILY.search(path_below(root, found))
            and edition in _edition(found)
        ):
            return found
    return None


def _has_meta(folder: Path) -> bool:
    return (folder / "meta.json").is_file()


def _edition(found: Path) -> str:
    years = re.findall(r"2018|2019", "/".join(found.absolute().parts[-4:]))
    if years:
        return str(years[-1])
    return "2018" if len(list_folders(found / "JPEGImages")) == 474 else "2019"


def _starts(entry: dict[str, Any]) -> dict[int, str]:
    try:
        return {int(obj): str(info["frames"][0]) for obj, info in entry["objects"].items()}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return {}  # some editions name categories alone: then the masks say it


def _with_meta(sequence: VideoSequence, entry: dict[str, Any]) -> VideoSequence:
    objects = entry.get("objects", {})
    categories = {
        int(obj): str(info["category"]).replace(" ", "_")
        for obj, info in objects.items()
        if "category" in info
    }
    unseen = [obj for obj, category in sorted(categories.items()) if category not in SEEN]
    return replace(sequence, meta={"categories": categories, "unseen": unseen})


def _six_fps_folder(root: Path) -> Path:
    split = root.name.removesuffix("_all_frames")
    beside = (root.parent / split, root.parent.parent / split)
    return next((path for path in beside if (path / "JPEGImages").is_dir()), root)


def _output(sequence: VideoSequence, sparse: Path) -> tuple[int, ...]:
    folder = sparse / "JPEGImages" / sequence.name
    if sparse.name != "valid_all_frames" and folder.is_dir():
        names = {path.stem for path in list_files(folder, IMAGE_SUFFIXES)}
        return tuple(i for i, path in enumerate(sequence.frames) if path.stem in names)
    try:
        return tuple(i for i, p in enumerate(sequence.frames) if int(p.stem) % _EVERY == 0)
    except ValueError:
        raise DatasetError(f"frames of {sequence.frames[0].parent} are not numbered") from None
