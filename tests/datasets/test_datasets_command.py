"""`vosbench datasets` as users type it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from vosbench.cli import main

from .conftest import blob


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VOSBENCH_DATA", raising=False)
    return lambda *arguments: CliRunner().invoke(main, ["datasets", *map(str, arguments)])


def test_list(run: Callable[..., Result], davis_root: Path, tmp_path: Path) -> None:
    result = run("--data-root", davis_root.parent)
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines() if line.strip()}
    assert str(davis_root) in lines["davis16-train"]
    assert lines["davis17-val"].endswith("fetch")
    assert "form: youtube-vos.org" in lines["ytvos19-valid-all-frames"]
    assert str(tmp_path / "config.toml") in result.output


def test_list_as_json(run: Callable[..., Result], davis_root: Path, tmp_path: Path) -> None:
    result = run("--json", "--data-root", davis_root.parent)
    document = json.loads(result.output)
    by_name = {entry["name"]: entry for entry in document["datasets"]}
    assert by_name["davis16-train"]["installed"]
    assert by_name["davis16-train"]["folder"] == str(davis_root)
    assert by_name["davis16-train"]["sequences"] == 30
    assert not by_name["demo"]["installed"], "listing renders nothing"
    assert by_name["davis17-val"]["how"] == "vosbench datasets fetch davis17-val"
    assert all(entry["licence"] and entry["homepage"] for entry in document["datasets"])
    assert document["config"] == str(tmp_path / "config.toml")


def test_fetch_says_where_to_go(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("fetch", "ytvos19-valid", "--data-root", tmp_path)
    assert result.exit_code == 3
    assert "youtube-vos.org" in result.output
    assert str(tmp_path / "YouTube-VOS/2019/valid") in result.output


def test_fetch_of_what_is_installed(run: Callable[..., Result], davis_root: Path) -> None:
    result = run("fetch", "davis16-train", "--data-root", davis_root.parent)
    assert result.exit_code == 0
    assert f"installed in {davis_root}" in result.output


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_unknown_name(run: Callable[..., Result], command: str) -> None:
    result = run(command, "davis16-vall")
    assert result.exit_code == 3
    assert "Did you mean davis16-val" in result.output


def test_verify(
    run: Callable[..., Result], tmp_path: Path, write_sequence: Callable[..., None]
) -> None:
    for name in ("a", "b", "c"):
        write_sequence(tmp_path / "mine", name, {i: blob(1) for i in range(4)})
    result = run("verify", tmp_path / "mine")
    assert result.exit_code == 0
    assert "is whole: 3 sequences, 12 frames" in result.output

    (tmp_path / "mine/Annotations/480p/a/00000.png").write_bytes(b"")
    (tmp_path / "mine/JPEGImages/480p/c/00002.jpg").write_bytes(b"")
    result = run("verify", tmp_path / "mine")
    assert result.exit_code == 3
    assert "a/00000.png" in result.output, "a dataset that cannot be opened is verified too"
    assert "c/00002.jpg" in result.output
    assert "has 2 problem(s)" in result.output
    document = json.loads(run("verify", tmp_path / "mine", "--json").stdout)
    assert len(document["problems"]) == 2
