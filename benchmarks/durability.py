"""Kill a run at random moments, again and again: is anything lost, is anything left behind?

    python benchmarks/durability.py --kills 25 --write

Each round starts the same command, waits a random time, and sends TERM, HUP or KILL to the command,
to its worker, or to both. Then all processes, locks and files are looked for that should be gone.
When the kills are spent the command runs to its end; its masks must be those of a run that nobody
disturbed. The tracker starts a helper in a session of its own. Linux only; needs no data.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from vosbench.processes import MARK
from vosbench.store import Run
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs

TRACKER = """
import random, subprocess, sys, time
import numpy as np
from vosbench import Prediction, TrackerSpec, hookimpl

class Busy:
    def __init__(self, ctx):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                         start_new_session=True)
    def init(self, frame, targets, ctx):
        self.labels = np.zeros(frame.size, np.uint8)
        for obj, mask in targets.items():
            self.labels[mask] = obj
    def track(self, frame, targets, ctx):
        time.sleep(0.03)
        labels = self.labels.copy()
        labels[random.randrange(labels.shape[0])] = 0
        return Prediction.from_labels(labels)

@hookimpl
def vosbench_register_trackers(register):
    register(TrackerSpec(name="busy", factory=Busy, summary="Takes its time, and a helper."))
"""
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
VICTIMS = ("main", "worker", "both")


def carriers(pid: int) -> list[psutil.Process]:
    """Processes that command `pid` started for trackers."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK, "").startswith(f"{pid}-"):
                found.append(process)
    return found


def keepers(pid: int) -> list[psutil.Process]:
    """Keepers of command `pid`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if any(part.endswith("vosbench/processes.py") for part in line) and line[-1].startswith(
            f"{pid}-"
        ):
            found.append(process)
    return found


def defaults() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def disturb(command: list[str], dice: random.Random) -> tuple[str, bool, int]:
    """One round: what was done, whether the command was still at work, and its process id."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=defaults
    )
    time.sleep(dice.uniform(0.3, 4.0))
    number, whom = dice.choice(SIGNALS), dice.choice(VICTIMS)
    hit = process.poll() is None
    if whom != "main":
        for each in carriers(process.pid):
            with contextlib.suppress(psutil.Error):
                if each.ppid() == process.pid:
                    each.send_signal(number)
    if whom != "worker":
        process.send_signal(number)
    process.wait(timeout=120)
    return f"{number.name} to {whom}", hit, process.pid


def left_behind(pid_of_command: int, folder: Path, seconds: float = 5.0) -> list[str]:
    """What should be gone but is not, after a moment's patience."""
    deadline = time.monotonic() + seconds
    while (
        alive := carriers(pid_of_command) + keepers(pid_of_command)
    ) and time.monotonic() < deadline:
        time.sleep(0.05)
    found = [f"process {p.pid}" for p in alive]
    if folder.is_dir():
        try:
            with FileLock(folder / ".lock", blocking=False):
                pass
        except Timeout:
            found.append("a lock")
    return found


def masks(run: Run) -> dict[str, bytes]:
    return {str(p.relative_to(run.masks)): p.read_bytes() for p in sorted(run.masks.rglob("*.*"))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write durability.md")
    arguments = parser.parse_args()
    dice = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        (root / "busy.py").write_text(TRACKER)
        clips = [moving_discs(f"s{i:02d}", (24, 32), 12) for i in range(12)]
        data = fakes.write_dataset(root / "discs", clips)

        def command(results: str) -> list[str]:
            return [
                *(sys.executable, "-m", "vosbench", "run", "--no-evaluate", "--jobs", "2"),
                *("--plugin", str(root / "busy.py"), "--tracker", "busy"),
                *("--dataset", str(data), "--results", str(root / results)),
            ]

        subprocess.run(command("sound"), check=True, capture_output=True)
        sound = masks(Run.open(root / "sound/discs/busy"))
        folder = root / "results/discs/busy"
        counts: dict[str, int] = {}
        left: list[str] = []
        struck = finished = 0
        while struck < arguments.kills:
            what, hit, pid = disturb(command("results"), dice)
            struck += hit
            counts[what] = counts.get(what, 0) + hit
            left += [f"{what}: {found}" for found in left_behind(pid, folder)]
            if folder.is_dir() and (folder / "run.json").is_file() and Run.open(folder).complete:
                finished += 1
                assert masks(Run.open(folder)) == sound, "masks differ"
                subprocess.run(["rm", "-rf", str(folder)], check=True)
        subprocess.run(command("results"), check=False, capture_output=True)
        subprocess.run(command("results"), check=True, capture_output=True)
        run = Run.open(folder)
        identical = run.complete and masks(run) == sound
        parts = [str(p) for p in folder.rglob("*.part")] + [
            str(p) for p in (folder / "scratch",) if p.exists()
        ]
    rows = "\n".join(f"| {what} | {n} |" for what, n in sorted(counts.items()) if n)
    how = f"--kills {arguments.kills} --seed {arguments.seed} --write"
    told = "".join(f"; {each}" for each in left)
    text = f"""# What random kills leave

{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {time.strftime("%Y-%m-%d")},
`python benchmarks/durability.py {how}`.
Twelve sequences, two jobs, a tracker with a helper in a session of its own.

| signal and victim | times |
|---|---:|
{rows}

Masks identical to those of an undisturbed run: **{"yes" if identical else "NO"}** (runs that ended
on the way: {finished}, each compared). Processes or locks left behind: **{len(left)}**{told}. Files
left behind: **{len(parts)}**.
"""
    print(text)
    if arguments.write:
        Path(__file__).with_suffix(".md").write_text(text)
    sys.exit(not identical or bool(left) or bool(parts))


if __name__ == "__main__":
    main()
