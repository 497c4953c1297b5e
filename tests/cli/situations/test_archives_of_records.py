"""Archives as downloaded are compared with what public records say of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

DATA = b"an archive, surely"
PLUGIN = """
from vosbench import DatasetSpec, hookimpl
from vosbench.datasets.base import Archive

@hookimpl
def vosbench_register_datasets(register):
    for name, certain in (("sure", True), ("single", False)):
        register(DatasetSpec(
            name=name, summary="", load=lambda folder: None, locate=lambda root: None,
            protocol="davis2017",
            by_hand=(Archive(url=name + ".zip", into="", sha256="{digest}", size={size},
                             certain=certain),),
        ))
"""


@pytest.fixture(autouse=True)
def plugin(tmp_path: Path) -> None:
    text = PLUGIN.replace("{digest}", hashlib.sha256(DATA).hexdigest())
    (tmp_path / "known.py").write_text(text.replace("{size}", str(len(DATA))))


@pytest.mark.parametrize("name", ["sure.zip", "single.zip", "renamed.zip"])
def test_the_right_archive_is_known(tmp_path: Path, vosbench, name: str) -> None:
    (tmp_path / name).write_bytes(DATA)
    result = vosbench("datasets", "verify", name, "--plugin", "known.py")
    assert result.exit_code == 0, result.output
    assert "size and SHA-256 are right" in result.output


@pytest.mark.parametrize("data", [DATA[:-1], DATA[:-1] + b"!"])
def test_another_archive_is_refused_or_doubted(tmp_path: Path, vosbench, data: bytes) -> None:
    what = "has 17 bytes" if len(data) < len(DATA) else "has the SHA-256"
    (tmp_path / "sure.zip").write_bytes(data)
    result = vosbench("datasets", "verify", "sure.zip", "--plugin", "known.py")
    assert result.exit_code == 3
    assert f"error: sure.zip {what}" in result.output
    assert "public records agree on" in result.output
    (tmp_path / "sure.zip").rename(tmp_path / "single.zip")
    result = vosbench("datasets", "verify", "single.zip", "--plugin", "known.py")
    assert result.exit_code == 0
    assert f"warning: single.zip {what}" in result.output
    assert "one public record says" in result.output


def test_archives_of_the_benchmarks_are_recognised(tmp_path: Path, vosbench) -> None:
    (tmp_path / "DAVIS-2017-trainval-480p.zip").write_bytes(DATA)
    result = vosbench("datasets", "verify", "DAVIS-2017-trainval-480p.zip")
    assert result.exit_code == 3
    assert "has 18 bytes, public records agree on 832,766,765" in result.output
    (tmp_path / "valid.tar").write_bytes(DATA)
    assert vosbench("datasets", "verify", "valid.tar").exit_code == 0
    (tmp_path / "other.zip").write_bytes(DATA + b"?")
    result = vosbench("datasets", "verify", "other.zip")
    assert result.exit_code == 3
    assert "no digest is known of other.zip" in result.output
