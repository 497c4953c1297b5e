"""The evaluator beside vos-benchmark: same masks, same scores, one process each, in turns.

    pip install 'vosbench[peer]'
    python benchmarks/evaluator.py                 # masks drawn from formulas
    python benchmarks/evaluator.py --davis ROOT    # and sequences of DAVIS-2016 under ROOT/DAVIS
    python benchmarks/evaluator.py --stored        # what it costs to show scores that are stored

Times are CPU seconds of one process, so that they hold on a machine that does other work too;
each figure is the median over rounds in which both programs score every sequence once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scale import make_dataset

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.png import read_png_labels
from vosbench.datasets.reading import davis_palette
from vosbench.evaluation import evaluate
from vosbench.evaluation.key import masks_digest
from vosbench.evaluation.score import score_sequence
from vosbench.metrics.protocols import find_protocol

HEIGHT, WIDTH = 480, 854
#: The official program, davis2017-evaluation, takes about 25 ms per object and frame of this size;
#: a twentieth of that is the budget.
BUDGET_MS = 25 / 20
#: Sequences taken from DAVIS-2016.
BORROWED = 4


def draw(folder: Path, sequences: int, frames: int, objects: int) -> Dataset:
    """Blobs that move, grow and overlap, and predictions that lag behind and wobble."""
    videos = []
    for number in range(sequences):
        name = f"{objects}-objects-{number}"
        rng = np.random.default_rng(number)
        centres = rng.uniform((0.2, 0.2), (0.8, 0.8), (objects, 2)) * (HEIGHT, WIDTH)
        speeds, sizes = rng.uniform(-2, 2, (objects, 2)), rng.uniform(40, 170, objects)
        for t in range(frames):
            truth = blobs(centres + speeds * t, sizes, t, 0)
            guess = blobs(centres + speeds * (t - 2), sizes, t - 2, 0.08)
            save(folder / "gt" / name / f"{t:05d}.png", truth)
            save(folder / "pred" / name / f"{t:05d}.png", guess)
        videos.append(video(folder / "gt" / name, objects))
    return dataset(folder, videos)


def blobs(centres: np.ndarray, sizes: np.ndarray, turn: float, wobble: float) -> np.ndarray:
    """Labels (H, W) of one blob per centre (y, x), later ones in front."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for k, ((cy, cx), size) in enumerate(zip(centres, sizes, strict=True)):
        angle = np.arctan2(y - cy, x - cx)
        outline = 1 + 0.2 * np.sin(3 * angle + turn / 9) + wobble * np.sin(17 * angle)
        labels[np.hypot(y - cy, x - cx) < size * outline] = k + 1
    return labels


def borrow(folder: Path, davis: Path) -> Dataset:
    """Sequences of DAVIS-2016: annotations as 0 and 1, predictions moved and with holes."""
    videos = []
    for source in sorted((davis / "DAVIS" / "Annotations" / "480p").iterdir())[:BORROWED]:
        for path in sorted(source.glob("*.png")):
            labels = (read_png_labels(path) != 0).astype(np.uint8)
            save(folder / "gt" / source.name / path.name, labels)
            moved = np.roll(labels, (3, -5), (0, 1))
            moved[::97] = 0
            save(folder / "pred" / source.name / path.name, moved)
        videos.append(video(folder / "gt" / source.name, 1))
    return dataset(folder, videos)


def save(path: Path, labels: np.ndarray) -> None:
    """As most trackers save their masks: a palette PNG by Pillow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels).convert("P")
    image.putpalette(davis_palette().tobytes())
    image.save(path)


def video(folder: Path, objects: int) -> VideoSequence:
    files = tuple(sorted(folder.glob("*.png")))
    return VideoSequence(
        name=folder.name,
        frames=files,
        annotations=dict(enumerate(files)),
        objects=dict.fromkeys(range(1, objects + 1), 0),
    )


def dataset(folder: Path, videos: list[VideoSequence]) -> Dataset:
    return Dataset(name=folder.name, root=folder, sequences=tuple(videos), protocol="sav")


def peer(data: Dataset) -> dict[str, tuple[float, float]]:
    """J and F of every object by vos-benchmark."""
    from vos_benchmark.benchmark import VideoEvaluator

    scores = {}
    for sequence in data.sequences:
        name, region, contour = VideoEvaluator(str(data.root / "gt"), str(data.root / "pred"))(
            sequence.name
        )
        scores |= {f"{name}_{obj}": (region[obj], contour[obj]) for obj in region}
    return scores


def ours(data: Dataset) -> None:
    for sequence in data.sequences:
        score_sequence(sequence, [data.root / "pred"], find_protocol("davis2017"))


def cpu(run: Callable[[Dataset], object], data: Dataset) -> float:
    start = time.process_time()
    run(data)
    return time.process_time() - start


def compare(data: Dataset, rounds: int) -> tuple[int, float, float, float]:
    """(frame-objects, our ms, their ms, ratio), after checking that the scores are the same."""
    evaluation = evaluate(data, data.root / "pred", "sav")
    theirs = peer(data)
    for row in evaluation.objects.to_dict("records"):
        found = (row["J-Mean"] * 100, row["F-Mean"] * 100)
        assert found == theirs[f"{row['sequence']}_{row['object']}"], row
    count = len(evaluation.frames)
    pairs = [(cpu(ours, data), cpu(peer, data)) for _ in range(rounds)]
    mine, other = (statistics.median(column) / count * 1e3 for column in zip(*pairs, strict=True))
    return count, mine, other, statistics.median(b / a for a, b in pairs)


def peak_memory(data: Dataset) -> float:
    """Peak resident memory in MB of a process that does nothing but evaluate `data`."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_evaluate_and_measure, (data,))


