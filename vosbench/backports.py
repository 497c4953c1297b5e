"""What Python 3.9 and 3.10 lack of what a tracker's process uses: old trackers need old Pythons.

From 3.11 on these are the standard library's own. Modules that run in a tracker's process import
them from here; the rest of vosbench needs Python 3.11.
"""

from __future__ import annotations

import sys

__all__ = ["dataclass", "entry_points", "file_digest", "stdlib_module_names", "zip"]

if sys.version_info >= (3, 11):  # noqa: UP036 - in another Python than ours it may not be
    from builtins import zip as zip
    from dataclasses import dataclass as dataclass
    from hashlib import file_digest as file_digest
    from importlib.metadata import entry_points as entry_points
    from sys import stdlib_module_names as stdlib_module_names
else:
    import dataclasses
    import hashlib
    import importlib.metadata
    import itertools
    import pathlib
    import sysconfig
    import types

    _LACKING = object()

    def dataclass(cls=None, *, slots=False, kw_only=False, **settings):  # noqa: ARG001
        """A dataclass without slots whose fields may also be given by position."""
        return dataclasses.dataclass(cls, **settings)

    def zip(*iterables, strict=False):
        """As `zip`; `strict` refuses iterables of several lengths."""
        for group in itertools.zip_longest(*iterables, fillvalue=_LACKING):
            if any(each is _LACKING for each in group):
                if strict:
                    raise ValueError("zip() has iterables of several lengths")
                return
            yield group

    def file_digest(stream, name):
        """The digest of what is left of a file."""
        digest = hashlib.new(name)
        while chunk := stream.read(1 << 18):
            digest.update(chunk)
        return digest

    def entry_points(*, group):
        """Entry points of a group, with the distribution that each belongs to."""
        return [
            types.SimpleNamespace(
                name=entry.name,
                module=entry.value.partition(":")[0],
                load=entry.load,
                dist=types.SimpleNamespace(name=found.metadata["Name"], version=found.version),
            )
            for found in importlib.metadata.distributions()
            for entry in found.entry_points
            if entry.group == group
        ]

    _FOLDER = pathlib.Path(sysconfig.get_path("stdlib"))
    stdlib_module_names = frozenset(sys.builtin_module_names) | {
        path.name.partition(".")[0] for path in (*_FOLDER.iterdir(), *_FOLDER.glob("lib-dynload/*"))
    }
