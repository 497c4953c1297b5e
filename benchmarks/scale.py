"""How time and memory grow with frames, objects, sequences and runs.

    python benchmarks/scale.py --write

Needs no data: videos are generated, tracked by a tracker that costs nothing, and thrown away.
`--write` puts the result into scale.md beside this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from vosbench.datasets.reading import write_labels

PLUGIN = """
import cv2
import numpy as np
from vosbench import Capabilities, Prediction, TrackerSpec, hookimpl

class Still:
    def __init__(self, ctx): pass
    def init(self, frame, targets, ctx):
        self.labels = np.zeros(frame.size, np.uint8)
        for obj, mask in targets.items():
            self.labels[mask] = obj
    def track(self, frame, targets, ctx):
        return Prediction.from_labels(self.labels)

class Soft(Still):
    # Probabilities that rise over some pixels and are noisy, as those of a network.
    def init(self, frame, targets, ctx):
        mask = next(iter(targets.values()))
        ramp = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 5)
        ramp -= cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, 5)
        noise = np.random.default_rng(0).normal(0, 1, (4, *mask.shape))
        self.scores = (1 / (1 + np.exp(-(ramp / 3 + noise)))).astype(np.float32)
        self.obj = min(targets)
    def track(self, frame, targets, ctx):
        return Prediction.from_probabilities([self.obj], self.scores[[frame.index % 4]])

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="scale", factory=Still, summary="Nothing moves."))
    register(TrackerSpec(name="scale-single", factory=Still, summary="One object at a time.",
                         capabilities=Capabilities(multi_object=False)))
    register(TrackerSpec(name="scale-soft", factory=Soft, summary="Probabilities.",
                         capabilities=Capabilities(multi_object=False)))
"""


_PARTS = ("JPEGImages", "Annotations")

#: What a command was, its seconds, the peak MB of the largest of its processes, and the peak MB of
#: files that it kept while it ran.
Measured = tuple[str, float, float, float]
#: What was measured, and the commands.
Rows = list[tuple[str, list[Measured]]]


def make_dataset(
    root: Path, sequences: int, frames: int, objects: int, size: tuple[int, int]
) -> Path:
    """A dataset in DAVIS layout, every frame the same file and annotated alike."""
    height, width = size
    labels = np.zeros(size, np.uint8)
    across = int(np.ceil(np.sqrt(objects)))
    for obj in range(objects):
        y, x = divmod(obj, across)
        labels[
            y * height // across : (y + 1) * height // across - 1,
            x * width // across : (x + 1) * width // across - 1,
        ] = obj + 1
    image = cv2.blur(np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8), (9, 9))
    for sequence in range(sequences):
        name = f"480p/s{sequence:05d}"
        images, annotations = (root / "data" / part / name for part in _PARTS)
        for folder in (images, annotations):
            folder.mkdir(parents=True)
        cv2.imwrite(str(images / "00000.jpg"), image)
        write_labels(annotations / "00000.png", labels)
        for frame in range(1, frames):
            (images / f"{frame:05d}.jpg").hardlink_to(images / "00000.jpg")
            (annotations / f"{frame:05d}.png").hardlink_to(annotations / "00000.png")
    return root / "data"


def measured(*arguments: object, scratch: Path | None = None) -> tuple[float, float, float]:
    """(seconds, peak MB of any of its processes, peak MB of files in `scratch`) of a command."""
    code = (
        "import resource, subprocess, sys; "
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE); "
        "sys.stderr.buffer.write(done.stderr); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
    )
    began = time.perf_counter()
    kept = 0
    with subprocess.Popen(
        [sys.executable, "-c", code, sys.executable, "-m", "vosbench", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while True:
            try:
                said, problem = process.communicate(timeout=1 if scratch else None)
                break
            except subprocess.TimeoutExpired:
                kept = max(kept, _size(scratch))
    if process.returncode:
        sys.exit(problem)
    return time.perf_counter() - began, int(said) / 1024, kept / 1e6


def _size(folder: Path | None) -> int:
    """Bytes of the files in a folder that others work in."""
    total = 0
    for path, _, names in os.walk(folder or ""):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += Path(path, name).stat().st_size
    return total


def run_of(
    tracker: str, sequences: int, frames: int, objects: int, size: tuple[int, int] = (120, 160)
) -> list[Measured]:
    """Run, score and compare over generated data."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "plugin.py").write_text(PLUGIN)
        data = make_dataset(root, sequences, frames, objects, size)
        common = ("--dataset", data, "--results", root / "results")
        plugin = ("--plugin", root / "plugin.py")
        run = ("run", *plugin, "--tracker", tracker, "--no-evaluate", *common)
        made = root / "results/data" / tracker
        return [
            ("run", *measured(*run, scratch=made / "scratch")),
            ("the same again", *measured(*run)),
            ("evaluate", *measured("evaluate", made, *plugin, "--dataset", data)),
            ("compare", *measured("compare", *common)),
        ]


