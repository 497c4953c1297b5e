"""The report of eight trackers on thirty sequences: time to write, size, time to the first picture.

    VOSBENCH_DATA=/data python benchmarks/report.py [FOLDER]

The trackers are made from the annotations of DAVIS-2016 train, each with a fault of its own (lag,
drift, swelling, holes, loss), so that it takes no tracker to run this and masks are as large as
real ones. Runs are kept in FOLDER and made once. Chromium and chromedriver are needed for the
second half; without them it is left out. The last result is in `report.md`.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from vosbench.config import data_roots
from vosbench.datasets.base import Dataset
from vosbench.datasets.reading import write_labels
from vosbench.datasets.registry import open_dataset
from vosbench.plugins import Plugins
from vosbench.store import Run, RunRecord, SequenceRecord

DATASET = "davis16-train"
Fault = Callable[[list[np.ndarray], int], np.ndarray]


def moved(truths: list[np.ndarray], i: int, step: float) -> np.ndarray:
    return np.roll(truths[i], round(step * i), axis=1)


def swollen(truths: list[np.ndarray], i: int, side: int) -> np.ndarray:
    return cv2.dilate(truths[i], np.ones((side, side), np.uint8))


def shrunk(truths: list[np.ndarray], i: int, side: int) -> np.ndarray:
    return cv2.erode(truths[i], np.ones((side, side), np.uint8))


def holed(truths: list[np.ndarray], i: int) -> np.ndarray:
    noise = np.random.default_rng(i).random((30, 54)) < 0.25
    holes = cv2.resize(noise.astype(np.uint8), truths[i].shape[::-1])
    return np.where(holes, 0, truths[i]).astype(np.uint8)


def lost(truths: list[np.ndarray], i: int) -> np.ndarray:
    return truths[i] if i < 0.6 * len(truths) else np.zeros_like(truths[i])


FAULTS: dict[str, Fault] = {
    "lags-two-frames": lambda t, i: t[max(0, i - 2)],
    "lags-eight-frames": lambda t, i: t[max(0, i - 8)],
    "drifts": lambda t, i: moved(t, i, 0.5),
    "swells": lambda t, i: swollen(t, i, 15),
    "shrinks": lambda t, i: shrunk(t, i, 9),
    "has-holes": holed,
    "loses-the-object": lost,
    "never-moves": lambda t, i: t[0 * i],
}


def make_runs(dataset: Dataset, results: Path) -> None:
    records = {}
    for number, name in enumerate(FAULTS):
        record = RunRecord(
            tracker=name, dataset=dataset.name, options={}, changed={}, seed=0, device="cpu",
            fingerprint=dataset.fingerprint(), protocol=dataset.protocol,
            sequences=[video.name for video in dataset.sequences], whole=dataset.size,
            started=f"2026-01-01T00:00:{number:02}+00:00", status="complete",
        )  # fmt: skip
        records[name] = Run(results / dataset.name / name, record)
        records[name].save()
    for video in dataset.sequences:
        truths = [video.labels(i) for i in range(len(video))]
        for number, (name, fault) in enumerate(FAULTS.items()):
            folder = records[name].clear_sequence(video.name)
            for i, path in enumerate(video.frames):
                mask = truths[0] if i == 0 else fault(truths, i)
                write_labels(folder / f"{path.stem}.png", mask)
            seconds = 0.02 * (1 + number)
            measured = {
                "frames": len(video), "objects": len(video.objects), "init_seconds": seconds,
                "track_seconds": [seconds] * (len(video) - 1), "update_seconds": [],
            }  # fmt: skip
            records[name].save_sequence(SequenceRecord.success(video.name, measured))


def write(results: Path, page: Path) -> str:
    command = [sys.executable, "-m", "vosbench", "report", "--dataset", DATASET]
    command += ["--results", str(results), "--output", str(page)]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    load = os.getloadavg()[0]
    return f"{time.perf_counter() - start:.1f} s, {cpu:.1f} s of CPU, load {load:.1f}"


def look(page: Path) -> None:
    """Seconds to the first picture, and where the slider is, at 1440x900."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1440,900"):
        options.add_argument(f"--{flag}")
    driver = webdriver.ChromeService(shutil.which("chromedriver"))
    window = webdriver.Chrome(options=options, service=driver)
    size = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    painted = """
        const done = arguments[0];
        const look = () => {
          const all = [...document.querySelectorAll("#pictures canvas")];
          if (all.length && all.every((c) => "painted" in c.dataset)) done(performance.now());
          else setTimeout(look, 5);
        };
        look();
    """
    window.get(page.as_uri())
    first = window.execute_async_script(painted)
    window.execute_script("document.getElementById('frames').scrollIntoView()")
    place = window.execute_script(
        "const b = document.getElementById('slider').getBoundingClientRect();"
        "return [b.top, b.bottom, innerHeight]"
    )
    step = window.execute_async_script("""
        const done = arguments[0], slider = document.getElementById("slider");
        const times = [];
        (async () => {
          for (let i = 0; i < 20; i++) {
            const start = performance.now();
            await showPlace(i);
            times.push(performance.now() - start);
          }
          done(times.sort((a, b) => a - b)[10]);
        })();
    """)
    window.quit()
    print(f"first pictures of all trackers after {first / 1000:.2f} s")
    print(
        f"slider from y={place[0]:.0f} to {place[1]:.0f} of {place[2]}; a step takes {step:.0f} ms"
    )


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "report-benchmark")
    results, page = folder / "results", folder / "report.html"
    if not results.exists():
        make_runs(open_dataset(DATASET, Plugins(), data_roots(())), results)
    print(f"first time, scoring included: {write(results, page)}")
    print(f"written in {write(results, page)}; {page.stat().st_size / 1e6:.1f} MB")
    if shutil.which("chromium") and shutil.which("chromedriver"):
        look(page.resolve())


if __name__ == "__main__":
    main()
