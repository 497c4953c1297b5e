"""Benchmarks in a layout like that of DAVIS: SA-V, VOST, PUMaVOS, VISOR; and parts of training sets
to measure on where the validation masks are not public.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vosbench.datasets.base import Dataset, DatasetSpec
from vosbench.datasets.layout import read_sequences
from vosbench.datasets.listing import list_folders, read_list


@dataclass(frozen=True, slots=True, kw_only=True)
class _Benchmark:
    """Where a benchmark lies, and how it is scored.

    Attributes:
        summary, protocol, homepage, licence, count, measures: as in `DatasetSpec`.
        places: folders below a data root that hold it, the usual one first.
        images, masks: folders in these.
        listed: files in these that name the sequences, the first that is there; else all count.
    """

    summary: str
    protocol: str
    homepage: str
    count: int
    measures: tuple[str, ...]
    places: tuple[str, ...]
    licence: str = ""
    images: str = "JPEGImages"
    masks: str = "Annotations"
    listed: tuple[str, ...] = ()


def _sav(split: str, count: int) -> _Benchmark:
    return _Benchmark(
        summary=f"SA-V {split}: objects may overlap; 24 fps, 6 fps annotated",
        protocol="sav",
        homepage="https://ai.meta.com/datasets/segment-anything-video/",
        licence="CC BY 4.0",
        count=count,
        measures=("J", "F"),
        places=tuple(f"{parent}sav_{split}" for parent in ("SA-V/", "", "sa-v/", "sav/")),
        images="JPEGImages_24fps",
        masks="Annotations_6fps",
        listed=(f"sav_{split}.txt",),
    )


def _vost(split: str, count: int) -> _Benchmark:
    return _Benchmark(
        summary=f"VOST {split}: objects that are cut, peeled, broken",
        protocol="vost",
        homepage="https://www.vostdataset.org",
        licence="CC BY-NC-SA 4.0",
        count=count,
        measures=("J", "J_last"),
        places=("VOST", "vost"),
        listed=(f"ImageSets/{split}.txt",),
    )


_BENCHMARKS = {
    "sav-val": _sav("val", 155),
    "sav-test": _sav("test", 150),
    "vost-train": _vost("train", 572),
    "vost-val": _vost("val", 70),
    "vost-test": _vost("test", 71),
    "pumavos": _Benchmark(
        summary="PUMaVOS: parts of objects, hair, reflections, as editors mask them",
        protocol="objects",
        homepage="https://github.com/mbzuai-metaverse/XMem2",
        licence="CC BY 4.0",
        count=24,
        measures=("J", "F"),
        places=("PUMaVOS", "pumavos"),
    ),
    "visor-val": _Benchmark(
        summary="VISOR val: hands and what they hold, first person; made by VISOR-VOS",
        # Its program is that of DAVIS-2017, but counts the last frame too.
        protocol="objects",
        homepage="https://github.com/epic-kitchens/VISOR-VOS",
        licence="CC BY-NC 4.0",
        count=0,
        measures=("J", "F"),
        places=("VISOR_2022", "VISOR/VISOR_2022", "VISOR"),
        listed=("ImageSets/2022/val.txt", "ImageSets/val.txt"),
    ),
}

#: Part of a training set -> (the set, one sequence in how many).
_HOLDOUTS = {"mose-holdout": ("mose-train", 15), "ytvos-holdout": ("ytvos-train", 35)}


def specs() -> Iterator[DatasetSpec]:
    """The benchmarks by name."""
    for name, benchmark in _BENCHMARKS.items():
        yield DatasetSpec(
            name=name,
            summary=benchmark.summary,
            count=benchmark.count,
            load=partial(load, name),
            locate=partial(locate, name),
            protocol=benchmark.protocol,
            homepage=benchmark.homepage,
            licence=benchmark.licence,
            place=benchmark.places[0],
            measures=benchmark.measures,
        )


def load(name: str, root: Path) -> Dataset:
    """The benchmark `name` from its folder `root`.

    Raises:
        DatasetError: sequences are missing, or a mask is broken.
    """
    benchmark = _BENCHMARKS[name]
    images, masks = (_below(root / folder) for folder in (benchmark.images, benchmark.masks))
    lists = [root / file for file in benchmark.listed if (root / file).is_file()]
    names = read_list(lists[0]) if lists else list_folders(images)
    return Dataset(
        name=name,
        root=root,
        sequences=read_sequences(names, images, masks, late=True),
        protocol=benchmark.protocol,
    )


def _below(folder: Path) -> Path:
    """The folder that holds the sequences: VISOR's are in one named after a resolution."""
    return folder / "480p" if (folder / "480p").is_dir() else folder


def locate(name: str, root: Path) -> Path | None:
    """The folder of the benchmark `name` below the data root `root`, or `root` itself if it is
    called like it."""
    benchmark = _BENCHMARKS[name]
    last = {place.rpartition("/")[2] for place in benchmark.places}
    here = [root] if root.absolute().name in last else []
    for folder in (*here, *(root / place for place in benchmark.places)):
        if (folder / benchmark.images).is_dir() and (folder / benchmark.masks).is_dir():
            return folder
    return None


def holdouts(known: Iterator[DatasetSpec]) -> Iterator[DatasetSpec]:
    """Fixed parts of training sets, to be left out of training and measured on. Which sequences
    they hold follows from their names alone, see `held_out`."""
    sets = {spec.name: spec for spec in known}
    for name, (whole, share) in _HOLDOUTS.items():
        spec = sets[whole]
        yield replace(
            spec,
            name=name,
            summary=f"one sequence in {share} of {whole}, to measure on while training on the rest",
            load=partial(_load_holdout, name, spec),
            recognise=None,
            count=0,
        )


def held_out(sequence: str, share: int) -> bool:
    """Whether a sequence is of the one in `share` that are held out: by the SHA-256 of its name, so
    that the choice is the same everywhere, and no list can go missing."""
    digest = hashlib.sha256(sequence.encode()).digest()
    return int.from_bytes(digest[:8], "big") % share == 0


def _load_holdout(name: str, whole: DatasetSpec, root: Path) -> Dataset:
    dataset = whole.load(root)
    share = _HOLDOUTS[name][1]
    sequences = tuple(s for s in dataset.sequences if held_out(s.name, share))
    return replace(dataset, name=name, sequences=sequences, annotated=True, withheld=False)
