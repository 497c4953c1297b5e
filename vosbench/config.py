"""The user's configuration file and environment, in one place.

`config.toml` in the user's configuration folder (`vosbench datasets` prints where) may hold

    data_roots = ["/data/vos"]     # searched after --data-root and VOSBENCH_DATA
    disable = ["some-plugin"]      # plugins never loaded
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from vosbench.errors import UsageError


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of the user, all optional."""

    data_roots: tuple[Path, ...] = ()
    disable: tuple[str, ...] = ()


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
    for key, value in raw.items():
        if key not in ("data_roots", "disable"):
            raise UsageError(f"{path}: unknown key {key!r}", "Known: data_roots, disable.")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UsageError(f"{path}: {key} must be a list of strings")
    roots = tuple(Path(root).expanduser() for root in raw.get("data_roots", []))
    return Config(roots, tuple(raw.get("disable", [])))


def data_roots(given: tuple[Path, ...] = ()) -> tuple[Path, ...]:
    """Folders that may hold datasets, in the order searched: `--data-root`, VOSBENCH_DATA (several
    separated by the system's path separator), the configuration file, and last `datasets` in
    `cache_path()`, where `vosbench datasets fetch` puts them if nothing else is set. Never empty.
    """
    env = os.environ.get("VOSBENCH_DATA", "")
    from_env = tuple(Path(part).expanduser() for part in env.split(os.pathsep) if part)
    return (*given, *from_env, *load_config().data_roots, cache_path() / "datasets")
