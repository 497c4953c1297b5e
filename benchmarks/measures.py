"""What the sequence metrics cost beside J and F: the same masks, with and without, in turns.

    python benchmarks/measures.py

Times are CPU seconds of one process, medians over rounds, divided by objects and frames (854x480),
decoding included. Masks are those of benchmarks/evaluator.py, drawn from formulas.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from evaluator import draw

from vosbench.datasets.base import Dataset
from vosbench.evaluation.score import score_sequence
from vosbench.metrics import SequenceMetricSpec
from vosbench.metrics.protocols import find_protocol
from vosbench.plugins import Plugins

#: All measures but slow ones must not take more than this times what J and F take.
BUDGET = 1.5


def seconds(data: Dataset, metrics: list[SequenceMetricSpec]) -> float:
    rules = find_protocol("davis2017")
    start = time.process_time()
    for video in data.sequences:
        (scores,) = score_sequence(video, [data.root / "pred"], rules, metrics)
        assert not scores.problems, scores.problems
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=30, help="per drawn sequence")
    options = parser.parse_args()
    specs = Plugins(entry_points=False).sequence_metrics
    quick = [spec for spec in specs.values() if not spec.slow]
    slow = [spec for spec in specs.values() if spec.slow]
    print(f"{platform.machine()}, {multiprocessing.cpu_count()} CPUs, Python "
          f"{platform.python_version()}, numpy {np.__version__}\n")  # fmt: skip
    print("| masks (854x480) | frame-objects | J, F ms | all but slow ms | ratio |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        sets = {
            f"drawn, {n} object{'s' if n > 1 else ''}": draw(
                Path(scratch, str(n)), 2, options.frames, n
            )
            for n in (1, 3, 6)
        }
        for title, data in sets.items():
            seconds(data, quick)  # imports
            pairs = [(seconds(data, []), seconds(data, quick)) for _ in range(options.rounds)]
            count = sum((len(v) - 2) * len(v.objects) for v in data.sequences)
            plain, more = (statistics.median(c) / count * 1e3 for c in zip(*pairs, strict=True))
            ratio = statistics.median(b / a for a, b in pairs)
            print(f"| {title} | {count} | {plain:.2f} | {more:.2f} | {ratio:.2f} |", flush=True)
            assert ratio <= BUDGET, f"more than {BUDGET} times"
        data = sets["drawn, 3 objects"]
        part = replace(data, sequences=data.sequences[:1])
        count = sum((len(v) - 2) * len(v.objects) for v in part.sequences)
        plain = min(seconds(part, []) for _ in range(3))
        print("\n| measure | ms per object and frame beside J and F |\n|---|---|")
        for spec in (*quick, *slow):
            further = min(seconds(part, [spec]) for _ in range(1 if spec.slow else 3)) - plain
            print(f"| {spec.name} | {further / count * 1e3:.3f} |", flush=True)


if __name__ == "__main__":
    main()
