"""Names that become names of folders."""

from __future__ import annotations

_LONGEST_NAME = 240  # bytes; file systems allow 255, and some letters are added


def problem_of(name: str) -> str:
    """Why `name` cannot name a folder; "" if it can."""
    if name in ("", ".", "..") or not name.isprintable() or set(name) & set("/\\"):
        return "cannot name a folder"
    if len(name.encode()) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} bytes"
    return ""
