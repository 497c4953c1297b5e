"""DAVIS-2016 and DAVIS-2017, wherever under a data root they were unpacked.

The sequence lists are part of the benchmark (ImageSets of the official archives) and kept here,
so that a part is never taken for the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from vosbench.datasets.base import Archive, Dataset, DatasetSpec
from vosbench.datasets.layout import find_layouts, read_sequences, resolution_folder
from vosbench.datasets.listing import list_folders

_TRAIN_16 = """
bear bmx-bumps boat breakdance-flare bus car-turn dance-jump dog-agility drift-turn elephant
flamingo hike hockey horsejump-low kite-walk lucia mallard-fly mallard-water motocross-bumps
motorbike paragliding rhino rollerblade scooter-gray soccerball stroller surf swing tennis train
"""
_VAL_16 = """
blackswan bmx-trees breakdance camel car-roundabout car-shadow cows dance-twirl dog drift-chicane
drift-straight goat horsejump-high kite-surf libby motocross-jump paragliding-launch parkour
scooter-black soapbox
"""
_NEW_IN_TRAIN_17 = """
boxing-fisheye cat-girl classic-car color-run crossing dancing disc-jockey dog-gooses dogs-scale
drone kid-football koala lady-running lindy-hop longboard miami-surf night-race planes-water rallye
schoolgirls scooter-board sheep skate-park snowboard stunt tractor-sand tuk-tuk upside-down
varanus-cage walking
"""
_NEW_IN_VAL_17 = """
bike-packing dogs-jump gold-fish india judo lab-coat loading mbike-trick pigs shooting
"""
_TEST_DEV_17 = """
aerobatics car-race carousel cats-car chamaleon deer giant-slalom girl-dog golf guitar-violin gym
helicopter horsejump-stick hoverboard lock man-bike monkeys-trees mtb-race orchid people-sunset
planes-crossing rollercoaster salsa seasnake skate-jump slackline subway tandem tennis-vest tractor
"""
_DEV_16 = "breakdance-flare car-turn dog-agility horsejump-low motorbike tennis"

_FIT_16 = " ".join(name for name in _TRAIN_16.split() if name not in _DEV_16.split())

#: Dataset name -> sequences in the official order.
SPLITS: dict[str, tuple[str, ...]] = {
    name: tuple(sorted(text.split()))
    for name, text in {
        "davis16-train": _TRAIN_16,
        "davis16-val": _VAL_16,
        "davis16-fit": _FIT_16,
        "davis16-dev": _DEV_16,
        "davis17-train": _TRAIN_16 + _NEW_IN_TRAIN_17,
        "davis17-val": _VAL_16 + _NEW_IN_VAL_17,
        "davis17-test-dev": _TEST_DEV_17,
    }.items()
}

_ETH = "https://data.vision.ee.ethz.ch/csergi/share/davis"
_ARCHIVES = {
    "davis16": Archive(
        url="https://graphics.ethz.ch/Downloads/Data/Davis/DAVIS-data.zip",
        strip="DAVIS",
        into="DAVIS-2016",
    ),
    "davis17": Archive(
        url=f"{_ETH}/DAVIS-2017-trainval-480p.zip",
        strip="DAVIS",
        into="DAVIS-2017-trainval",
        # The publisher prints no digest; more than six public records of 2026 agree on this one.
        sha256="e3d0b5b77c3d031b000a19e0e25e3e2cac65d183755601bc2cf066df1a2aa492",
        size=832_766_765,
    ),
    "davis17-test-dev": Archive(
        url=f"{_ETH}/DAVIS-2017-test-dev-480p.zip", strip="DAVIS", into="DAVIS-2017-test-dev"
    ),
}

#: Names of folders between a data root and a DAVIS folder, e.g. root/DAVIS/2017/trainval.
_ON_THE_WAY = re.compile(r"davis|^2016$|^2017$|^trainval|^test-?dev", re.IGNORECASE)


def specs() -> Iterator[DatasetSpec]:
    """The DAVIS datasets by name."""
    notes = {
        "davis16-fit": "DAVIS-2016 train without davis16-dev, to train while developing",
        "davis16-dev": "6 sequences of DAVIS-2016 train, to measure while developing",
    }
    for name, names in SPLITS.items():
        edition, _, split = name.partition("-")
        year = f"20{edition[-2:]}"
        yield DatasetSpec(
            name=name,
            summary=notes.get(name, f"DAVIS-{year} {split}, 480p"),
            count=len(names),
            load=partial(load, name),
            locate=partial(locate, name),
            protocol=f"davis{year}",
            measures=("J", "F", "T") if year == "2016" else ("J", "F"),
            homepage=f"https://davischallenge.org/davis{year}/code.html",
            licence="CC BY-NC 4.0",
            archives=(_ARCHIVES.get(name) or _ARCHIVES[edition],),
        )


def load(name: str, root: Path) -> Dataset:
    """The split `name` from the DAVIS folder `root` (the one that holds JPEGImages).

    Object ids of DAVIS-2017 are 1..max of the first mask. In DAVIS-2016 everything non-zero is
    object 1; it starts in the first frame whose mask is not empty.

    Raises:
        DatasetError: sequences are missing, or a first mask is broken.
    """
    year = "2016" if name.startswith("davis16") else "2017"
    sequences = read_sequences(
        SPLITS[name],
        _folder(root, "JPEGImages"),
        _folder(root, "Annotations"),
        binary=year == "2016",
    )
    return Dataset(
        name=name,
        root=root,
        sequences=sequences,
        protocol=f"davis{year}",
        annotated=name != "davis17-test-dev",
        withheld=name == "davis17-test-dev",
    )


def locate(name: str, root: Path) -> Path | None:
    """The DAVIS folder at or under the data root `root` that holds the sequences of `name`, or at
    least nine in ten of them: `load` then names those that are missing.

    DAVIS-2017 holds the videos of DAVIS-2016 with masks of its own, so a folder of DAVIS-2016 is
    preferred for the latter.
    """
    wanted = frozenset(SPLITS[name])
    ranked: list[tuple[int, bool, Path]] = []
    for folder in find_layouts(root, _ON_THE_WAY):
        missing = len(wanted.difference(list_folders(_folder(folder, "JPEGImages"))))
        other_masks = name.startswith("davis16") and (folder / "ImageSets" / "2017").is_dir()
        if missing * 10 <= len(wanted):
            ranked.append((missing, other_masks, folder))
    return min(ranked)[2] if ranked else None


def _folder(root: Path, kind: str) -> Path:
    return resolution_folder(root / kind) or root / kind
