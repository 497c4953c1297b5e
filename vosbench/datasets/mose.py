"""MOSE (ICCV 2023) and MOSEv2: crowded scenes; `train/` and `valid/` as in YouTube-VOS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from vosbench.datasets.base import Archive, Dataset, DatasetSpec
from vosbench.datasets.layout import find_layouts, path_below, read_sequences
from vosbench.datasets.listing import list_folders

#: Dataset name -> (folder of the split, is it MOSEv2, sequences or 0).
_SPLITS = {
    "mose-train": ("train", False, 1507),
    "mose-valid": ("valid", False, 311),
    "mosev2-train": ("train", True, 3666),
    "mosev2-valid": ("valid", True, 433),
}
#: The publisher printed their SHA-256 (MOSE-api@0237f59, README.md); another release of the
#: training archive had another one.
_ARCHIVES = {
    "mose-train": Archive(
        url="train.tar.gz",
        into="MOSE",
        sha256="3f805e66ecb576fdd37a1ab2b06b08a428edd71994920443f70d09537918270b",
        certain=False,
    ),
    "mose-valid": Archive(
        url="valid.tar.gz",
        into="MOSE",
        sha256="884baecf7d7e85cd35486e45d6c474dc34352a227ac75c49f6d5e4afb61b331c",
    ),
}
_MEASURES = ("J&F_new", "J", "F_new", "disappear_J&F_new", "reappear_J&F_new")
_FAMILY = re.compile(r"mose", re.IGNORECASE)
_SECOND = re.compile(r"mose[-_ ]?v2", re.IGNORECASE)
_ON_THE_WAY = re.compile(r"mose|^train$|^valid$", re.IGNORECASE)


def specs() -> Iterator[DatasetSpec]:
    """The MOSE datasets by name."""
    for name, (folder, second, count) in _SPLITS.items():
        yield DatasetSpec(
            name=name,
            summary=f"MOSE{'v2' if second else ''} {folder}: crowded and occluded objects",
            count=count,
            load=partial(load, name),
            locate=partial(locate, name),
            recognise=partial(recognise, name),
            protocol="mosev2" if second else "davis2017",
            measures=_MEASURES if second else ("J", "F"),
            homepage="https://mose.video" if second else "https://henghuiding.github.io/MOSE/",
            place=f"MOSE{'v2' if second else ''}/{folder}",
            by_hand=(_ARCHIVES[name],) if name in _ARCHIVES else (),
            licence="CC BY-NC-SA 4.0, non-commercial research",
        )


def load(name: str, root: Path) -> Dataset:
    """The split `name` from its folder `root` (the one that holds JPEGImages). The validation
    sets give away masks only; objects of MOSEv2 may start late.

    Raises:
        DatasetError: sequences are missing, or a mask is broken.
    """
    _, second, _ = _SPLITS[name]
    images = root / "JPEGImages"
    sequences = read_sequences(
        list_folders(images), images, root / "Annotations", late=second or name.endswith("valid")
    )
    return Dataset(
        name=name,
        root=root,
        sequences=sequences,
        protocol="mosev2" if second else "davis2017",
        annotated=name.endswith("train"),
        withheld=name.endswith("valid"),
    )


def recognise(name: str, root: Path) -> bool:
    """Whether the folder `root` is the split `name`: called like it, below a folder named after
    MOSE."""
    folder, second, _ = _SPLITS[name]
    path = root.absolute()
    above = "/".join(path.parts[-3:-1])
    return (
        path.name == folder
        and (root / "JPEGImages").is_dir()
        and bool(_FAMILY.search(above))
        and bool(_SECOND.search(above)) == second
    )


def locate(name: str, root: Path) -> Path | None:
    """The folder of the split `name` at or under `root`, below a folder named after MOSE."""
    folder, second, _ = _SPLITS[name]
    for found in find_layouts(root, _ON_THE_WAY):
        path = path_below(root, found)
        if (
            found.absolute().name == folder
            and _FAMILY.search(path)
            and bool(_SECOND.search(path)) == second
        ):
            return found
    return None
