"""From a name to a dataset: registered names, folders, parts."""

from __future__ import annotations

import difflib
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vosbench.datasets.listing import VIDEO_SUFFIXES
from vosbench.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from vosbench.datasets.base import Dataset, DatasetSpec
    from vosbench.plugins import Plugins

_log = logging.getLogger(__name__)


def open_readable(name: str, plugins: Plugins, roots: tuple[Path, ...]) -> Dataset:
    """`open_dataset`, but sequences that cannot be opened are in `Dataset.broken` as long as there
    are others: `select` then says whether they matter."""
    from vosbench.datasets.layout import broken_set_aside

    with broken_set_aside() as broken:
        dataset = open_dataset(name, plugins, roots)
    return replace(dataset, broken=broken)


def open_dataset(name: str, plugins: Plugins, roots: tuple[Path, ...]) -> Dataset:
    """The dataset called `name`, or the one in the folder `name`: a known dataset, recognised by
    its files, or a folder in DAVIS layout. What looks odd about a folder is logged.

    A registered name wins over a folder of the same name; `./name` is always the folder.

    Args:
        roots: data roots in the order searched, see `vosbench.config.data_roots`.

    Raises:
        DatasetError: there is no such dataset, it is not installed, or it is broken.
    """
    spec = plugins.datasets.get(name)
    if spec is not None:
        folder = find(spec, roots)
        if folder is None:
            raise not_installed(spec, roots)
        return spec.load(folder)
    if Path(name).is_dir():
        dataset = _open_folder(Path(name), plugins)
        for doubt in dataset.doubts:
            _log.warning("warning: %s: %s", dataset.name, doubt)
        return replace(dataset, source=str(Path(name).resolve()))
    if Path(name).suffix.lower() in VIDEO_SUFFIXES and Path(name).is_file():
        raise DatasetError(
            f"{name} is a video, not a dataset",
            "Make a folder with JPEGImages/SEQUENCE.mp4 and, in Annotations/SEQUENCE/, the mask "
            "of the first frame, 00000.png; give that folder.",
        )
    if Path(name).is_file():
        raise DatasetError(
            f"{name} is a file, not a folder", "Unpack an archive first, and give its folder."
        )
    if os.sep in name:
        raise DatasetError(f"dataset folder {name} does not exist")
    raise unknown(name, plugins)


def _open_folder(root: Path, plugins: Plugins) -> Dataset:
    """The dataset in a folder: one of those known by name, if its files say so, read by the same
    rules; else a folder in DAVIS layout. It goes by the folder's name."""
    from vosbench.datasets import folder as layout

    for spec in plugins.datasets.values():
        if spec.recognise is not None and spec.recognise(root):
            dataset = spec.load(root)
            annotated = layout.is_annotated(dataset.sequences)
            return replace(
                dataset,
                name=root.resolve().name,
                annotated=annotated,
                withheld=dataset.withheld and not annotated,
            )
    return layout.load(root)


def find(spec: DatasetSpec, roots: tuple[Path, ...]) -> Path | None:
    """The folder of `spec` under the first of `roots` that holds it, or None."""
    for root in roots:
        folder = spec.locate(root)
        if folder is not None:
            return folder
    return None


def select(
    dataset: Dataset,
    sequences: tuple[str, ...] = (),
    limit: int | None = None,
    skip: tuple[str, ...] = (),
) -> Dataset:
    """The part of `dataset` with the named sequences (all if none is named) but those of `skip`,
    then the first `limit` of them; in the dataset's own order. What is broken of it stays in
    `broken`, unless others are named.

    Raises:
        DatasetError: there is no sequence of that name, or it cannot be opened; nothing is left.
        UsageError: `limit` is below 1.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit must be at least 1, not {limit}")
    wanted = {dataset.sequence(name).name for name in sequences if name not in skip}
    for name in skip:
        if name not in dataset.broken:
            dataset.sequence(name)
    kept = tuple(
        s for s in dataset.sequences if (not sequences or s.name in wanted) and s.name not in skip
    )
    if skip and not kept:
        raise DatasetError(f"--skip leaves no sequence of {dataset.name}")
    asked = not sequences and limit is None
    broken = {n: problem for n, problem in dataset.broken.items() if asked and n not in skip}
    return replace(dataset, sequences=kept[:limit], whole=dataset.size, broken=broken)


def unknown(name: str, plugins: Plugins) -> DatasetError:
    """The error for a name that nobody registered, with near names."""
    near = difflib.get_close_matches(name, plugins.datasets, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    if plugins.broken:
        hint += f"{len(plugins.broken)} plugin(s) could not be loaded, see `vosbench plugins`. "
    return DatasetError(
        f"there is no dataset called {name!r} and no such folder",
        f"{hint}`vosbench datasets` lists all; a folder in DAVIS layout works too.",
    )


def not_installed(spec: DatasetSpec, roots: tuple[Path, ...]) -> DatasetError:
    """The error for a registered dataset that no data root holds: where it was looked for and
    how to get it."""
    places = ", ".join(map(str, roots)) or "no data root is set"
    if spec.archives:
        way = f"`vosbench datasets fetch {spec.name}` downloads it."
    else:
        way = f"Get it from {spec.homepage} and unpack it to <data root>/{spec.place}."
    return DatasetError(
        f"dataset {spec.name} is not installed (looked in: {places})",
        f"{way} Data roots are set by --data-root, VOSBENCH_DATA or the configuration file.",
    )
