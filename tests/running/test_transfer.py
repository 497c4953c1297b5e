"""Parts that go to a URL and come back make the run that one machine makes; what arrives otherwise
than it was sent is refused."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import sys
import threading
import zipfile

import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.store import Run


def vosbench(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def parts(go):
    """Two results folders, each with a part of one run."""
    dealt = {"part-1": ["bee"], "part-2": ["ant", "cat"]}
    return [go(sequences=names, results=name).folder.parents[1] for name, names in dealt.items()]


@pytest.fixture
def server(tmp_path):
    """Address of a local HTTP server of the folder `sent`."""
    (tmp_path / "sent").mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "sent")
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()


@pytest.mark.parametrize("kind", ["memory", "http"])
def test_parts_go_through_any_place(go, parts, masks, tmp_path, server, kind):
    pytest.importorskip("aiohttp" if kind == "http" else "fsspec")
    there = "memory://bucket" if kind == "memory" else (tmp_path / "sent").as_uri()
    for part in parts:
        sent = vosbench("push", part, f"{there}/{part.name}.zip")
        assert sent.exit_code == 0, sent.output
        assert "masks of 1 runs" in sent.output
    found = f"{server if kind == 'http' else there}/part-*.zip"
    merged = vosbench("merge", found, "--results", tmp_path / "merged")
    assert merged.exit_code == 0, merged.output
    assert "3 sequences of 2 parts" in merged.output
    run = Run.open(tmp_path / "merged/tiny/fake")
    assert run.complete
    assert masks(run) == masks(go())


def test_nothing_that_is_there_is_lost(go, parts, tmp_path):
    url = f"memory://kept/{tmp_path.name}.zip"
    for _ in range(2):  # as a job that is queued again does
        assert vosbench("push", parts[0], url).exit_code == 0
    other = vosbench("push", parts[1], url)
    assert other.exit_code == 5
    assert f"there is another file at {url}" in other.output
    assert "--fresh" in other.output
    assert vosbench("push", parts[1], url, "--fresh").exit_code == 0
    merged = vosbench("merge", url, "--results", tmp_path / "merged", "--partial")
    assert "2 sequences of 1 parts" in merged.output

    record = parts[0] / "tiny/fake/run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"status": "running"}))
    early = vosbench("push", parts[0], url, "--fresh")
    assert early.exit_code == 5
    assert "fake is running" in early.output
    (parts[0] / "tiny/fake/masks/bee/00002.png").write_bytes(b"")
    lost = vosbench("push", parts[0], url, "--fresh", "--partial")
    assert lost.exit_code == 5
    assert "the masks of bee are not what was recorded" in lost.output


def rewritten(path, change):
    """The archive with other members: `change` gets them by name."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    compression = change(members) or zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def leading_out(members):
    listed = json.loads(members["manifest.json"])
    listed["../../outside.txt"] = listed["tiny/fake/run.json"]
    members["manifest.json"] = json.dumps(listed).encode()
    members["../../outside.txt"] = members["tiny/fake/run.json"]


def set_run(**values):
    """A record that says something else, with a manifest that vouches for it."""

    def change(members):
        import hashlib

        name = "tiny/fake/run.json"
        data = json.dumps(json.loads(members[name]) | values).encode()
        listed = json.loads(members["manifest.json"])
        listed[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        members[name], members["manifest.json"] = data, json.dumps(listed).encode()

    return change


MASK = "tiny/fake/masks/bee/00002.png"
DAMAGE = {
    "a mask missing": (lambda m: m.pop(MASK) and None, "it holds 6 files, 7 were sent"),
    "a file more": (lambda m: m.update(more=b""), "it holds 8 files, 7 were sent"),
    "another mask": (lambda m: m.update({MASK: m[MASK][::-1]}), f"{MASK} is not what was sent"),
    "a longer mask": (lambda m: m.update({MASK: m[MASK] * 2}), f"{MASK} is not what was sent"),
    "no list": (lambda m: m.pop("manifest.json") and None, "it has no manifest.json"),
    "a list of another kind": (lambda m: m.update({"manifest.json": b"[]"}), "holds no object"),
    "compressed": (lambda _: zipfile.ZIP_DEFLATED, "is not what was sent"),
    "a path that leads out": (leading_out, "'..' cannot name a folder"),
    "a sequence that leads out": (set_run(sequences=["../../outside"]), "made on other data"),
    "a run that leads out": (set_run(tracker="../outside"), "cannot name a folder"),
}


def test_what_arrives_otherwise_than_sent_is_refused(parts, dataset, tmp_path):
    sent, results = tmp_path / "deep/er/part-1.zip", tmp_path / "a/b/merged"
    sent.parent.mkdir(parents=True)
    assert vosbench("push", parts[0], sent.as_uri()).exit_code == 0
    sound = sent.read_bytes()
    command = ("merge", sent.as_uri(), "--partial", "--results", results, "--dataset", dataset.root)

    def refused(what, message):
        merged = vosbench(*command)
        assert merged.exit_code == 5, (what, merged.output)
        assert message in merged.output, what
        assert "Traceback" not in merged.output
        assert not results.exists()
        assert not list(tmp_path.rglob("outside*"))

    for what, (change, message) in DAMAGE.items():
        sent.write_bytes(sound)
        rewritten(sent, change)
        refused(what, message)
    for what, data in {"cut off": sound[:-30], "no archive": b"<html>", "empty": b""}.items():
        sent.write_bytes(data)
        refused(what, "part-1.zip is no whole archive of runs: File is not a zip file")
    sent.write_bytes(sound)
    assert vosbench(*command).exit_code == 0


def test_places_that_cannot_be_reached_are_named(parts, server, tmp_path, monkeypatch):
    pytest.importorskip("aiohttp")

    def answer(*arguments):
        result = vosbench(*arguments)
        assert "Traceback" not in result.output
        return result.exit_code, result.output

    merge = ("merge", "--results", tmp_path / "merged")
    code, said = answer(*merge, f"{server}/part-1.zip")
    assert code == 7 and f"{server}/part-1.zip cannot be read: FileNotFoundError" in said
    code, said = answer(*merge, "memory://empty/part-*.zip")
    assert code == 5 and "there is nothing at memory://empty/part-*.zip" in said
    code, said = answer("push", parts[0], f"{server}/part-1.zip")
    assert code == 7 and f"{server}/part-1.zip cannot be written: " in said
    code, said = answer("push", parts[0], "nowhere://part-1.zip")
    assert code == 2 and "nowhere://part-1.zip: Protocol not known: nowhere" in said
    if importlib.util.find_spec("s3fs") is None:
        code, said = answer("push", parts[0], "s3://bucket/part-1.zip")
        assert code == 2 and "s3://bucket/part-1.zip: Install s3fs to access S3" in said
    monkeypatch.setitem(sys.modules, "fsspec", None)
    code, said = answer("push", parts[0], "memory://bucket/part-1.zip")
    assert code == 2 and "fsspec is not installed" in said and "vosbench[remote]" in said
