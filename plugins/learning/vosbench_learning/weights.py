"""Where weights come from: those that ship with a package by name, others by path."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata, resources
from pathlib import Path
from types import MappingProxyType

from vosbench.errors import UsageError

SUFFIX = ".safetensors"


def shipped_weights(package: str) -> dict[str, Path]:
    """Weights that are installed: name -> file.

    They lie in the folder `weights` of `package`, and of the packages that further distributions
    name as entry points of the group `PACKAGE.weights`.
    """
    packages = [package, *(e.value for e in metadata.entry_points(group=f"{package}.weights"))]
    folders = [Path(str(resources.files(name))) / "weights" for name in packages]
    return {path.stem: path for folder in folders for path in sorted(folder.glob(f"*{SUFFIX}"))}


def find_weights(
    name: str,
    package: str,
    training: str,
    optional: Mapping[str, str] = MappingProxyType({}),
    *,
    option: str = "weights",
) -> Path:
    """The file that `-o weights=NAME` means: a name shipped with `package`, or a path to a
    safetensors file.

    Args:
        training: the command that trains others, for the message.
        optional: name -> the distribution that would bring it, for the message.
        option: what the option is called, for the message.

    Raises:
        UsageError: neither fits.
    """
    known = shipped_weights(package)
    if name in known:
        return known[name]
    if name in optional:
        raise UsageError(
            f"the weights {name!r} are not installed",
            f"pip install {optional[name]} (in a checkout, from its folder in plugins/)",
        )
    path = Path(name).expanduser()
    is_path = path.suffix == SUFFIX or len(path.parts) > 1
    if is_path and path.is_file():
        return path
    way_out = (
        f"Shipped weights: {', '.join(known) or 'none'}. Train others with `{training}` and "
        f"name them by path: -o {option}=FILE{SUFFIX}"
    )
    what = f"weights file {name} does not exist" if is_path else f"there are no weights {name!r}"
    raise UsageError(what, way_out)
