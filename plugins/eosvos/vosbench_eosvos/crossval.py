"""`vosbench eosvos crossval`: train the folds, track what each held out, one table over all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.errors import UsageError
from vosbench_eosvos.folds import WEIGHTS, fold_home, fold_of

if TYPE_CHECKING:
    import pandas as pd

    from vosbench_eosvos.training.crossval import FoldSettings
    from vosbench_eosvos.training.runs import DataFolders

#: A fold's network for outlines, in the fold's folder.
OUTLINE = Path("outline", "outline.safetensors")

#: What is reported of each video.
MEASURES = {"J": "J-Mean", "J-Decay": "J-Decay", "F": "F-Mean"}


def cross_validate(
    folders: DataFolders,
    parent: Path,
    out: Path,
    *,
    folds: tuple[int, ...] | None,
    trackers: tuple[str, ...],
    options: tuple[str, ...],
    others: Mapping[str, str],
    seed: int,
    jobs: int,
    draw: str,
    settings: FoldSettings | None,
    rates: Path | None,
    bf16: bool,
    device: str,
    per_sequence: bool = False,
) -> None:
    """Train `folds` of a `draw`, run `trackers` over what each held out, print the table.

    What each fold's weights make of the videos that they never saw is recorded, and each fold's
    network for outlines is trained on the records of the others, once they are all there.
    Everything resumes where it stopped. Where a tracker's weights of a fold are not there yet, the
    fold is left out for it, and the last line says so; without `settings` none are trained.

    Args:
        folds: None stands for all of the draw.
        trackers: those of e-OSVOS get the fold's weights, the handcrafted baseline its parent.
        options: of all trackers that take weights.
        others: tracker -> where its weights of a fold are instead, "{fold}" for its number; one
            that is neither e-OSVOS's nor here runs as it is.
        per_sequence: print the J&F of every video, too.

    Raises:
        UsageError: a fold that the draw does not have, or whose videos could not be tracked.
    """
    from vosbench_eosvos.training.crossval import DRAWS, train_folds

    held_out = DRAWS[draw]
    if "outline=outline-lite" in options:
        raise UsageError(
            "outline-lite has learned from these videos", "Leave it out: each fold has its own."
        )
    folds = tuple(range(len(held_out))) if folds is None else folds
    if unknown := [fold for fold in folds if fold >= len(held_out)]:
        raise UsageError(f"no fold {unknown[0]}", f"Folds: 0 to {len(held_out) - 1}.")
    missing = []
    if settings is not None:
        train_folds(
            folders, parent, out, folds, held_out, settings, rates=rates, bf16=bf16, device=device
        )
    for fold in folds:
        for names, files in _by_weights(trackers, options, others, out, fold):
            absent = [option for option, file in files.items() if not file.is_file()]
            if absent:
                missing.append(f"{', '.join(names)} in fold {fold} ({', '.join(absent)})")
                continue
            given = [f"{option}={file.resolve()}" for option, file in files.items()]
            given += options if files else ()
            command = [sys.executable, "-m", "vosbench", "run", "--dataset", "davis16-train"]
            command += ["--data-root", str(folders.davis), "--seed", str(seed)]
            command += ["--device", device, "--jobs", str(jobs)]
            command += ["--results", str(_results(out, fold))]
            command += [part for name in names for part in ("--tracker", name)]
            command += [part for option in given for part in ("-o", option)]
            command += [part for name in held_out[fold] for part in ("--sequence", name)]
            if subprocess.run(command).returncode:
                raise UsageError(
                    f"the videos of fold {fold} could not be tracked",
                    "`vosbench run` says above why; the same command resumes.",
                )
    rows = _rows([_results(out, fold) for fold in folds], trackers[0])
    click.echo(f"Videos out of fold ({len(folds)} of {len(held_out)} folds), in percent\n")
    click.echo(_table(rows))
    if per_sequence:
        click.echo(_sequences(rows))
    if missing:
        click.echo(f"without weights yet: {'; '.join(missing)}")
        if any("outline" in place for place in missing):
            click.echo("Outlines need the records of all other folds; -o outline=edges needs none.")


def _results(out: Path, fold: int) -> Path:
    return fold_home(out / "results", fold)


def _by_weights(
    trackers: tuple[str, ...],
    options: tuple[str, ...],
    others: Mapping[str, str],
    out: Path,
    fold: int,
) -> list[tuple[list[str], dict[str, Path]]]:
    """Trackers that run with the same weights, and these by option; none for those that take none.

    The network for outlines is the fold's own where neither the tracker nor `options` say who draws
    them.
    """
    from vosbench_eosvos.variants import handcrafted_specs, specs

    own = {spec.name: WEIGHTS for spec in specs()}
    own |= {spec.name: "parent/parent.safetensors" for spec in handcrafted_specs()}
    drawn = {spec.name for spec in specs() if "outline" not in spec.settings}
    said = any(option.startswith("outline=") for option in options)
    groups: dict[tuple[tuple[str, Path], ...], list[str]] = {}
    for name in trackers:
        files = {}
        if name in others:
            files["weights"] = Path(others[name].replace("{fold}", str(fold)))
        elif name in own:
            files["weights"] = fold_home(out, fold) / own[name]
        if name in drawn and not said:
            files["outline"] = fold_home(out, fold) / OUTLINE
        groups.setdefault(tuple(files.items()), []).append(name)
    return [(names, dict(files)) for files, names in groups.items()]


def _rows(results: list[Path], first: str) -> dict[str, pd.DataFrame]:
    """The scores of each run, over all folds' results folders, by title; `first` leads."""
    import pandas as pd

    rows: dict[str, pd.DataFrame] = {}
    for folder in results:
        for path in sorted(folder.glob("*/*/scores/scores.json")):
            name = _title(path.parents[1])
            rows[name] = pd.concat([rows.get(name, pd.DataFrame()), _videos(path)])
    return dict(sorted(rows.items(), key=lambda row: row[0] != first))


