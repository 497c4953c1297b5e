"""How trackers do on videos that nobody tuned for, on several objects, and on harder views.

    python benchmarks/holdout.py --data ROOT --work FOLDER --tracker eosvos-10 --write

ROOT holds DAVIS (2016 train), EXTRA and DAVIS-2017-240p, in DAVIS layout. Tracked are EXTRA (its
motorways, with several cars each, apart from the rest), DAVIS-2017-240p, the demo, the development
split of DAVIS-2016 train, and three harder views of it, which are written into FOLDER: played
backwards, every third frame, from the middle on. Runs lie in FOLDER/results; the same command goes
on where it stopped, and `--sets` does a part. The table holds what is complete; `--write` leaves
the sections below it as they are.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import vosbench
from vosbench.analysis.statistics import clustered_difference
from vosbench.datasets.base import Dataset, VideoSequence
from vosbench_learning.corpus import DEVELOPMENT_SPLIT

#: Harder views: which of a video's frames are shown, in which order.
VIEWS: dict[str, Callable[[Sequence[Path]], Sequence[Path]]] = {
    "backwards": lambda frames: frames[::-1],
    "thirds": lambda frames: frames[::3],
    "middle": lambda frames: frames[len(frames) // 2 :],
}


def write_view(davis: Path, name: str, out: Path) -> Path:
    """A view of the development split in DAVIS layout, frames numbered anew; links, no copies."""
    for sequence in DEVELOPMENT_SPLIT:
        masks = sorted((davis / "Annotations/480p" / sequence).glob("*.png"))
        for number, mask in enumerate(VIEWS[name](masks)):
            image = davis / "JPEGImages/480p" / sequence / f"{mask.stem}.jpg"
            for source, kind in ((image, "JPEGImages"), (mask, "Annotations")):
                link = out / kind / "480p" / sequence / f"{number:05d}{source.suffix}"
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.exists():
                    link.symlink_to(source.resolve())
    return out


def sets(data: Path, work: Path) -> dict[str, tuple[Path | str, Callable[[str], bool]]]:
    """Name of each row -> dataset, and which of its sequences."""

    def every(_: str) -> bool:
        return True

    davis = data / "DAVIS"
    return {
        "motorways": (data / "EXTRA", lambda name: name.startswith("highway")),
        "other EXTRA": (data / "EXTRA", lambda name: not name.startswith("highway")),
        "DAVIS-2017-240p": (data / "DAVIS-2017-240p", every),
        "demo": ("demo", every),
        "development": (davis, DEVELOPMENT_SPLIT.__contains__),
        **{view: (write_view(davis, view, work / view), every) for view in VIEWS},
    }


def mistaken(sequence: VideoSequence, masks: Path) -> tuple[int, int]:
    """Frames and objects in which a mask covers more of another object than of its own; of all
    with a mask."""
    from vosbench.datasets.reading import read_labels

    wrong = total = 0
    for index in sequence.annotations:
        truth = sequence.labels(index)
        path = masks / sequence.name / f"{sequence.frames[index].stem}.png"
        if truth is None or not path.is_file():
            continue
        answer = read_labels(path)
        for identity, start in sequence.objects.items():
            covered = np.bincount(truth[answer == identity], minlength=256)
            covered[[0, 255]] = 0
            if index > start and (answer == identity).any():
                total += 1
                wrong += bool(covered.max() > covered[identity])
    return wrong, total


def row(name: str, dataset: Dataset, masks: Path, objects: pd.DataFrame) -> dict[str, str]:
    """One line of the table: means over objects, the interval over videos."""
    objects = objects.assign(jf=(objects["J-Mean"] + objects["F-Mean"]) / 2)
    videos = objects["sequence"].nunique()
    nothing = np.zeros(len(objects))
    interval = clustered_difference(100 * objects["jf"], nothing, objects["sequence"])
    counts = [mistaken(s, masks) for s in dataset.sequences if s.name in set(objects["sequence"])]
    wrong, total = np.sum(counts, axis=0)
    mean = 100 * objects[["jf", "J-Mean", "F-Mean", "J-Decay"]].mean()
    return {
        "videos": f"{name} ({videos}, {len(objects)} objects)",
        "J&F": f"{mean['jf']:.1f}",
        "95 %": f"{interval.low:.1f} to {interval.high:.1f}" if videos > 2 else "",
        "J": f"{mean['J-Mean']:.1f}",
        "F": f"{mean['F-Mean']:.1f}",
        "J-Decay": f"{mean['J-Decay']:.1f}",
        "mistaken": f"{wrong} of {total}" if len(objects) > videos else "",
    }


def markdown(rows: list[dict[str, str]]) -> list[str]:
    """The lines of a table."""
    lines = [list(rows[0]), ["---", *["---:"] * (len(rows[0]) - 1)], *(r.values() for r in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the datasets")
    parser.add_argument("--work", type=Path, required=True, help="views and runs go here")
    parser.add_argument("--tracker", default="eosvos-10")
    parser.add_argument("--sets", nargs="*", help="only these rows; default: all")
    parser.add_argument("--sequence", nargs="*", help="only these videos")
    parser.add_argument("-o", "--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write benchmarks/holdout.md")
    given = parser.parse_args()
    options = dict(option.split("=", 1) for option in given.option)
    rows = []
    for name, (where, wanted) in sets(given.data.resolve(), given.work.resolve()).items():
        if given.sets and name not in given.sets:
            continue
        dataset = vosbench.open_dataset(where)
        chosen = [s.name for s in dataset.sequences if wanted(s.name)]
        chosen = [n for n in chosen if not given.sequence or n in given.sequence]
        if not chosen:
            continue
        run = vosbench.run(
            given.tracker,
            where,
            sequences=chosen,
            options=options,
            seed=given.seed,
            results=given.work / "results" / name.replace(" ", "-"),
        )
        objects = vosbench.evaluate(run).objects
        rows.append(row(name, dataset, run.masks, objects))
        print(pd.DataFrame(rows[-1:]).to_string(index=False), flush=True)
    if not rows:
        parser.error("no such set or sequence")
    changed = "".join(f" -o {option}" for option in given.option)
    text = "\n".join(
        [
            "# Videos that nobody tuned for",
            "",
            f"    python benchmarks/holdout.py --data ROOT --work FOLDER "
            f"--tracker {given.tracker}{changed} --seed {given.seed}",
            "",
            f"{platform.processor() or platform.machine()}, {time.strftime('%Y-%m-%d')}. J&F and J "
            "in percent over objects, 95 % intervals by resampling videos, one seed.",
            "Mistaken: masks, by frame and object, that cover more of another object than of their "
            "own.",
            "",
            *markdown(rows),
            "",
        ]
    )
    print(text)
    if given.write:
        page = Path(__file__).with_suffix(".md")
        _, heading, tried = page.read_text(encoding="utf-8").partition("\n## ")
        page.write_text(text + heading + tried, encoding="utf-8")


if __name__ == "__main__":
    main()
