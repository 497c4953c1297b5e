"""What tracking costs with one object and with several, whole sequences of synthetic video.

    python benchmarks/tracking.py --write
    python benchmarks/tracking.py --threads 1 --cpu-time    # on a busy machine

Discs of 110 pixels across drift over a textured background of 854x480. Each row runs in a
process of its own: fine-tuning, two frames that do not count, then `--frames`. A sequence's frames
per second are of 70 frames, the mean of DAVIS, with initialisation, as `vosbench run` counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from vosbench.types import Frame, Image, Mask

SIZE, RADIUS, LENGTH = (480, 854), 55, 70


def main() -> None:
    """Parse arguments, measure each number of objects, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tracker", default="eosvos-10")
    parser.add_argument("-o", "--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 2, 4, 7])
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cpu-time", action="store_true", help="processor time, not the clock's")
    parser.add_argument("--write", action="store_true", help="write tracking.md")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given)))
        return
    lines = ["| objects | init s | frame ms | frames/s of 70 frames | peak MB |"]
    lines.append("| ---: | ---: | ---: | ---: | ---: |")
    bf16 = True
    for count in given.objects:
        row = in_own_process(count)
        bf16 = row["bf16"]
        fps = LENGTH / (row["init"] + (LENGTH - 1) * row["frame"])
        lines.append(
            f"| {count} | {row['init']:.1f} | {1e3 * row['frame']:.0f} | {fps:.1f} "
            f"| {row['peak'] / 1e6:.0f} |"
        )
    command = " ".join(["python benchmarks/tracking.py", *sys.argv[1:]])
    text = "\n".join([heading(given.cpu_time, given.threads, bf16, command), "", *lines]) + "\n"
    print(text)
    if given.write:
        Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


def heading(cpu_time: bool, threads: int, bf16: bool, command: str) -> str:
    """What was measured, where and how."""
    from vosbench.running.executors.environment import hardware

    kind = "processor seconds" if cpu_time else "seconds by the clock"
    cpu = hardware("cpu", threads)["cpu"]
    return (
        f"# What tracking several objects costs\n\n{cpu}, {os.cpu_count()} cores, "
        f"{'native bfloat16' if bf16 else 'float32 (no native bfloat16)'}; {kind}, "
        f"threads: {threads}; load {os.getloadavg()[0]:.0f}; {time.strftime('%Y-%m-%d')}.\n"
        f"`{command}`; its first lines say what was measured."
    )


def in_own_process(count: int) -> dict[str, float]:
    """`measure` in a fresh process that waits as the workers of `vosbench run` do."""
    from vosbench.running.executors.launch import SPIN

    command = [sys.executable, __file__, *sys.argv[1:], "--one", str(count)]
    environment = {"GOMP_SPINCOUNT": SPIN, **os.environ}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment)
    row: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return row


def measure(given: argparse.Namespace) -> dict[str, float]:
    """Seconds of `init` and of a frame, bytes at the peak, and whether bfloat16 is used."""
    import torch

    from vosbench.plugins import Plugins
    from vosbench.testing import make_context
    from vosbench.tracking.session import make_tracker
    from vosbench_learning.working_size import bfloat16_pays

    torch.set_num_threads(given.threads)
    clock = time.process_time if given.cpu_time else time.perf_counter
    video, masks = discs(given.one, given.frames + 3)
    spec = Plugins().tracker(given.tracker)
    with tempfile.TemporaryDirectory() as folder:
        options = dict(option.split("=", 1) for option in given.option)
        ctx = make_context(spec, Path(folder), options=options)
        tracker = make_tracker(spec, ctx)
        start = clock()
        tracker.init(video[0], masks, ctx)
        init = clock() - start
        frames = []
        for frame in video[1:]:
            start = clock()
            labels = tracker.track(frame, {}, ctx).label_map()
            if hasattr(tracker, "update"):
                tracker.update(frame, labels, ctx)
            frames.append(clock() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    bf16 = ctx.options.get("bf16", False) and bfloat16_pays(torch.device("cpu"))
    return {"init": init, "frame": median(frames[2:]), "peak": peak, "bf16": bf16}


def discs(count: int, frames: int) -> tuple[list[Frame], dict[int, Mask]]:
    """Frames with up to eight discs, four a row, and their masks in the first frame."""
    random = np.random.default_rng(count)
    background, *textures = (texture(random) for _ in range(count + 1))
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    found: list[Frame] = []
    given: dict[int, Mask] = {}
    for t in range(frames):
        image = background.copy()
        for place, own in enumerate(textures):
            row, column = divmod(place, 4)
            centre = SIZE[0] * (row + 0.5) / 2, SIZE[1] * (column + 0.5) / 4.5 + 4 * t
            inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= RADIUS**2
            image[inside] = np.roll(own, 4 * t, axis=1)[inside]
            given.setdefault(place + 1, inside)
        found.append(Frame(image, t, f"{t:05d}"))
    return found, given


def texture(random: np.random.Generator) -> Image:
    """Smooth blobs of colour (H, W, 3)."""
    coarse = random.integers(0, 256, (SIZE[0] // 16, SIZE[1] // 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC))


if __name__ == "__main__":
    main()