def _table(rows: dict[str, pd.DataFrame]) -> str:
    """Means over videos, with intervals and the difference to the first row, as Markdown."""
    if not rows:
        return "nothing was tracked out of fold yet"
    first, standard = next(iter(rows.items()))
    head = f"tracker | videos | J&F | 95 % | against {first} | J | F | J-Decay | J < 50 | worst"
    lines = [f"| {head} |", f"|{' --- |' * 10}"]
    for name, frame in rows.items():
        mean = frame.mean(numeric_only=True)
        more = (frame["J&F"] - standard["J&F"]).dropna()
        against = f"{more.mean():+.1f} ({_interval(more)})" if name != first and len(more) else ""
        lines.append(
            f"| {name} | {len(frame)} | {mean['J&F']:.1f} | {_interval(frame['J&F'])} | {against} "
            f"| {mean['J']:.1f} | {mean['F']:.1f} | {mean['J-Decay']:.1f} "
            f"| {(frame['J'] < 50).sum()} | {frame['J'].idxmin()} {frame['J'].min():.1f} |"
        )
    return "\n".join(lines)


def _sequences(rows: dict[str, pd.DataFrame]) -> str:
    """J&F of every video and run, as Markdown."""
    names = sorted({video for frame in rows.values() for video in frame.index})
    lines = ["", f"| J&F | {' | '.join(rows)} |", f"| --- |{' ---: |' * len(rows)}"]
    for video in names:
        cells = [
            f"{frame['J&F'][video]:.1f}" if video in frame.index else "" for frame in rows.values()
        ]
        lines.append(f"| {video} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _title(run: Path) -> str:
    """The tracker and what was changed but the fold's own weights and outlines."""
    record = json.loads((run / "run.json").read_text())
    results = run.parents[1]
    own = fold_home(results.parents[1], fold_of(results)) / OUTLINE
    changed = sorted(
        f"{k}={v}"
        for k, v in record["changed"].items()
        if k != "weights" and not (k == "outline" and Path(v).resolve() == own.resolve())
    )
    seed = [f"seed={record['seed']}"] if record["seed"] else []
    return "+".join([record["tracker"], *changed, *seed])


def _videos(path: Path) -> pd.DataFrame:
    """J&F, J, F and decay of each video of a run, in percent: index sequence."""
    import pandas as pd

    objects = pd.DataFrame(json.loads(path.read_text())["objects"]).set_index("sequence")
    frame = objects[list(MEASURES.values())].rename(columns={v: k for k, v in MEASURES.items()})
    frame = frame.groupby("sequence").mean()
    frame["J&F"] = (frame["J"] + frame["F"]) / 2
    return 100 * frame


def _interval(values: pd.Series[float]) -> str:
    """The 95 % interval of the mean over videos, as text."""
    import numpy as np

    from vosbench.analysis.statistics import bootstrap_interval

    low, high = bootstrap_interval(np.asarray(values, np.float64))
    return f"{low:.1f} to {high:.1f}"