def many_runs(count: int) -> list[Measured]:
    """List and compare so many scored runs of one sequence."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "plugin.py").write_text(PLUGIN)
        data = make_dataset(root, 1, 10, 1, (60, 80))
        results = root / "results"
        common = ("--dataset", data, "--results", results)
        measured("run", "--plugin", root / "plugin.py", "--tracker", "scale", *common)
        first = results / "data/scale"
        for seed in range(1, count):
            other = first.with_name(f"scale+seed={seed}")
            subprocess.run(["cp", "-al", str(first), str(other)], check=True)
            record = json.loads((first / "run.json").read_text())
            (other / "run.json").unlink()
            (other / "run.json").write_text(json.dumps(record | {"seed": seed}))
        names = ("compare", "the same again")
        return [(name, *measured("compare", *common)) for name in names]


def table(title: str, rows: Rows) -> str:
    when = f"{time.strftime('%Y-%m-%d')}, load {os.getloadavg()[2]:.0f}"
    on_disk = any(disk for _, parts in rows for *_, disk in parts)
    more = (" MB on disk |", "---:|") if on_disk else ("", "")
    lines = [f"## {title}", "", f"| {when} | command | s | peak MB |{more[0]}"]
    lines.append(f"|---|---|---:|---:|{more[1]}")
    for what, parts in rows:
        for name, seconds, memory, disk in parts:
            last = f" {disk:.0f} |" if on_disk else ""
            lines.append(f"| {what} | {name} | {seconds:.1f} | {memory:.0f} |{last}")
    return "\n".join(lines) + "\n"


HEAD = f"""# What scale costs

{platform.processor() or platform.machine()}, {os.cpu_count()} cores,
`python benchmarks/scale.py --write` (`--only SECTION` measures one). Frames of 160x120 if not said
otherwise, a tracker that computes nothing; peak memory is of the largest process, MB on disk are of
files that are kept only while it runs. Other programs kept the machine busy:
the load stands in each table.
"""


def _wrapped(
    tracker: str, frames: int, objects: int, size: tuple[int, int]
) -> tuple[str, list[Measured]]:
    soft = ", probabilities" if tracker == "scale-soft" else ""
    what = f"{frames} frames of {size[1]}x{size[0]}, {objects} objects{soft}"
    return what, run_of(tracker, 1, frames, objects, size)


SECTIONS: dict[str, tuple[str, Callable[[int], Rows]]] = {
    "frames": (
        "Frames of one sequence, one object",
        lambda n: [(f"{f // n} frames", run_of("scale", 1, f // n, 1)) for f in (1000, 10000)],
    ),
    "objects": (
        "Objects of a sequence of 100 frames",
        lambda n: [(f"{k} objects", run_of("scale", 1, 100 // min(n, 5), k)) for k in (20, 200)],
    ),
    "wrapped": (
        "One session per object (wrapped)",
        lambda n: [
            _wrapped("scale-single", 1000 // n, 1, (120, 160)),
            _wrapped("scale-single", 1000 // n, 4, (120, 160)),
            _wrapped("scale-soft", 10000 // n, 2, (120, 160)),
            _wrapped("scale-soft", 1000 // n, 2, (480, 854)),
        ],
    ),
    "sequences": (
        "Sequences of 10 frames",
        lambda n: [(f"{s // n} sequences", run_of("scale", s // n, 10, 1)) for s in (1000, 10000)],
    ),
    "runs": (
        "Runs in one results folder",
        lambda n: [(f"{r // n} runs", many_runs(r // n)) for r in (100, 1000)],
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", choices=SECTIONS, help="measure one section, keep the others")
    parser.add_argument("--write", action="store_true", help="write scale.md")
    arguments = parser.parse_args()
    page = Path(__file__).with_suffix(".md")
    n = 10 if arguments.small else 1
    parts = dict(_sections(page.read_text())) if arguments.only else {}
    for name, (title, measure) in SECTIONS.items():
        if arguments.only in (None, name):
            parts[title] = table(title, measure(n))
    text = "\n".join([HEAD, *(parts[title] for title, _ in SECTIONS.values() if title in parts)])
    print(text)
    if arguments.write:
        page.write_text(text)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Title -> text of each section of a page that was written before."""
    for part in text.split("\n## ")[1:]:
        yield part.split("\n", 1)[0], f"## {part.rstrip()}\n"


if __name__ == "__main__":
    main()
