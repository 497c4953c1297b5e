"""Archives are unpacked whole or not at all, and never outside their folder."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from vosbench.datasets.archives import check_space, unpack
from vosbench.errors import DatasetError


def silent(what: str, done: int, total: int) -> None:
    pass


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, *members: tarfile.TarInfo | tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_zip_and_tar(tmp_path: Path) -> None:
    files = {"DAVIS/a/1.txt": b"one", "DAVIS/b.txt": b"two", "__MACOSX/a": b"no", "DAVIS/c/": b""}
    unpack(write_zip(tmp_path / "a.zip", files), tmp_path / "zip", "DAVIS", silent)
    tar = write_tar(tmp_path / "a.tar.gz", ("./DAVIS/a/1.txt", b"one"), ("DAVIS/b.txt", b"two"))
    unpack(tar, tmp_path / "tar", "DAVIS", silent)
    expected = {"a/1.txt": b"one", "b.txt": b"two"}
    assert contents(tmp_path / "zip") == contents(tmp_path / "tar") == expected
    assert (tmp_path / "zip" / "c").is_dir()


@pytest.mark.parametrize(
    "name",
    ["../out", "a/../../out", "/etc/out", "C:/out", "a\\..\\..\\out", "//server/out", ".."],
)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_path_that_leads_out(tmp_path: Path, name: str, kind: str) -> None:
    home = tmp_path / "root"
    home.mkdir()
    if kind == "zip":
        file = write_zip(home / "bad.zip", {"a.txt": b"good", name: b"bad"})
    else:
        file = write_tar(home / "bad.tar", ("a.txt", b"good"), (name, b"bad"))
    with pytest.raises(DatasetError, match="leads out of the archive"):
        unpack(file, home / "data", "", silent)
    assert [path.name for path in home.iterdir()] == [file.name]
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_tar(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("link")
    info.type = kind
    info.linkname = "/etc/passwd"
    file = write_tar(tmp_path / "bad.tar", ("a.txt", b"good"), info, ("link/b.txt", b"bad"))
    with pytest.raises(DatasetError, match="neither file nor folder"):
        unpack(file, tmp_path / "data", "", silent)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_zip(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DatasetError, match="neither file nor folder"):
        unpack(tmp_path / "bad.zip", tmp_path / "data", "", silent)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("harm", ["text", "cut", "flip"])
def test_broken_archive_leaves_nothing(tmp_path: Path, harm: str) -> None:
    file = write_zip(tmp_path / "a.zip", {"a.bin": bytes(range(256)) * 200})
    data = bytearray(file.read_bytes())
    if harm == "text":
        data[:] = b"<html>not found</html>"
    elif harm == "cut":
        del data[len(data) // 2 :]
    else:
        data[60] ^= 0xFF
    file.write_bytes(data)
    with pytest.raises(DatasetError, match=r"a\.zip is no whole archive"):
        unpack(file, tmp_path / "data", "", silent)
    assert not list(tmp_path.iterdir()), "the broken download is removed, nothing is unpacked"


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    file = write_zip(tmp_path / "a.zip", {"other/a.txt": b"x"})
    with pytest.raises(DatasetError, match="holds no folder DAVIS"):
        unpack(file, tmp_path / "data", "DAVIS", silent)


def test_full_disk_is_said_before(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"needs 1000000000\.0 GB"):
        check_space(tmp_path, 10**18, "a.zip")
