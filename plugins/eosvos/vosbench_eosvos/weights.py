"""Weights of e-OSVOS: shipped and imported ones by name, others by path."""

from __future__ import annotations

from pathlib import Path

from vosbench.config import cache_path
from vosbench.errors import UsageError
from vosbench_learning.weights import SUFFIX, shipped_weights
from vosbench_learning.weights import find_weights as find

#: The name of the authors' weights once they are imported.
PAPER = "eosvos-paper"


def shipped() -> dict[str, Path]:
    """Weights inside the package: name -> file."""
    return shipped_weights("vosbench_eosvos")


def imported(name: str) -> Path:
    """Where `vosbench eosvos import-reference` puts weights of this name."""
    return cache_path() / "weights" / f"{name}{SUFFIX}"


def find_weights(name: str) -> Path:
    """The file that `-o weights=NAME` means. Raises UsageError if there is none."""
    if name == Path(name).name and imported(name).is_file():
        return imported(name)
    if name == PAPER:
        raise UsageError(
            "the paper's weights are not here; vosbench does not ship them",
            "Download e-osvos_models.zip, which github.com/dvl-tum/e-osvos links to, unpack it and "
            "type `vosbench eosvos import-reference FILE` with one of its *.model files.",
        )
    return find(name, "vosbench_eosvos", "vosbench eosvos")


def find_outline(name: str) -> Path:
    """The file that `-o outline=NAME` means. Raises UsageError if there is none."""
    try:
        return find(name, "vosbench_eosvos.outline", "vosbench eosvos outline", option="outline")
    except UsageError as error:
        hint = f"{error.hint}. `-o outline=edges` and `-o outline=mask` need none."
        raise UsageError(error.message, hint) from None
