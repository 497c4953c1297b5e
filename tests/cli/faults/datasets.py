"""Datasets that are damaged, incomplete or cannot be fetched."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .fault import FRAME, MASK, Fault, cut, picture

DATASET = """
from pathlib import Path
from vosbench import DatasetSpec, hookimpl
from vosbench.datasets.base import Archive

@hookimpl
def vosbench_register_datasets(register):
    register(DatasetSpec(
        name="far", summary="", load=lambda folder: None, locate=lambda root: None,
        protocol="davis2017", archives=(Archive(url="{url}", into="far"),),
    ))
"""
SERVED = "http://127.0.0.1:{port}/far.zip"


def hostile_archive() -> None:
    with zipfile.ZipFile("far.zip", "w") as archive:
        archive.writestr("../../outside.txt", "gotcha")


def far(url: str) -> Callable[[], int]:
    return lambda: Path("far.py").write_text(DATASET.format(url=url))


FAULTS = (
    Fault(
        "an empty folder as a dataset",
        "run --tracker copy-first --dataset empty",
        3,
        "error: empty is not in DAVIS layout: it has no JPEGImages/SEQUENCE/ or "
        "JPEGImages/480p/SEQUENCE/",
        "Frames (or SEQUENCE.mp4) belong there, masks into Annotations/ in the same way.",
        lambda: Path("empty").mkdir(),
    ),
    Fault(
        "a sequence without frames",
        "run --tracker copy-first --dataset data",
        3,
        "none: data/JPEGImages/480p/none holds no frames",
        "`vosbench datasets verify` lists all that is wrong.",
        lambda: [Path(f"data/{k}/480p/none").mkdir() for k in ("JPEGImages", "Annotations")],
    ),
    Fault(
        "an image that is cut off",
        "run --tracker flow --dataset data --sequence discs",
        5,
        "discs: data/JPEGImages/480p/discs/00002.jpg is cut off: the end of its JPEG data is "
        "missing",
        prepare=cut(FRAME, 700),
    ),
    Fault(
        "a mask that is cut off",
        "run --tracker copy-first --dataset data",
        3,
        "discs: data/Annotations/480p/discs/00000.png cannot be decoded as a PNG: "
        "Truncated File Read",
        "`vosbench datasets verify` lists all that is wrong.",
        cut(MASK, 60),
    ),
    Fault(
        "a mask of another size than its frame",
        "datasets verify data",
        3,
        "data/Annotations/480p/discs/00000.png is 10x10, but its frame is 64x48",
        prepare=picture(MASK, np.ones((10, 10), np.uint8)),
    ),
    Fault(
        "an archive that writes outside its folder",
        "datasets fetch far --plugin far.py --data-root there",
        3,
        "../../outside.txt",
        prepare=lambda: (hostile_archive(), far(SERVED)()),
    ),
    Fault(
        "an archive that is not on the server",
        "datasets fetch far --plugin far.py --data-root there",
        3,
        "404",
        prepare=far(SERVED),
    ),
    Fault(
        "a dataset whose terms need a form",
        "datasets fetch mose-valid --data-root there",
        3,
        "error: mose-valid cannot be fetched: its terms must be accepted in person",
        "Get it from https://henghuiding.github.io/MOSE/ and unpack it to there/MOSE/valid.",
    ),
)
