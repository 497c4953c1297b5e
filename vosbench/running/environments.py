"""Which environment a tracker lives in, and environments made for trackers by others.

A tracker lives in our own Python unless the command line, `[trackers.NAME]` of the configuration or
`vosbench trackers install NAME` says otherwise. An environment that was made lies in the cache: a
virtual environment with what the tracker's declaration asks for, and beside it a lock, the
versions that were chosen, from which it is made again.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from vosbench.config import cache_path, load_config
from vosbench.durable import written_whole
from vosbench.errors import PluginError, UsageError
from vosbench.provenance import installed_versions

if TYPE_CHECKING:
    from vosbench.plugins import Plugins
    from vosbench.specs import Origin, TrackerSpec

#: Written last: an environment without it was never finished.
_MARKER = "vosbench.json"
#: Told what is being done, and what programs print while they do it.
Tell = Callable[[str], None]


class NotInstalled(PluginError):
    """A tracker needs an environment of its own that was not made yet."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a tracker lives.

    Attributes:
        python: interpreter of its environment; "" is our own.
        plugins: files and folders of packages that it loads there besides that environment's own.
        options: that the user's configuration gives it, texts.
    """

    python: str = ""
    plugins: tuple[Path, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether it runs in our own Python with nothing added."""
        return not self.python and not self.plugins


def interpreter(path: str) -> str:
    """The Python of a virtual environment that is given as its folder; another path as it is."""
    for inside in ("bin/python", "Scripts/python.exe"):
        if path and (python := Path(path, inside)).is_file():
            return str(python)
    return path


def home_of(plugins: Plugins, name: str, python: str = "") -> Home:
    """Where tracker `name` lives; `python`, of the command line, wins.

    Raises:
        NotInstalled: it needs an environment of its own that was not made yet.
        UsageError: the configuration cannot be used.
    """
    known = load_config().trackers.get(name)
    options = known.options if known else {}
    if python:
        return Home(interpreter(python), options=options)
    if known and (known.python or known.plugins):
        return Home(interpreter(known.python), known.plugins, options)
    spec = plugins.trackers.get(name)
    if spec is None or spec.origin is None or not spec.origin.apart:
        return Home(options=options)
    folder = environment(spec.origin)
    if (folder / _MARKER).is_file():
        return Home(interpreter(str(folder)), (_package(plugins, spec),), options)
    lacking = _lacking(spec.origin)
    if lacking:
        raise NotInstalled(
            f"tracker {name!r} needs {', '.join(lacking)}, which our own environment lacks",
            f"`vosbench trackers install {name}` puts it into an environment of its own.",
        )
    return Home(options=options)


def environment(origin: Origin) -> Path:
    """The folder of the environment that `origin` asks for, be it there or not. Trackers that ask
    for the same share it."""
    asked = json.dumps([origin.requirements, origin.bare, origin.repositories])
    first = _name([*origin.bare, *origin.repositories, *origin.requirements][0])
    return cache_path() / "environments" / f"{first}-{sha256(asked.encode()).hexdigest()[:10]}"


def install(spec: TrackerSpec, tell: Tell, *, fresh: bool = False) -> Path:
    """Make the environment of a tracker unless it is there; returns its folder.

    It is made from an earlier lock where there is one, else from the declaration.

    Args:
        fresh: make it anew from the declaration, and a new lock.

    Raises:
        UsageError: the tracker runs in our own environment.
        PluginError: something could not be fetched or built; what is there is not used.
    """
    origin = spec.origin
    if origin is None or not origin.apart:
        raise UsageError(
            f"tracker {spec.name!r} runs in our own environment: nothing is to be installed",
            f"`vosbench trackers {spec.name}` shows what it needs.",
        )
    folder = environment(origin)
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_suffix(".lock")
    with FileLock(folder.with_suffix(".busy")):
        if fresh:
            lock.unlink(missing_ok=True)
        elif (folder / _MARKER).is_file():
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        tell(f"making {folder}")
        into, frozen = _make(folder, tell)
        _check_out(origin.repositories, folder, tell)
        if lock.is_file():
            tell(f"installing what {lock} names")
            _do([*into, "--no-deps", "-r", str(lock)], tell)
        else:
            # What our side of the process imports there, in the versions that it runs with here.
            ours = [f"{package}=={version(package)}" for package in ("numpy", "pluggy")]
            asked = {_name(each) for each in origin.requirements}
            ours = [each for each in ours if _name(each) not in asked]
            tell(f"installing {', '.join(origin.requirements + origin.bare) or 'numpy and pluggy'}")
            _do([*into, *ours, *origin.requirements], tell)
            if origin.bare:
                _do([*into, "--no-deps", *origin.bare], tell)
        listed = _do(frozen, lambda _: None)
        chosen = [line for line in listed if "==" in line or " @ " in line]
        with written_whole(lock) as stream:
            stream.write("".join(f"{line}\n" for line in chosen).encode())
        with written_whole(folder / _MARKER) as stream:
            made = {"tracker": spec.name, "python": platform.python_version()}
            stream.write(json.dumps(made).encode())
    return folder


