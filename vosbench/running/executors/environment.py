"""What a result depends on besides its tracker: the device, library versions and hardware.

Needs the standard library only, as `worker` does; torch is imported for CUDA devices alone.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vosbench.plugins import Plugins
from vosbench.specs import TrackerSpec

#: Modules whose versions decide what a tracker computes -> their distributions.
_LIBRARIES = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "cv2": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
    "jax": ("jax",),
    "tensorflow": ("tensorflow",),
}


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
    """Versions of Python, the tracker's plugin and the loaded libraries that decide its masks."""
    found = {"python": platform.python_version()}
    for module, distributions in _LIBRARIES.items():
        if module in sys.modules:
            found |= _first_installed(distributions)
    info = plugins.provider("trackers", spec.name)
    return found | {info.name: info.version}


def _first_installed(distributions: tuple[str, ...]) -> dict[str, str]:
    for distribution in distributions:
        with contextlib.suppress(PackageNotFoundError):
            return {distribution: version(distribution)}
    return {}


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
