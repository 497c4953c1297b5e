"""What a result depends on besides its tracker: the device, library versions and hardware.

Needs the standard library only, as `worker` does; torch is imported for CUDA devices alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vosbench.plugins import Plugins
from vosbench.provenance import imported_packages, imported_sources
from vosbench.specs import TrackerSpec


class Dependencies:
    """The files and packages that masks depend on, as the tracker's process comes to know them.

    Attributes:
        packages: distribution -> version, of what is imported.
    """

    def __init__(self, plugins: Plugins) -> None:
        self.packages: dict[str, str] = {}
        self._plugins = plugins.packages
        self._weights: dict[Path, str] = {}
        self._sources: dict[str, tuple[Path, str]] = {}
        self._modules = 0

    def add_file(self, path: Path, digest: str) -> None:
        """Note a file that the tracker says it has used."""
        self._weights[path.absolute()] = digest

    def look_at_imports(self) -> None:
        """Note what has been imported by now: packages by version, what is not installed by its
        contents. Some 20 ms, or none where nothing is new."""
        if len(sys.modules) == self._modules:
            return
        self._modules = len(sys.modules)
        self.packages = imported_packages(self._plugins)
        for name, path in imported_sources(self._plugins).items():
            if name not in self._sources:
                self._sources[name] = path, hashlib.sha256(path.read_bytes()).hexdigest()

    @property
    def places(self) -> dict[str, str]:
        """Name -> path of each file."""
        sources = {name: str(path) for name, (path, _) in self._sources.items()}
        return sources | {name: str(path) for name, path in _named(self._weights).items()}

    @property
    def files(self) -> dict[str, str]:
        """Name -> SHA-256 of each file."""
        sources = {name: digest for name, (_, digest) in self._sources.items()}
        return sources | {name: self._weights[path] for name, path in _named(self._weights).items()}


def resolve_device(device: str, spec: TrackerSpec, worker: int = 0) -> str:
    """The device that "auto" or "cuda" stands for here. Workers take several cards in turn.

    Imports torch only where there may be a CUDA device.
    """
    if device not in ("auto", "cuda"):
        return device
    if "cuda" not in spec.capabilities.devices:
        return spec.capabilities.devices[0]
    if sys.platform == "linux" and not Path("/dev/nvidiactl").exists():
        return "cpu" if device == "auto" else device
    try:
        import torch
    except ImportError:
        return "cpu" if device == "auto" else device
    if not torch.cuda.is_available():
        return "cpu" if device == "auto" else device
    cards = torch.cuda.device_count()
    return f"cuda:{worker % cards}" if cards > 1 else "cuda"


def versions(plugins: Plugins, spec: TrackerSpec) -> dict[str, str]:
    """Versions of Python and of the tracker's plugin."""
    info = plugins.provider("trackers", spec.name)
    return {"python": platform.python_version(), info.name: info.version}


def hardware(device: str, threads: int) -> dict[str, Any]:
    """The processor, memory, threads and accelerator that timings depend on."""
    accelerator = ""
    settings: dict[str, Any] = {}
    if device.startswith("cuda"):
        import torch

        accelerator = torch.cuda.get_device_name(device)
        settings = {
            "driver": _nvidia_driver(),
            "cuda": str(torch.version.cuda),
            "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
            "cudnn_benchmark": torch.backends.cudnn.benchmark,
            "cudnn_deterministic": torch.backends.cudnn.deterministic,
            "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
            "tf32_cudnn": torch.backends.cudnn.allow_tf32,
            "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        }
    memory = 0
    with contextlib.suppress(AttributeError, ValueError, OSError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "threads": threads,
        "memory_bytes": memory,
        "accelerator": accelerator,
        **({"accelerator_settings": settings} if settings else {}),
        "system": f"{platform.system()} {platform.release()}",
    }


def _nvidia_driver() -> str:
    """Version of the kernel module, "" if it does not say."""
    with contextlib.suppress(OSError):
        for word in Path("/proc/driver/nvidia/version").read_text().split():
            if word[0].isdigit() and "." in word:
                return word
    return ""


def _cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _named(files: Iterable[Path]) -> dict[str, Path]:
    """The files by the shortest end of their paths that no other one has."""

    def end(path: Path) -> str:
        others = [other.parts for other in files if other != path]
        for count in range(1, len(path.parts)):
            if all(other[-count:] != path.parts[-count:] for other in others):
                return "/".join(path.parts[-count:])
        return str(path)

    return {end(path): path for path in files}
