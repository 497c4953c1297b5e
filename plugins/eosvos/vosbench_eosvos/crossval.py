"""`vosbench eosvos crossval`: train the folds, track what each held out, one table over all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from vosbench_eosvos.training.crossval import FoldSettings
    from vosbench_eosvos.training.runs import DataFolders

#: Resamples of the bootstrap over videos, and what is reported of each video.
RESAMPLES = 10_000
MEASURES = {"J": "J-Mean", "J-Decay": "J-Decay", "F": "F-Mean"}


def cross_validate(
    folders: DataFolders,
    parent: Path,
    out: Path,
    *,
    folds: tuple[int, ...],
    trackers: tuple[str, ...],
    options: tuple[str, ...],
    seed: int,
    draw: str,
    settings: FoldSettings | None,
    bf16: bool,
    device: str,
) -> None:
    """Train `folds` of a `draw`, run `trackers` over what each held out, print the table.

    Everything resumes where it stopped. Folds whose weights are not there yet are left out of the
    table, which says so; without `settings` none are trained.

    Raises:
        UsageError: a fold that the draw does not have, or whose videos could not be tracked.
    """
    from vosbench_eosvos.training.crossval import DRAWS, train_fold

    held_out = DRAWS[draw]
    if unknown := [fold for fold in folds if fold >= len(held_out)]:
        raise UsageError(f"no fold {unknown[0]}", f"Folds: 0 to {len(held_out) - 1}.")
    found = {}
    for fold in folds:
        weights = out / f"fold-{fold}" / "meta" / "last.safetensors"
        if settings is not None:
            weights = train_fold(
                folders, parent, out, fold, held_out[fold], settings, bf16=bf16, device=device
            )
        if weights.is_file():
            found[fold] = weights
    for fold, weights in found.items():
        command = [sys.executable, "-m", "vosbench", "run", "--dataset", "davis16-train"]
        command += ["--data-root", str(folders.davis), "--seed", str(seed), "--device", device]
        command += ["--results", str(_results(out, fold)), "-o", f"weights={weights.resolve()}"]
        command += [part for name in trackers for part in ("--tracker", name)]
        command += [part for option in options for part in ("-o", option)]
        command += [part for name in held_out[fold] for part in ("--sequence", name)]
        if subprocess.run(command).returncode:
            raise UsageError(
                f"the videos of fold {fold} could not be tracked",
                "`vosbench run` says above why; the same command resumes.",
            )
    missing = set(folds) - set(found)
    results = {fold: _results(out, fold) for fold in found}
    click.echo(report(results, held_out, missing))


def _results(out: Path, fold: int) -> Path:
    return out / "results" / f"fold-{fold}"


def report(
    results: dict[int, Path], held_out: tuple[tuple[str, ...], ...], missing: set[int]
) -> str:
    """The table over all runs below the results folders of folds, as text.

    Args:
        results: fold -> results folder of `vosbench run`.
        held_out: the videos of each fold.
        missing: folds without weights.
    """
    import pandas as pd

    rows: dict[str, pd.DataFrame] = {}
    for folder in results.values():
        for path in sorted(folder.glob("*/*/scores/scores.json")):
            name = _title(path.parents[1])
            rows[name] = pd.concat([rows.get(name, pd.DataFrame()), _videos(path)])
    videos = sum(len(held_out[fold]) for fold in results)
    lines = [f"{videos} videos out of fold ({len(results)} of {len(held_out)} folds)"]
    lines.append(f"{'run':40s} videos   J&F  95% low  95% high      J      F  J-Decay  worst")
    for name, frame in rows.items():
        low, high = _interval(frame["J&F"])
        mean = 100 * frame.mean(numeric_only=True)
        worst = frame["J"].idxmin()
        lines.append(
            f"{name:40s} {len(frame):6d} {mean['J&F']:5.1f} {100 * low:8.1f} {100 * high:9.1f} "
            f"{mean['J']:6.1f} {mean['F']:6.1f} {mean['J-Decay']:8.1f}  "
            f"{worst} {100 * frame['J'].min():.1f}"
        )
    if missing:
        lines.append(f"without weights yet: fold {', '.join(map(str, sorted(missing)))}")
    return "\n".join(lines)


def _title(run: Path) -> str:
    """The tracker and what was changed but the weights, which every fold has its own of."""
    record = json.loads((run / "run.json").read_text())
    changed = sorted(f"{k}={v}" for k, v in record["changed"].items() if k != "weights")
    seed = [f"seed={record['seed']}"] if record["seed"] else []
    return "+".join([record["tracker"], *changed, *seed])


def _videos(path: Path) -> pd.DataFrame:
    """J&F, J, F and decay of each video of a run: index sequence."""
    import pandas as pd

    objects = pd.DataFrame(json.loads(path.read_text())["objects"]).set_index("sequence")
    frame = objects[list(MEASURES.values())].rename(columns={v: k for k, v in MEASURES.items()})
    frame = frame.groupby("sequence").mean()
    frame["J&F"] = (frame["J"] + frame["F"]) / 2
    return frame


def _interval(values: pd.Series[float]) -> tuple[float, float]:
    """Bounds of the 95 % bootstrap interval of the mean over videos."""
    import numpy as np

    random = np.random.default_rng(0)
    picks = random.integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values.to_numpy()[picks].mean(1), [0.025, 0.975])
    return float(low), float(high)