def remove(spec: TrackerSpec) -> Path | None:
    """Delete the environment of a tracker and its lock; gives the folder, None if there is none."""
    if spec.origin is None or not spec.origin.apart:
        return None
    folder = environment(spec.origin)
    there = folder.is_dir()
    shutil.rmtree(folder, ignore_errors=True)
    for suffix in (".lock", ".busy"):
        folder.with_suffix(suffix).unlink(missing_ok=True)
    return folder if there else None


def _make(folder: Path, tell: Tell) -> tuple[list[str], list[str]]:
    """A new virtual environment; gives the commands that install into it and that list it."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if uv := shutil.which("uv"):
        _do([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], tell)
        there = ["--python", str(python)]
        return [uv, "pip", "install", *there], [uv, "pip", "freeze", *there]
    _do([sys.executable, "-m", "venv", str(folder)], tell)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    return [*pip, "install"], [*pip, "freeze", "--local"]


def _check_out(repositories: tuple[str, ...], folder: Path, tell: Tell) -> None:
    """Fetch each repository at its commit and put it on the environment's path."""
    paths = []
    for each in repositories:
        address, _, commit = each.rpartition("@")
        target = folder / "src" / _name(each)
        target.mkdir(parents=True)
        tell(f"fetching {address} at {commit}")
        for arguments in (
            ["init", "--quiet"],
            ["fetch", "--quiet", "--depth=1", address, commit],
            ["checkout", "--quiet", "FETCH_HEAD"],
        ):
            _do(["git", "-C", str(target), *arguments], tell)
        paths.append(target)
    if paths:
        (site,) = (*folder.glob("lib/python3*/site-packages"), *folder.glob("Lib/site-packages"))
        (site / "vosbench-repositories.pth").write_text("".join(f"{path}\n" for path in paths))


def _do(command: list[str], tell: Tell) -> list[str]:
    """Run a program and pass on what it prints; gives its lines. Raises PluginError if it fails."""
    lines: list[str] = []
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                tell(f"  {lines[-1]}")
    except OSError as error:
        raise PluginError(f"{command[0]} cannot be started: {error.strerror}") from None
    if process.returncode:
        said = next((line for line in lines if re.match(r"(?i)(error|fatal)", line)), "")
        raise PluginError(
            f"{' '.join(command)} failed: {said or (lines or ['it said nothing'])[-1]}",
            "Mend that (is the network there?) and give the same command again; or make an "
            "environment by hand and name it as `python` in [trackers.NAME] of the configuration.",
        )
    return lines


def _lacking(origin: Origin) -> list[str]:
    """What our own environment lacks of all that `origin` asks for."""
    packages = {_name(each): each for each in origin.requirements + origin.bare}
    there = installed_versions(packages)
    return [each for name, each in packages.items() if not there[name]] + [*origin.repositories]


def _name(requirement: str) -> str:
    """Of a distribution or a repository."""
    if "://" in requirement.partition(" ")[0]:
        requirement = requirement.rpartition("@")[0].rstrip("/").rpartition("/")[2]
    return re.split(r"[^\w.-]", requirement.removesuffix(".git"), maxsplit=1)[0].lower()


def _package(plugins: Plugins, spec: TrackerSpec) -> Path:
    """File of the plugin that declares `spec`, or folder of its package."""
    top = plugins.provider("trackers", spec.name).module.partition(".")[0]
    file = Path(str(sys.modules[top].__file__))
    return file.parent if file.stem == "__init__" else file
