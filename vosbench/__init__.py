"""vosbench: one harness in which every tracker of semi-supervised video object segmentation is
measured.

    import vosbench

    run = vosbench.run("eosvos-10", "demo")
    vosbench.evaluate(run).table

`run`, `open_dataset`, `evaluate`, `compare` and `Plugins` do what the commands do, see
`vosbench.api`. What a plugin author needs is importable from here too. Names that need more than
this file load on first use, so that `import vosbench` itself stays light.
"""

from __future__ import annotations

import importlib
import warnings
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from vosbench import moved
from vosbench.hookspecs import hookimpl
from vosbench.specs import Capabilities, Option, OptionValue, Origin, TrackerSpec

if TYPE_CHECKING:
    from vosbench.api import compare, evaluate, open_dataset, run
    from vosbench.datasets.base import Dataset, DatasetSpec, VideoSequence
    from vosbench.plugins import Plugins
    from vosbench.types import Context, Frame, Prediction, Targets, Tracker

try:
    __version__ = version("vosbench")
except PackageNotFoundError:  # a tracker's own environment, which borrows this package
    __version__ = ""
__all__ = [
    "Capabilities",
    "Context",
    "Dataset",
    "DatasetSpec",
    "Frame",
    "Option",
    "OptionValue",
    "Origin",
    "Plugins",
    "Prediction",
    "Targets",
    "Tracker",
    "TrackerSpec",
    "VideoSequence",
    "compare",
    "evaluate",
    "hookimpl",
    "open_dataset",
    "run",
]

_LAZY = {
    "run": "vosbench.api",
    "open_dataset": "vosbench.api",
    "evaluate": "vosbench.api",
    "compare": "vosbench.api",
    "Plugins": "vosbench.plugins",
    "Context": "vosbench.types",
    "Frame": "vosbench.types",
    "Prediction": "vosbench.types",
    "Targets": "vosbench.types",
    "Tracker": "vosbench.types",
    "Dataset": "vosbench.datasets.base",
    "DatasetSpec": "vosbench.datasets.base",
    "VideoSequence": "vosbench.datasets.base",
}


moved.install()


def __getattr__(name: str) -> Any:
    if name == "Sequence":
        warnings.warn("vosbench.Sequence is now VideoSequence", DeprecationWarning, stacklevel=2)
        name = "VideoSequence"
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'vosbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
