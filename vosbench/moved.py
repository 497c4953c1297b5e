"""Import paths of earlier versions, still understood with a deprecation warning.

`install` adds a finder at the end of `sys.meta_path`: it is asked only for modules that do not
exist, so it costs nothing where the new paths are used.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

#: Old path -> new path, of the modules that the documentation named for plugins.
MOVED = {
    "vosbench.ablation": "vosbench.analysis.ablation",
    "vosbench.executors": "vosbench.running.executors",
    "vosbench.frames": "vosbench.tracking.clip",
    "vosbench.published": "vosbench.analysis.published",
    "vosbench.runner": "vosbench.running.runner",
    "vosbench.session": "vosbench.tracking.session",
    "vosbench.sweep": "vosbench.analysis.sweep",
}


class _Moved(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module under its old path and gives the module of its new one."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name in MOVED else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        new = MOVED[spec.name]
        warnings.warn(f"{spec.name} is now {new}", DeprecationWarning, stacklevel=2)
        module = ModuleType(spec.name, f"Deprecated path of `{new}`.")
        vars(module)["__getattr__"] = importlib.import_module(new).__getattribute__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to execute: names are looked up in the module's new home."""


def install() -> None:
    """Understand the old paths from now on."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
