"""Dataset, VideoSequence: what every dataset looks like to the rest of the harness.

A dataset is a list of sequences of files. Sequences are small and picklable; images and
annotations are read when asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosbench.errors import DatasetError

if TYPE_CHECKING:
    from vosbench.datasets.filedigests import KeptDigests
    from vosbench.types import Frame, LabelMap, Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSequence:
    """One video and its annotations.

    Attributes:
        name: as in the dataset's list.
        frames: image files in order.
        annotations: frame index -> annotation file; frames without one are missing here. Test
            sets hold only the masks that the protocol gives away.
        objects: object id -> index of the frame in which its mask is given to the tracker.
        binary: annotations are 0 / non-zero (DAVIS-2016): everything non-zero is object 1.
        output: indices of the frames whose masks belong in a submission; all if empty.
        layers: frame index -> object id -> file, where every object has masks of its own, which
            may overlap (SA-V); `annotations` then names one of them. Empty for label maps.
        meta: facts of the official metadata that protocols need, e.g. `unseen` object ids
            (YouTube-VOS, LVOS), `object_names` (SA-V: object id -> name of its folder).
    """

    name: str
    frames: tuple[Path, ...]
    annotations: Mapping[int, Path]
    objects: Mapping[int, int]
    binary: bool = False
    output: tuple[int, ...] = ()
    layers: Mapping[int, Mapping[int, Path]] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def altered(self) -> bool:
        """Whether trackers see frames that differ from the files (see `Perturbation`)."""
        return False

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame in pixels, read from the file's header."""
        from vosbench.datasets.reading import image_size

        return image_size(self.frames[0])

    def frame(self, index: int) -> Frame:
        """Decode frame `index`. Raises DatasetError naming the file if it is broken."""
        from vosbench.datasets.reading import read_image
        from vosbench.types import Frame

        path = self.frames[index]
        return Frame(read_image(path), index, path.stem)

    def labels(self, index: int) -> LabelMap | None:
        """The annotation of frame `index` (H, W) uint8 with void as 255, or None without one.
        Where objects overlap the smallest id is shown.

        Raises:
            DatasetError: the file is broken or its values are no label map.
        """
        from vosbench.datasets.masks import read_layers
        from vosbench.datasets.reading import read_labels

        if index in self.layers:
            return read_layers(self.layers[index]).label_map()
        path = self.annotations.get(index)
        return None if path is None else read_labels(path, binary=self.binary)

    def targets(self, index: int) -> dict[int, Mask]:
        """The masks that the protocol gives away in frame `index`: those of the objects that
        start there, id -> bool (H, W). An id that DAVIS counts without showing it is left out."""
        from vosbench.datasets.masks import read_layers

        starting = [obj for obj, start in self.objects.items() if start == index]
        if starting and index in self.layers:
            layers = read_layers(self.layers[index])
            masks = {obj: layers.of(obj) != 0 for obj in starting}
        else:
            labels = self.labels(index) if starting else None
            masks = {} if labels is None else {obj: labels == obj for obj in starting}
        return {obj: mask for obj, mask in masks.items() if mask.any()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A named list of sequences under one protocol.

    Attributes:
        name: what users type; for folders, the folder's name.
        root: folder on disk.
        sequences: in the dataset's own order.
        protocol: default evaluation protocol, see `vosbench.metrics.protocols`.
        annotated: whether later frames have annotations, i.e. whether it can be scored here.
        source: absolute path of the folder if it was opened by its path, "" if by its name.
        whole: number of sequences of the whole dataset if these are a part of it, else 0.
        withheld: whether an evaluation server keeps those that are not here.
        doubts: what looks odd about its files, one sentence each.
        broken: sequences that were asked for and cannot be opened, name -> what is wrong.
    """

    name: str
    root: Path
    sequences: tuple[VideoSequence, ...]
    protocol: str
    annotated: bool = True
    withheld: bool = False
    doubts: tuple[str, ...] = ()
    source: str = ""
    whole: int = 0
    broken: Mapping[str, str] = field(default_factory=dict)
    _named: dict[str, VideoSequence] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_named", {s.name: s for s in reversed(self.sequences)})

    @property
    def size(self) -> int:
        """Number of sequences of the whole dataset."""
        return self.whole or len(self.sequences) + len(self.broken)

    @property
    def label(self) -> str:
        """The name as tables show it: "demo", or "demo, 3 of 6 sequences" for a part."""
        return label_of(self.name, len(self.sequences), self.size)

    def sequence(self, name: str) -> VideoSequence:
        """The sequence called `name`. Raises DatasetError saying what is wrong with it, or naming
        near ones."""
        if name in self._named:
            return self._named[name]
        import difflib

        from vosbench.errors import DatasetError

        if name in self.broken:
            raise DatasetError(
                f"{name}: {self.broken[name]}",
                f"`--skip {name}` leaves it out; `vosbench datasets verify` lists what is wrong.",
            )
        near = difflib.get_close_matches(name, [s.name for s in self.sequences], n=3)
        raise DatasetError(
            f"dataset {self.name} has no sequence {name!r}",
            f"Did you mean {' or '.join(near)}?" if near else "",
        )

    def fingerprint(self) -> str:
        """Hex digest of sequence names, frame names, given objects and the annotations' bytes;
        image files count by name and size. Runs over data of different fingerprints are not
        compared."""
        return fingerprint(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One zip or tar file to download.

    Attributes:
        url: official address; of one behind a form, its name alone.
        into: folder under the data root that receives the contents.
        strip: folder inside the archive whose contents these are; "" for all of it.
        sha256: expected digest; "" where none is known, then what was unpacked is checked by
            `locate` and `load`.
        size: expected size in bytes; 0 where none is known.
        certain: several public records, or the publisher, agree on digest and size, so that
            another file is refused. A single record only raises a doubt.
    """

    url: str
    into: str
    strip: str = ""
    sha256: str = ""
    size: int = 0
    certain: bool = True

    @property
    def name(self) -> str:
        """Of the file."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """A dataset that can be asked for by name.

    Attributes:
        name: lower case, e.g. "davis17-val".
        summary: one line: what it is.
        load: called with the folder that `locate` found; returns the dataset or raises
            DatasetError.
        locate: called with each data root in turn; the dataset's folder there, or None. Quick:
            a dataset that is rendered (demo) names the folder and renders it when it is loaded.
        recognise: called with a folder that is given by its path; whether it is this dataset, by
            its name and files. None if it cannot be told from any folder in DAVIS layout.
        protocol: default evaluation protocol.
        count: number of sequences, 0 if unknown before it is opened.
        homepage: where it comes from.
        licence: under which terms.
        archives: what `vosbench datasets fetch` downloads; empty where the terms need a form.
        place: folder under a data root where one unpacks it by hand, if there are no archives.
        by_hand: archives behind a form, of which a digest is known.
        measures: what the benchmark reports, by column names of `vosbench evaluate`.
    """

    name: str
    summary: str
    load: Callable[[Path], Dataset]
    locate: Callable[[Path], Path | None]
    protocol: str
    recognise: Callable[[Path], bool] | None = None
    count: int = 0
    homepage: str = ""
    licence: str = ""
    archives: tuple[Archive, ...] = ()
    place: str = ""
    by_hand: tuple[Archive, ...] = ()
    measures: tuple[str, ...] = ()


def part_of(count: int, whole: int) -> str:
    """How much of a dataset something is about: "3 of 6 sequences", or "" for all of it, and where
    `whole` is 0 (unknown)."""
    return f"{count} of {whole} sequences" if 0 < whole != count else ""


def label_of(name: str, count: int, whole: int) -> str:
    """A dataset's name with `part_of`."""
    return ", ".join(filter(None, (name, part_of(count, whole))))


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 (hex) over sequence names, frame names and sizes in bytes, given objects, the frames
    to be written, and the annotations' bytes. Where the files lie does not count.

    Raises:
        DatasetError: a file is missing or cannot be read.
    """
    from vosbench.datasets.filedigests import KeptDigests

    digest = hashlib.sha256()
    with KeptDigests() as kept:
        for sequence in dataset.sequences:
            try:
                _add_sequence(digest, sequence, kept)
            except OSError as error:
                raise DatasetError(f"{error.filename} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def _add_sequence(digest: hashlib._Hash, sequence: VideoSequence, kept: KeptDigests) -> None:
    facts = {
        "sequence": sequence.name,
        "frames": [(path.name, path.stat().st_size) for path in sequence.frames],
        "annotations": sorted(sequence.annotations),
        "objects": sorted(sequence.objects.items()),
        "binary": sequence.binary,
        "output": sequence.output,
    }
    files = [path for _, path in sorted(sequence.annotations.items())]
    if sequence.layers:
        facts["layers"] = [[index, *sorted(of)] for index, of in sorted(sequence.layers.items())]
        files = [of[obj] for _, of in sorted(sequence.layers.items()) for obj in sorted(of)]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    digest.update(kept.of(files))