def _evaluate_and_measure(data: Dataset) -> float:
    import resource

    evaluate(data, data.root / "pred", "davis2017")
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def scaling(data: Dataset, copies: int) -> tuple[float, float]:
    """Wall seconds with one and with two processes over `copies` of every sequence."""
    videos = []
    for sequence in data.sequences:
        for number in range(copies):
            name = f"{sequence.name}-{number}"
            (data.root / "pred" / name).symlink_to(data.root / "pred" / sequence.name)
            videos.append(replace(sequence, name=name))
    more = dataset(data.root, videos)
    seconds = []
    for jobs in (1, 2):
        start = time.perf_counter()
        evaluate(more, more.root / "pred", "davis2017", jobs=jobs)
        seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]


def stored(runs: int, sequences: int, frames: int) -> tuple[float, float]:
    """CPU seconds of `vosbench compare` over so many complete, scored runs: its median of three,
    and what the digests of all masks take of it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = make_dataset(root, sequences, frames, 2, (HEIGHT, WIDTH))
        where = ("--dataset", str(data), "--results", str(root / "results"))
        command("run", "--tracker", "copy-first", *where)
        first = root / "results/data/copy-first"
        record = json.loads((first / "run.json").read_text())
        for seed in range(1, runs):
            copy = first.with_name(f"copy-first+seed={seed}")
            shutil.copytree(first, copy)
            (copy / "run.json").write_text(json.dumps(record | {"seed": seed}))
        names = [f"s{number:05d}" for number in range(sequences)]
        before = time.process_time()
        for run in first.parent.iterdir():
            masks_digest(run / "masks", names)
        digests = time.process_time() - before
        return statistics.median(command("compare", *where) for _ in range(3)), digests


def command(*arguments: str) -> float:
    """CPU seconds of a vosbench command and the processes that it starts."""
    before = sum(os.times()[2:4])
    subprocess.run(
        [sys.executable, "-m", "vosbench", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    return sum(os.times()[2:4]) - before


def digests(data: Dataset) -> float:
    """CPU time of the digest of predicted masks, as a share of their evaluation's."""
    names = [sequence.name for sequence in data.sequences]
    took = cpu(lambda data: masks_digest(data.root / "pred", names), data)
    return took / cpu(ours, data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--davis", type=Path, help="data root that holds DAVIS/")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=30, help="per drawn sequence")
    parser.add_argument("--stored", action="store_true", help="nothing but stored scores")
    options = parser.parse_args()
    if options.stored:
        seconds, of_digests = stored(8, 30, 70)
        print(f"compare, 8 runs of 30 sequences of 70 frames: {seconds:.2f} CPU seconds, "
              f"{of_digests:.2f} of them for the digests of 16,800 masks")  # fmt: skip
        return
    print(f"{platform.machine()}, {multiprocessing.cpu_count()} CPUs, Python "
          f"{platform.python_version()}, numpy {np.__version__}\n")  # fmt: skip
    print("| masks (854x480) | frame-objects | vosbench ms | vos-benchmark ms | ratio |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(io.StringIO()):
        sets = {
            "drawn, 1 object": draw(Path(scratch, "one"), 3, options.frames, 1),
            "drawn, 3 objects": draw(Path(scratch, "three"), 2, options.frames, 3),
        }
        if options.davis:
            sets[f"DAVIS-2016, {BORROWED} sequences"] = borrow(
                Path(scratch, "davis"), options.davis
            )
        for title, data in sets.items():
            count, mine, other, ratio = compare(data, options.rounds)
            print(f"| {title} | {count} | {mine:.2f} | {other:.2f} | {ratio:.1f} |", flush=True)
        shares = ", ".join(f"{100 * digests(data):.1f} %" for data in sets.values())
        print(f"\ndigest of the masks, as a share of their evaluation: {shares}")
        largest = list(sets.values())[-1]
        print(f"\nbudget: {BUDGET_MS:.2f} ms (a twentieth of davis2017-evaluation)")
        print(f"peak memory of an evaluating process: {peak_memory(largest):.0f} MB")
        one, two = scaling(sets["drawn, 3 objects"], 300)
        print(f"wall time with --jobs 1: {one:.2f} s, with --jobs 2: {two:.2f} s")


if __name__ == "__main__":
    main()
