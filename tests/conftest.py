"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest


def _data_root() -> Path:
    for part in os.environ.get("VOSBENCH_DATA", "").split(os.pathsep):
        if part and Path(part, "DAVIS").is_dir():
            return Path(part)
    message = "VOSBENCH_DATA names no folder that holds DAVIS: tests on real video are SKIPPED"
    warnings.warn(message, stacklevel=2)
    pytest.skip(message)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder that holds DAVIS/, DAVIS-2017-240p/ and static/; skips loudly where it is absent."""
    return _data_root()


@pytest.fixture(scope="session")
def davis_root(data_root: Path) -> Path:
    """DAVIS-2016 train: 30 sequences, 854x480, one object."""
    return data_root / "DAVIS"


@pytest.fixture(scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests of a process, so that the demo is rendered once at most."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _private_user_folders(tmp_path: Path, _cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the developer's own configuration or cache."""
    monkeypatch.setenv("VOSBENCH_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("VOSBENCH_CACHE", str(_cache))
