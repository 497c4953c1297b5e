"""The commands that train a recipe: without a fold's videos, which it then tracks, or on all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.cli.names import TRACKER
from vosbench.cli.options import setting_option
from vosbench_eosvos.cli.options import data_options, parse_steps, recipe_options

if TYPE_CHECKING:
    from vosbench_eosvos.training.runs import DataFolders


@click.command()
@data_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folds and runs."
)
@recipe_options
@click.option("--folds", help="Which of the draw, such as 0,2; default: all.")
@click.option(
    "--draw",
    default="plain",
    type=click.Choice(["plain", "kinds", "halves"]),
    show_default=True,
    help="Five folds drawn at random, five by kinds of videos (harsher), or two halves (two "
    "trainings instead of five). Each draw needs its own --out.",
)
@click.option(
    "--outline-steps", default=1000, show_default=True, help="Training of each fold's outlines."
)
@click.option(
    "--tracker", "trackers", multiple=True, default=("eosvos-10",), show_default=True, type=TRACKER
)
@setting_option
@click.option(
    "--weights",
    "others",
    multiple=True,
    metavar="TRACKER=FILE",
    type=TRACKER,
    help="Another tracker's own weights of each fold; {fold} in FILE is its number.",
)
@click.option("--jobs", default=1, show_default=True, help="Videos tracked at once.")
@click.option("--seed", default=0, show_default=True, help="Of the trackers.")
@click.option("--per-sequence", is_flag=True, help="Print the J&F of every video, too.")
@click.option(
    "--train/--no-train", default=True, help="Train what is missing, or take what there is."
)
def crossval(
    folders: DataFolders,
    bf16: bool,
    device: str,
    out: Path,
    parent: Path,
    rates: Path | None,
    folds: str | None,
    draw: str,
    parent_steps: int,
    meta_steps: int,
    trainings: int,
    rate_scale: float,
    outline_steps: int,
    trackers: tuple[str, ...],
    options: tuple[str, ...],
    others: tuple[str, ...],
    jobs: int,
    seed: int,
    per_sequence: bool,
    train: bool,
) -> None:
    """Train folds of DAVIS-2016 train; run trackers on the videos that each held out.

    Options are chosen by this table: no video in it was seen by the weights that track it. The same
    command resumes where it stopped. Trackers of e-OSVOS get OUT/fold-N/weights.safetensors and,
    for their outlines, OUT/fold-N/outline/outline.safetensors, which learns from what the other
    folds' weights make of videos they never saw and so needs them all (or -o outline=edges). The
    handcrafted baseline gets OUT/fold-N/parent/parent.safetensors, others what --weights says:

        --tracker eosvos-10 --tracker stm --weights stm=stm/{fold}/stm.safetensors
    """
    from vosbench_eosvos.crossval import cross_validate
    from vosbench_eosvos.training.crossval import FoldSettings

    cross_validate(
        folders,
        parent,
        out,
        folds=None if folds is None else parse_steps(folds, "--folds"),
        trackers=trackers,
        options=options,
        others=_by_tracker(others),
        seed=seed,
        jobs=jobs,
        draw=draw,
        settings=FoldSettings(
            parent_steps=parent_steps,
            meta_steps=meta_steps,
            trainings=trainings,
            rate_scale=rate_scale,
            outline_steps=outline_steps,
        )
        if train
        else None,
        rates=rates,
        bf16=bf16,
        device=device,
        per_sequence=per_sequence,
    )


@click.command()
@data_options
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run.",
)
@recipe_options
def train(
    folders: DataFolders,
    bf16: bool,
    device: str,
    out: Path,
    parent: Path,
    rates: Path | None,
    parent_steps: int,
    meta_steps: int,
    trainings: int,
    rate_scale: float,
) -> None:
    """Train on photos and all videos as `crossval` trains a fold: the weights to ship.

    Nothing is held out, so what they are worth is what the folds of the same recipe say. The same
    command resumes where it stopped.
    """
    from vosbench_eosvos.training.crossval import FoldSettings, train_without

    settings = FoldSettings(
        parent_steps=parent_steps,
        meta_steps=meta_steps,
        trainings=trainings,
        rate_scale=rate_scale,
    )
    path = train_without((), folders, parent, out, settings, rates=rates, bf16=bf16, device=device)
    click.echo(f"wrote {path}")


def _by_tracker(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for name, equals, file in pairs:
        if not (name and equals and file):
            raise click.BadParameter(f"--weights {name}: not of the form TRACKER=FILE")
    return {name: file for name, _, file in pairs}
