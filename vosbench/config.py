"""The user's configuration file and environment, in one place.

`config.toml` in the user's configuration folder (`vosbench datasets` prints where) may hold

    data_roots = ["/data/vos"]     # searched after --data-root and VOSBENCH_DATA
    disable = ["some-plugin"]      # plugins never loaded

    [trackers.mine]                # where a tracker lives, and options that it is always given
    python = "/envs/mine"          # its environment: a folder, or the Python inside
    plugin = "~/mine.py"           # what its environment loads besides its own plugins; or a list
    options = { weights = "/weights/mine.pth" }
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from vosbench.errors import UsageError


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """What the user says about one tracker.

    Attributes:
        python: interpreter, or folder, of the environment that it lives in; "" is our own.
        plugins: files or folders of packages that declare it.
        options: given to it besides those of the command line, which win; texts.
    """

    python: str = ""
    plugins: tuple[Path, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of the user, all optional."""

    data_roots: tuple[Path, ...] = ()
    disable: tuple[str, ...] = ()
    trackers: Mapping[str, TrackerConfig] = field(default_factory=dict)


def config_path() -> Path:
    """Where the user's configuration file is looked for; VOSBENCH_CONFIG overrides it."""
    given = os.environ.get("VOSBENCH_CONFIG")
    return Path(given) if given else platformdirs.user_config_path("vosbench") / "config.toml"


def cache_path() -> Path:
    """Folder for what can be made again: rendered demo data, downloads; VOSBENCH_CACHE overrides
    it."""
    given = os.environ.get("VOSBENCH_CACHE")
    return Path(given) if given else platformdirs.user_cache_path("vosbench")


def load_config() -> Config:
    """The user's configuration. Raises UsageError naming file and key if it cannot be used."""
    path = config_path()
    if not path.is_file():
        return Config()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", "Mend or remove it.") from None
    trackers = raw.pop("trackers", {})
    for key, value in raw.items():
        if key not in ("data_roots", "disable"):
            raise UsageError(
                f"{path}: unknown key {key!r}", "Known: data_roots, disable, trackers."
            )
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{path}: {key} must be a list of strings")
    roots = tuple(Path(root).expanduser() for root in raw.get("data_roots", []))
    if not isinstance(trackers, dict):
        raise UsageError(f"{path}: trackers must be tables, [trackers.NAME]")
    named = {name: _tracker(f"{path}: trackers.{name}", raw) for name, raw in trackers.items()}
    return Config(roots, tuple(raw.get("disable", [])), named)


def _tracker(where: str, raw: Any) -> TrackerConfig:
    known = ("python", "plugin", "options")
    if not isinstance(raw, dict) or (unknown := [key for key in raw if key not in known]):
        which = f"unknown key {unknown[0]!r}" if isinstance(raw, dict) else "it must be a table"
        raise UsageError(f"{where}: {which}", f"Known: {', '.join(known)}.")
    python, options = raw.get("python", ""), raw.get("options", {})
    plugin = raw.get("plugin", [])
    plugins = [plugin] if isinstance(plugin, str) else plugin
    if not isinstance(python, str):
        raise UsageError(f"{where}: python must be a path")
    if not isinstance(plugins, list) or not all(isinstance(item, str) for item in plugins):
        raise UsageError(f"{where}: plugin must be a path or a list of paths")
    if not isinstance(options, dict) or any(isinstance(v, dict | list) for v in options.values()):
        raise UsageError(f"{where}: options must be a table of single values")
    return TrackerConfig(
        str(Path(python).expanduser()) if python else "",
        tuple(Path(item).expanduser() for item in plugins),
        {name: str(value) for name, value in options.items()},
    )


def data_roots(given: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """Folders that may hold datasets, in the order searched: `--data-root`, VOSBENCH_DATA (several
    separated by the system's path separator), the configuration file, and last `datasets` in
    `cache_path()`, where `vosbench datasets fetch` puts them if nothing else is set. Never empty.
    """
    env = os.environ.get("VOSBENCH_DATA", "")
    from_env = tuple(Path(part).expanduser() for part in env.split(os.pathsep) if part)
    return (*given, *from_env, *load_config().data_roots, cache_path() / "datasets")
