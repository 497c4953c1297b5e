"""Which code a run's masks come from: the source of the tracker's plugin, the packages that it
imports, the harness's commit.

Needs the standard library only, since it also runs in a tracker's own environment.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterable, Iterator
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any

from vosbench.backports import stdlib_module_names

#: A plugin's package that imports another one (`vosbench_learning`) depends on its source too.
_IMPORTS = re.compile(rb"^\s*(?:from|import)\s+(vosbench_\w+)", re.MULTILINE)
_SOURCES = frozenset({".py", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg"})
#: What the harness imports into a tracker's process, and no tracker computes with.
_HARNESS = frozenset({"vosbench", "click", "platformdirs", "pluggy"})
_INSTALLED = ("site-packages", "dist-packages")


def source_digest(module: str, factory: str | Callable[..., Any]) -> str:
    """SHA-256 of the source of a tracker.

    That is every `.py` file, and every file of settings (JSON, YAML, TOML, INI), of the packages
    that hold the plugin and the factory, and of the packages called `vosbench_...` that these
    import. Names count from the package on, so that it is the same wherever the package lies.
    Nothing is imported. The harness itself does not count.

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


def plugin_code(made_by: str | Callable[..., Any]) -> str:
    """`source_digest` of what a plugin brought under this name or as this callable; "" for what is
    of the harness."""
    module = _module_of(made_by)
    return "" if module.partition(".")[0] == "vosbench" else source_digest(module, made_by)


def imported_packages(plugins: Collection[str]) -> dict[str, str]:
    """Distribution -> version, of all that this process has imported.

    Args:
        plugins: top-level modules of plugins, whose code counts by itself.
    """
    names = {module.partition(".")[0] for module in _foreign(plugins)}
    if not names:
        return {}
    listed = re.compile(rf"^(?:{'|'.join(map(re.escape, sorted(names)))})(?=[/.,]|$)", re.MULTILINE)
    found = {}
    for one in distributions():
        if listed.search(one.read_text("RECORD") or one.read_text("top_level.txt") or ""):
            found[one.metadata["Name"]] = one.version
    return dict(sorted(found.items()))


def imported_sources(plugins: Collection[str]) -> dict[str, Path]:
    """Name ("package/module.py") -> file, of the modules that this process has imported from
    elsewhere than an installation: a clone on the path, a file beside the plugin. No version tells
    their states apart.

    Args:
        plugins: as for `imported_packages`.
    """
    standard = {sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib")}
    found = {}
    for module in _foreign(plugins):
        file = getattr(sys.modules[module], "__file__", None)
        path = Path(file) if isinstance(file, str) else Path()
        installed = any(part in _INSTALLED for part in path.parts)
        if path.is_file() and not installed and standard.isdisjoint(map(str, path.parents)):
            depth = module.count(".") + (2 if path.stem == "__init__" else 1)
            found["/".join(path.parts[-depth:])] = path.absolute()
    return dict(sorted(found.items()))


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Distribution -> its version in this environment; "" where it is not installed."""
    found = dict.fromkeys(names, "")
    for name in found:
        with contextlib.suppress(PackageNotFoundError, ValueError):
            found[name] = version(name)
    return found


def all_installed() -> dict[str, str]:
    """Distribution -> version, of everything that is installed in this environment."""
    return {one.metadata["Name"]: one.version for one in distributions()}


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


def _foreign(plugins: Collection[str]) -> list[str]:
    """Names of the imported modules that are neither Python's, the harness's nor a plugin's."""
    own = stdlib_module_names | _HARNESS | set(plugins)
    tops = ((name, name.partition(".")[0]) for name in list(sys.modules))
    return [n for n, top in tops if top not in own and not top.startswith(("vosbench_", "__"))]


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
        for path in (p for p in Path(folder).rglob("*.*") if p.suffix in _SOURCES):
            yield f"{package}/{path.relative_to(folder).as_posix()}", path
    if not spec.submodule_search_locations and spec.has_location and spec.origin:
        yield Path(spec.origin).name, Path(spec.origin)
