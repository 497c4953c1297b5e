"""Which code a run's masks come from: the source of the tracker's plugin, the harness's commit.

Needs the standard library only, for a tracker's own environment tells its source by it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import re
import subprocess
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

#: A plugin's package that imports another one (`vosbench_learning`) depends on its source too.
_IMPORTS = re.compile(rb"^\s*(?:from|import)\s+(vosbench_\w+)", re.MULTILINE)


def source_digest(module: str, factory: str | Callable[..., Any]) -> str:
    """SHA-256 of the source of a tracker.

    That is every `.py` file of the packages that hold the plugin and the factory, and of the
    packages called `vosbench_...` that these import. Names count from the package on, so that it
    is the same wherever the package lies. Nothing is imported. The harness itself does not count.

    Args:
        module: the plugin's.
        factory: as `TrackerSpec.factory` has it.
    """
    waiting = {module.partition(".")[0], _module_of(factory).partition(".")[0]}
    files: dict[str, bytes] = {}
    seen = {"vosbench", ""}
    while waiting := waiting - seen:
        package = waiting.pop()
        seen.add(package)
        for name, path in _sources(package):
            with contextlib.suppress(OSError):  # a link that leads nowhere
                files[name] = path.read_bytes()
                waiting.update(match.decode() for match in _IMPORTS.findall(files[name]))
    digest = sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()


def harness_commit() -> str:
    """Commit of the checkout that the harness runs from, with `-dirty` where its files differ from
    it; "" if it runs from none."""
    checkout = Path(__file__).resolve().parents[1]
    if not (checkout / ".git").exists():
        return ""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(
            command, cwd=checkout, capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _module_of(factory: str | Callable[..., Any]) -> str:
    if isinstance(factory, str):
        return factory.partition(":")[0]
    while isinstance(factory, functools.partial):
        factory = factory.func
    return str(getattr(factory, "__module__", ""))


def _sources(package: str) -> Iterator[tuple[str, Path]]:
    """Name and path of each source file of a top-level package or module."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):  # ValueError: `__main__` has none
        return
    if spec is None:
        return
    for folder in spec.submodule_search_locations or ():
        for path in Path(folder).rglob("*.py"):
            yield f"{package}/{path.relative_to(folder).as_posix()}", path
    if not spec.submodule_search_locations and spec.has_location and spec.origin:
        yield Path(spec.origin).name, Path(spec.origin)
