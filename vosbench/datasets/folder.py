"""Any folder in DAVIS layout as a dataset: `--dataset path/to/folder`.

folder/JPEGImages/[480p/]SEQUENCE/00000.jpg ...
folder/Annotations/[480p/]SEQUENCE/00000.png ...
folder/ImageSets/**/*.txt      # optional: with exactly one list, its sequences in its order
"""

from __future__ import annotations

from pathlib import Path

from vosbench.datasets.base import Dataset
from vosbench.datasets.layout import list_folders, read_list, read_sequences, resolution_folder
from vosbench.errors import DatasetError


def load(root: Path, name: str = "") -> Dataset:
    """The dataset in the folder `root`, named after it unless `name` is given.

    Objects are all ids that occur in the masks; each starts where it first occurs. Where the
    first mask of every sequence knows only 0 and 255 the protocol is that of DAVIS-2016, else
    that of DAVIS-2017.

    Raises:
        DatasetError: `root` is not in DAVIS layout, or a file is broken.
    """
    images = resolution_folder(root / "JPEGImages")
    if images is None:
        raise DatasetError(
            f"{root} is not in DAVIS layout: it has no JPEGImages/SEQUENCE/ or "
            "JPEGImages/480p/SEQUENCE/",
            "Frames belong there, masks into Annotations/ in the same way.",
        )
    annotations = root / "Annotations" / images.relative_to(root / "JPEGImages")
    if not annotations.is_dir():
        annotations = resolution_folder(root / "Annotations") or annotations
    lists = sorted((root / "ImageSets").rglob("*.txt"))
    names = read_list(lists[0]) if len(lists) == 1 else list_folders(images)
    sequences = read_sequences(names, images, annotations, binary=None, late=True)
    return Dataset(
        name=name or root.resolve().name,
        root=root,
        sequences=sequences,
        protocol="davis2016" if all(s.binary for s in sequences) else "davis2017",
        annotated=any(set(s.annotations) - set(s.objects.values()) for s in sequences),
    )
