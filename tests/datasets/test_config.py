"""Configuration file, environment, and the order of data roots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vosbench.config import cache_path, data_roots, load_config
from vosbench.errors import UsageError


def test_order_of_data_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text('data_roots = ["/from/config"]\ndisable = ["bad"]\n')
    monkeypatch.setenv("VOSBENCH_DATA", os.pathsep.join(["/from/env", "/and/more", ""]))
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    given = (Path("/given"),)
    expected = ("/given", "/from/env", "/and/more", "/from/config", str(cache_path() / "datasets"))
    assert data_roots(given) == tuple(map(Path, expected))
    assert load_config().disable == ("bad",)


def test_there_is_always_a_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOSBENCH_DATA", raising=False)
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path))
    assert data_roots() == (tmp_path / "datasets",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data_roots = [", "not valid TOML"),
        ('data_root = ["/a"]', "unknown key 'data_root'"),
        ('data_roots = "/a"', "data_roots must be a list"),
        ("disable = [1]", "disable must be a list"),
    ],
)
def test_faults_name_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(UsageError, match=said) as error:
        load_config()
    assert str(tmp_path / "config.toml") in error.value.message
