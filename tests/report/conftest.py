"""Two finished runs over three small videos with hostile names, and a browser to look at them."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vosbench.cli import main
from vosbench.datasets.base import Dataset
from vosbench.datasets.folder import load
from vosbench.datasets.reading import write_labels
from vosbench.store import Run, RunRecord, SequenceRecord

SIZE = (48, 64)
FRAMES = 12
HOSTILE = "<img src=x onerror=document.title='broken'>"
SEQUENCES = (HOSTILE, "bee", "cat")
#: A way out of a script element that holds JSON.
BREAKOUT = "</script><script>document.title='broken'</script>"


def truth(sequence: int, frame: int) -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[8:28, 4 + 3 * frame : 24 + 3 * frame] = 1
    labels[32:44, 20 : 30 + 4 * sequence] = 2
    return labels


def answer(sequence: int, frame: int, shift: int, lost_from: int) -> np.ndarray:
    """The truth moved down; object 1 of "bee" disappears in frame `lost_from`."""
    labels = np.roll(truth(sequence, frame), shift if frame else 0, axis=0)
    if SEQUENCES[sequence] == "bee" and frame >= lost_from:
        labels[labels == 1] = 0
    return labels


@pytest.fixture(scope="session")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("report") / "toys"
    noise = np.random.default_rng(0)
    for number, name in enumerate(SEQUENCES):
        for frame in range(FRAMES):
            image = root / "JPEGImages" / name / f"{frame:05d}.jpg"
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, 255, (*SIZE, 3), np.uint8)).save(image)
            write_labels(root / "Annotations" / name / f"{frame:05d}.png", truth(number, frame))
    return load(root)


@pytest.fixture(scope="session")
def results(toys: Dataset) -> Path:
    """Runs of "good" (one pixel off, loses an object) and "poor" (five pixels off)."""
    folder = toys.root.parent / "results"
    _run(folder, toys, "good", shift=1, lost_from=8)
    _run(folder, toys, "poor", shift=5, lost_from=FRAMES)
    return folder


def _run(results: Path, toys: Dataset, tracker: str, shift: int, lost_from: int) -> Run:
    record = RunRecord(
        tracker=tracker,
        dataset="toys",
        options={"words": BREAKOUT},
        changed={},
        seed=0,
        device="cpu",
        fingerprint=toys.fingerprint(),
        protocol=toys.protocol,
        sequences=[sequence.name for sequence in toys.sequences],
        hardware={"cpu": "<b>slow</b>", "cores": 2, "memory_bytes": 2**30},
        status="complete",
    )
    run = Run(results / "toys" / record.name, record)
    run.save()
    for sequence in toys.sequences:
        number = SEQUENCES.index(sequence.name)
        folder = run.clear_sequence(sequence.name)
        for frame in range(FRAMES):
            write_labels(folder / f"{frame:05d}.png", answer(number, frame, shift, lost_from))
        measured = {
            "frames": FRAMES,
            "objects": 2,
            "init_seconds": 0.1,
            "track_seconds": [0.1 * shift] * (FRAMES - 1),
            "update_seconds": [],
        }
        run.save_sequence(SequenceRecord.success(sequence.name, measured))
    return run


Report = Callable[..., Path]


@pytest.fixture(scope="session")
def report(toys: Dataset, results: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Write a report of the runs with further options; gives the file."""

    def write(*options: str, data: str = str(toys.root)) -> Path:
        path = tmp_path_factory.mktemp("page") / "report.html"
        arguments = ["report", "--dataset", data, "--results", str(results), "--output", str(path)]
        result = CliRunner().invoke(main, [*arguments, *options])
        assert result.exit_code == 0, result.output
        return path

    return write


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium; skips loudly where it is absent."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        message = "no chromium and chromedriver here: tests of the report's page are SKIPPED"
        warnings.warn(message, stacklevel=2)
        pytest.skip(message)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("profile")
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        "disable-dev-shm-usage", f"user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield window
    window.quit()


@pytest.fixture(scope="session")
def file(report: Report) -> Path:
    return report("--frames", "6")


@pytest.fixture(scope="session")
def resize(browser: Any) -> Callable[..., None]:
    """Sets the size of the window and the colours that its user prefers."""

    def apply(page: Any, width: int, scheme: str = "light", height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    return apply


@pytest.fixture
def page(browser: Any, file: Path, resize: Callable[..., None]) -> Iterator[Any]:
    """Opened anew at desktop size and set up; afterwards it must not have complained."""
    from selenium.webdriver.support.ui import WebDriverWait

    resize(browser, 1440)
    browser.get(file.as_uri())
    there = """
        const all = [...document.querySelectorAll("#pictures canvas")];
        return "ready" in document.body.dataset && all.every((c) => "painted" in c.dataset);
    """
    WebDriverWait(browser, 20, 0.02).until(lambda _: browser.execute_script(there))
    yield browser
    assert browser.get_log("browser") == []
