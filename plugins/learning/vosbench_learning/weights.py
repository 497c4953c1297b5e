"""Where weights come from: those that ship with a package by name, others by path."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from vosbench.errors import UsageError

SUFFIX = ".safetensors"


def shipped_weights(package: str) -> dict[str, Path]:
    """Weights in the folder `weights` of an importable package: name -> file."""
    folder = Path(str(resources.files(package))) / "weights"
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))}


def find_weights(name: str, package: str, training: str) -> Path:
    """The file that `-o weights=NAME` means: a name shipped with `package`, or a path to a
    safetensors file.

    Args:
        training: the command that trains others, for the message.

    Raises:
        UsageError: neither fits.
    """
    known = shipped_weights(package)
    if name in known:
        return known[name]
    path = Path(name).expanduser()
    is_path = path.suffix == SUFFIX or len(path.parts) > 1
    if is_path and path.is_file():
        return path
    way_out = (
        f"Shipped weights: {', '.join(known) or 'none'}. Train others with `{training}` and "
        f"name them by path: -o weights=FILE{SUFFIX}"
    )
    what = f"weights file {name} does not exist" if is_path else f"there are no weights {name!r}"
    raise UsageError(what, way_out)
