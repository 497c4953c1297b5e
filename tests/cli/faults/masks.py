"""Masks of elsewhere that are missing, unreadable or do not fit their dataset."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .fault import GREY, RUN, Fault, cut, picture

M = Path("masks")


def masks(*changes: Callable[[], object]) -> Callable[[], None]:
    def prepare() -> None:
        shutil.copytree(RUN / "masks", "masks")
        for change in changes:
            change()

    return prepare


FAULTS = (
    Fault(
        "a folder of masks that is not there",
        "evaluate --masks nothing --dataset data",
        6,
        "error: the folder of masks nothing does not exist",
    ),
    Fault(
        "a sequence and a frame without masks",
        "evaluate --masks masks --dataset data",
        6,
        "discs: 1 frame (00002) missing, in masks/discs",
        "more: there is no folder masks/more (2 frames expected)",
        masks(lambda: (M / "discs/00002.png").unlink(), lambda: shutil.rmtree(M / "more")),
    ),
    Fault(
        "a mask that cannot be decoded, and one of another size",
        "evaluate --masks masks --dataset data",
        6,
        "discs: 1 frame (00001) unreadable: masks/discs/00001.png cannot be decoded as a PNG: "
        "Truncated File Read",
        "discs: 1 frame (00002) of size 10x10 instead of 64x48, in masks/discs",
        masks(cut(M / "discs/00001.png", 60), picture(M / "discs/00002.png", GREY[:10, :10])),
    ),
    Fault(
        "a mask in colours, and one with an object id that nobody gave",
        "evaluate --masks masks --dataset data",
        6,
        "more: 1 frame (00001) unreadable: masks/more/00001.png holds colours (mode RGB), not "
        "object ids",
        "more: 1 frame (00002) with object id 77, where ids end at 1",
        masks(
            picture(M / "more/00001.png", np.dstack([GREY, GREY, GREY + 9])),
            picture(M / "more/00002.png", GREY + 77),
        ),
    ),
    Fault(
        "a submission with a mask missing",
        "pack --masks masks --dataset data --output submission.zip",
        6,
        "error: masks is not a valid submission for data: 1 problem",
        "Nothing was written.",
        masks(lambda: (M / "discs/00002.png").unlink()),
    ),
    Fault(
        "masks without a dataset",
        "evaluate --masks masks",
        2,
        "error: --masks and --tracker need --dataset",
        "`vosbench datasets` lists all.",
    ),
)
