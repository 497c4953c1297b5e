"""Weights of the baselines: those that ship with the package by name, others by path."""

from __future__ import annotations

from pathlib import Path

from vosbench_learning.weights import find_weights as find


def find_weights(name: str) -> Path:
    """The file that `-o weights=NAME` means. Raises UsageError if there is none."""
    return find(name, "vosbench_baselines", "vosbench baselines osvos-parent")
