"""What the harness itself costs: per frame, end to end, and to say --help.

    python benchmarks/harness.py --write

needs VOSBENCH_DATA with DAVIS. Takes medians, compares within one run, and gives processor time
beside elapsed time, which other programs do not change. `--write` puts the result into harness.md
beside this file.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench import Capabilities, Context, Prediction
from vosbench.config import data_roots
from vosbench.datasets.base import Dataset
from vosbench.datasets.reading import read_image, write_labels
from vosbench.datasets.registry import open_dataset, select
from vosbench.plugins import Plugins
from vosbench.running.executors.protocol import Channel
from vosbench.running.load import cores
from vosbench.running.runner import run
from vosbench.tracking.clip import Clip
from vosbench.tracking.session import Session
from vosbench.types import Frame, LabelMap, Scores

SIZE = (480, 854)


class Ready:
    """A tracker whose answers are there already: labels, or probabilities of its objects."""

    def __init__(self, answer: Prediction) -> None:
        self._answer = answer

    def init(self, *_: object) -> None:
        pass

    def track(self, *_: object) -> Prediction:
        return self._answer

    def update(self, *_: object) -> None:
        pass


class Still:
    """A video in memory."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._image = np.zeros((*SIZE, 3), np.uint8)

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int) -> Frame:
        return Frame(self._image, index, f"{index:05d}")


def own_cost(answer: Prediction, objects: int, frames: int = 200) -> float:
    """Milliseconds of processor time per frame that a session and its messages take, the fusion
    of scores deducted, which counts as the tracker's."""
    masks = {obj: np.zeros(SIZE, bool) for obj in range(1, objects + 1)}
    for obj, mask in masks.items():
        mask[obj * 40 : obj * 40 + 30, 100:300] = True
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("r+b", buffering=0) as null:
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        ctx = Context("cpu", 0, {}, scratch, logging.getLogger("benchmark"))
        channel = Channel(null, null)

        def on_call(call: str, index: int) -> None:
            channel.send({"type": "call", "call": call, "frame": index})

        def emit(index: int, labels: LabelMap, variants: object) -> None:
            pass

        session = Session(Ready(answer), Capabilities())
        began = time.process_time()
        session.run(Clip("still", Still(frames), {0: masks}), ctx, emit, on_call)
        whole = time.process_time() - began
    began = time.process_time()
    for _ in range(frames - 1):
        answer.label_map()
    fusion = time.process_time() - began
    return 1000 * (whole - fusion) / frames


def clock() -> NDArray[np.float64]:
    """Elapsed seconds, and processor seconds of this process and those it has ended."""
    times = os.times()
    spent = times.user + times.system + times.children_user + times.children_system
    return np.array([time.perf_counter(), spent])


def decode_and_encode(dataset: Dataset, folder: Path) -> NDArray[np.float64]:
    """`clock` to decode every frame and to encode as many masks, one after the other."""
    began = clock()
    for sequence in dataset.sequences:
        labels = sequence.labels(0)
        assert labels is not None
        for path in sequence.frames:
            read_image(path)
            write_labels(folder / sequence.name / f"{path.stem}.png", labels)
    return clock() - began


def end_to_end(plugins: Plugins, dataset: Dataset, folder: Path) -> NDArray[np.float64]:
    """`clock` of a whole run of the trivial tracker: process start, fingerprint and all."""
    began = clock()
    made = run(plugins, dataset, "copy-first", results=folder)[0]
    assert made.complete
    return clock() - began


def help_seconds() -> NDArray[np.float64]:
    """`clock` of `vosbench --help`."""
    began = clock()
    subprocess.run([sys.executable, "-m", "vosbench", "--help"], check=True, capture_output=True)
    return clock() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="davis16-train")
    parser.add_argument("--limit", type=int, help="only the first N sequences")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="write harness.md")
    arguments = parser.parse_args()

    labels = Prediction.from_labels(np.zeros(SIZE, np.uint8))
    scores: Scores = np.full((3, *SIZE), 0.25, np.float32)
    probabilities = Prediction.from_probabilities([1, 2, 3], scores)
    repeats = range(3 * arguments.repeats)
    of_labels = statistics.median(own_cost(labels, 1) for _ in repeats)
    of_scores = statistics.median(own_cost(probabilities, 3) for _ in repeats)

    plugins = Plugins()
    dataset = select(open_dataset(arguments.dataset, plugins, data_roots()), (), arguments.limit)
    frames = sum(len(sequence) for sequence in dataset.sequences)
    pairs = []
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            alone = decode_and_encode(dataset, Path(folder, "alone"))
            pairs.append((alone, end_to_end(plugins, dataset, Path(folder, "run"))))
    ratio = np.median([whole / alone for alone, whole in pairs], axis=0)
    alone, whole = np.median(pairs, axis=0)
    spoken = np.median([help_seconds() for _ in repeats], axis=0)

    limit = f" --limit {arguments.limit}" if arguments.limit else ""
    command = f"python benchmarks/harness.py{limit}"
    report = f"""# What the harness costs

`{command} --write`, Python {platform.python_version()}, {cores()} cores, \
load {os.getloadavg()[0]:.1f}

| measure | limit | elapsed | processor |
|---|---|---|---|
| own cost per frame, 854x480, labels of 1 object (ms) | 1 | | {of_labels:.2f} |
| own cost per frame, 854x480, probabilities of 3 objects (ms) | 1 | | {of_scores:.2f} |
| `copy-first` on {dataset.name} over decoding and encoding alone | 1.3 | {ratio[0]:.2f} | \
{ratio[1]:.2f} |
| `vosbench --help` (s) | 0.3 | {spoken[0]:.2f} | {spoken[1]:.2f} |

Own cost is everything but the tracker's time, decoding and encoding: reading ahead, guards, hooks,
checks of the answer, given masks, messages. {frames} frames took {whole[0]:.1f} s end to end
({1000 * whole[0] / frames:.1f} ms each; {whole[1]:.1f} s of processor time), process start and
fingerprint included; decoding and encoding them alone, in one thread, took {alone[0]:.1f} s
({alone[1]:.1f} s). Medians of {arguments.repeats} alternating runs.
"""
    print(report)
    if arguments.write:
        Path(__file__).with_suffix(".md").write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
