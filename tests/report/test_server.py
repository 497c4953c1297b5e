"""`vosbench view`: the page served to this machine, and nothing else."""

from __future__ import annotations

import http.client
import json
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from vosbench.analysis.scored import score_run, select_runs
from vosbench.datasets.base import Dataset
from vosbench.report.content import Material, choose_frames
from vosbench.report.page import Beside
from vosbench.report.server import ReportServer


@pytest.fixture(scope="module")
def server(toys: Dataset, results: Path) -> Iterator[ReportServer]:
    runs = [score_run(run, lambda: toys) for run in select_runs(results, "toys")]
    clips = choose_frames(runs, toys.sequences, width=960)
    material = Material(name="toys", runs=runs, clips=clips, tags={}, remote=True)
    with ReportServer(material, Beside()) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def get(server: ReportServer, path: str, host: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_it_listens_to_this_machine_only(server) -> None:
    assert server.server_address[0] == "127.0.0.1"


def test_every_frame_is_there(server, toys: Dataset) -> None:
    status, page = get(server, f"/{server.token}/")
    assert status == 200 and b"connect-src" in page and b"data:image" not in page
    facts = json.loads(get(server, f"/{server.token}/sequence/1")[1])
    assert facts["name"] == "bee" and facts["shown"] == list(range(12))
    assert get(server, f"/{server.token}/picture/1/7")[1][8:12] == b"WEBP"
    height, width = facts["size"]
    maps = zlib.decompress(get(server, f"/{server.token}/maps/1/7")[1])
    assert maps[:3] == b"\x01\x01\x01" and len(maps) == 3 + 3 * height * width


@pytest.mark.parametrize(
    "path",
    [
        "/", "/sequence/0", "/wrong/", "/TOKEN/../", "/TOKEN/%2e%2e/run.json", "/TOKEN/run.json",
        "/TOKEN/sequence/3", "/TOKEN/sequence/-1", "/TOKEN/sequence/../../x", "/TOKEN/picture/0/99",
        "/TOKEN/maps/9/0", "/TOKEN//etc/passwd", "/TOKEN",
    ],
)  # fmt: skip
def test_nothing_else_is(server, path: str) -> None:
    assert get(server, path.replace("TOKEN", server.token))[0] == 404


def test_other_names_for_this_machine_are_refused(server) -> None:
    assert get(server, f"/{server.token}/", host=f"evil.example:{server.server_port}")[0] == 403
    assert get(server, f"/{server.token}/", host=f"localhost:{server.server_port}")[0] == 200


def test_a_mask_of_the_wrong_size_is_named(server, results: Path) -> None:
    from vosbench.datasets.reading import write_labels

    path = results / "toys" / "poor" / "masks" / "cat" / "00003.png"
    whole = path.read_bytes()
    try:
        import numpy as np

        write_labels(path, np.zeros((2, 2), np.uint8))
        status, text = get(server, f"/{server.token}/maps/2/3")
        assert status == 409 and b"00003 of cat is 2x2" in text
    finally:
        path.write_bytes(whole)


def test_the_page_works_in_a_browser(server, browser) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(server.address)
    script = """
        const all = [...document.querySelectorAll("#pictures canvas")];
        return all.length === 2 && all.every((canvas) => "painted" in canvas.dataset);
    """
    WebDriverWait(browser, 20).until(lambda _: browser.execute_script(script))
    assert browser.find_element(By.ID, "slider").get_property("max") == "11"
    assert [e for e in browser.get_log("browser") if "favicon" not in e["message"]] == []
