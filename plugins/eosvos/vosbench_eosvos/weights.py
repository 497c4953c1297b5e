"""Weights of e-OSVOS: those that ship with the package by name, others by path."""

from __future__ import annotations

from pathlib import Path

from vosbench_learning.weights import find_weights as find
from vosbench_learning.weights import shipped_weights

#: Weights that only the ablation needs come with a distribution of their own.
ABLATION = dict.fromkeys(
    ("eosvos-lite-single-lr", "eosvos-lite-neuron-lr", "eosvos-lite-lovasz"),
    "vosbench-eosvos-ablation",
)


def shipped() -> dict[str, Path]:
    """Weights that are installed: name -> file."""
    return shipped_weights("vosbench_eosvos")


def find_weights(name: str) -> Path:
    """The file that `-o weights=NAME` means. Raises UsageError if there is none."""
    return find(name, "vosbench_eosvos", "vosbench eosvos", ABLATION)
