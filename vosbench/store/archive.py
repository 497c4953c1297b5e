"""Runs as one file that travels: every mask and record, with a list of sizes and digests that is
checked where it arrives.

A zip archive, its members stored as they are:

manifest.json                        path -> size in bytes and SHA-256 of every other member
<dataset>/<run>/run.json
<dataset>/<run>/sequences/*.json     of the sequences that are done, and their
<dataset>/<run>/masks/*/*.png
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from vosbench.errors import RunError
from vosbench.parsing import record_from
from vosbench.store.names import check_name
from vosbench.store.run import Run

_MANIFEST = "manifest.json"
_AGAIN = "Push it again, or run that part again."


@dataclass(frozen=True, slots=True)
class _Member:
    """What the manifest says of a file."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> _Member:
        return cls(len(data), sha256(data).hexdigest())


def write_archive(runs: Sequence[Run], path: Path) -> int:
    """Write what `runs` have done into the new file `path`; gives the number of masks. The same
    runs always give the same bytes.

    Raises:
        RunError: masks are not what was recorded.
    """
    listed: dict[str, _Member] = {}
    masks = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:

        def add(name: str, data: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name), data)  # of 1980, whenever it is written

        for run in runs:
            for file in _files(run):
                name = "/".join([run.record.dataset, run.record.name, *_inside(run, file)])
                data = file.read_bytes()
                listed[name] = _Member.of(data)
                add(name, data)
                masks += file.suffix == ".png"
        members = {name: asdict(member) for name, member in listed.items()}
        add(_MANIFEST, json.dumps(members, indent=1).encode())
    return masks


def read_archive(path: Path, folder: Path) -> list[Run]:
    """Unpack what `write_archive` has written into `folder`, and open the runs.

    Raises:
        RunError: it is no such archive, not whole or not what was sent; or a name leads elsewhere.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            listed = _manifest(archive)
            there = [info.filename for info in archive.infolist() if info.filename != _MANIFEST]
            if sorted(there) != sorted(listed):
                raise ValueError(f"it holds {len(there)} files, {len(listed)} were sent")
            for name, member in listed.items():
                info = archive.getinfo(name)
                # Nothing is compressed: what is unpacked is no larger than what has arrived.
                if info.compress_type != zipfile.ZIP_STORED or info.file_size != member.size:
                    raise ValueError(f"{name} is not what was sent")
                data = archive.read(info)
                if _Member.of(data) != member:
                    raise ValueError(f"{name} is not what was sent")
                file = folder.joinpath(*name.split("/"))
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, RuntimeError) as error:
        raise RunError(f"{path.name} is no whole archive of runs: {error}", _AGAIN) from None
    return [Run.open(file.parent) for file in sorted(folder.glob("*/*/run.json"))]


def _files(run: Run) -> list[Path]:
    """What is sent of a run."""
    files = [run.folder / "run.json"]
    for name, record in run.sequences().items():
        if record.status != "done":
            continue
        if not run.intact(record):
            raise RunError(
                f"{run.folder}: the masks of {name} are not what was recorded",
                "The command that made the run does them again.",
            )
        files.append(run.folder / "sequences" / f"{name}.json")
        files += sorted((run.masks / name).iterdir())
    return files


def _inside(run: Run, file: Path) -> tuple[str, ...]:
    return file.relative_to(run.folder).parts


def _manifest(archive: zipfile.ZipFile) -> dict[str, _Member]:
    """Path -> what it must be. Raises ValueError; RunError for a name that leads elsewhere."""
    if _MANIFEST not in archive.namelist():
        raise ValueError(f"it has no {_MANIFEST}")
    raw = json.loads(archive.read(_MANIFEST))
    if not isinstance(raw, dict):
        raise ValueError(f"its {_MANIFEST} holds no object")
    for name in raw:
        for part in name.split("/"):
            check_name(part, f"file {name!r} of the archive: part")
    return {name: record_from(_Member, member) for name, member in raw.items()}
