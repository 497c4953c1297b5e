"""A small dataset with a run over it, and a server of the folder that a fault works in."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.testing import moving_discs


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small dataset and one run over it."""
    folder = tmp_path_factory.mktemp("made")
    for video in (
        moving_discs("discs", (48, 64), 4, {1: 0, 2: 0}),
        moving_discs("more", (48, 64), 4, {1: 0}),
    ):
        images = folder / "data" / "JPEGImages" / "480p" / video.name
        images.mkdir(parents=True)
        for index, image in enumerate(video.images):
            cv2.imwrite(str(images / f"{index:05d}.jpg"), image[..., ::-1])
        video.write_annotations(folder / "data" / "Annotations" / "480p")
    arguments = ["run", "--tracker", "copy-first", "--dataset", str(folder / "data")]
    result = CliRunner().invoke(main, [*arguments, "--results", str(folder / "results")])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A local HTTP server of the working folder."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def _cluster() -> Iterator[str]:
    """Address of a Ray cluster of one node on this machine."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def cluster(_cluster: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """That cluster is where `--executor ray` goes."""
    import ray

    monkeypatch.setenv("RAY_ADDRESS", _cluster)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    ray.shutdown()


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it as the working folder, with nothing of the user's own around."""
    for name in ("data", "results"):
        shutil.copytree(made / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VOSBENCH_DATA", raising=False)
    monkeypatch.setenv("VOSBENCH_CACHE", "cache")
    monkeypatch.setenv("VOSBENCH_CONFIG", "config.toml")
    return tmp_path
