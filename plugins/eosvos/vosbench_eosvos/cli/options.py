"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from vosbench_learning.cli import device_options


def data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add options that say where images are and how to compute; the command gets `folders`,
    `device` and `bf16`."""

    @functools.wraps(command)
    def gathered(
        *,
        photos: tuple[Path, ...],
        davis: Path | None,
        davis17: bool,
        ytvos: tuple[Path, ...],
        cache: Path,
        decoded: bool,
        threads: int,
        everything: bool = False,
        **others: Any,
    ) -> None:
        from vosbench_eosvos.training.runs import DataFolders, use_threads

        use_threads(threads)
        folders = DataFolders(
            photos=photos,
            davis=davis,
            davis17=davis17,
            videos=ytvos,
            cache=cache,
            decoded=decoded,
            everything=everything,
        )
        command(folders=folders, **others)

    folder = click.Path(path_type=Path, file_okay=False)
    existing = click.Path(path_type=Path, file_okay=False, exists=True)
    return _with_options(
        gathered,
        click.option(
            "--photos", multiple=True, type=existing, help="Folder with images/ and masks/."
        ),
        click.option("--davis", type=existing, help="DAVIS folder (2016 train is used)."),
        click.option("--davis17", is_flag=True, help="All objects of DAVIS-2017 train instead."),
        click.option(
            "--ytvos",
            multiple=True,
            type=existing,
            help="YouTube-VOS's train folder, or any with JPEGImages/VIDEO and Annotations/VIDEO.",
        ),
        click.option("--cache", type=folder, required=True, help="Folder for decoded images."),
        click.option(
            "--decoded/--undecoded",
            default=True,
            help="Keep decoded images (4 bytes a pixel), or decode each when it is drawn.",
        ),
        device_options,
        click.option("--threads", default=1, show_default=True, help="Threads of each process."),
    )


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every training takes."""
    folder = click.Path(path_type=Path, file_okay=False)
    return _with_options(
        command,
        click.option(
            "--out",
            required=True,
            type=folder,
            help="Folder of the run: checkpoint, curves, weights.",
        ),
        click.option("--everything", is_flag=True, help="Train on the development split too."),
        click.option("--seed", default=0, show_default=True),
    )


def training_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every training of the model takes."""
    loaders = click.option(
        "--loaders", default=0, show_default=True, help="Threads that draw images ahead."
    )
    return run_options(loaders(command))


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what the recipe of a fold starts from, and for how long it trains."""
    weights = click.Path(path_type=Path, dir_okay=False, exists=True)
    return _with_options(
        command,
        click.option(
            "--parent",
            required=True,
            type=weights,
            help="Weights pre-trained on photos alone (`pretrain` without --davis).",
        ),
        click.option(
            "--rates",
            type=weights,
            help="Weights whose learning rates meta-training starts from (`metatrain` without "
            "--davis).",
        ),
        click.option(
            "--parent-steps",
            default=400,
            show_default=True,
            help="Pre-training with videos; 0 meta-trains from --parent as it is.",
        ),
        click.option(
            "--meta-steps",
            default=160,
            show_default=True,
            help="Meta-training after that; 0 leaves it out.",
        ),
        click.option(
            "--trainings",
            default=2,
            show_default=True,
            type=click.IntRange(min=1),
            help="How often it is meta-trained, with other draws; the mean is taken.",
        ),
        click.option(
            "--rate-scale",
            default=1.0,
            show_default=True,
            type=click.FloatRange(0, min_open=True),
            help="What the learning rates are multiplied by at the end.",
        ),
    )


def validation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what to score; the command gets `validation`."""

    @functools.wraps(command)
    def gathered(*, iterations: str, stride: int, **others: Any) -> None:
        from vosbench_eosvos.training.validation import ValidationSettings

        validation = ValidationSettings(stride=stride, iterations=parse_steps(iterations))
        command(validation=validation, **others)

    return _with_options(
        gathered,
        click.option(
            "--iterations", default="1,10", show_default=True, help="Fine-tuning steps to score."
        ),
        click.option("--stride", default=8, show_default=True, help="Score every n-th frame."),
    )


def _with_options(command: Callable[..., Any], *options: Callable[..., Any]) -> Callable[..., Any]:
    """`command` with `options`, shown in their order."""
    return functools.reduce(lambda inner, option: option(inner), reversed(options), command)


changes_option = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Change a number in the model's configuration, for example mask_window=28.",
)

parent_option = click.option(
    "--parent",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Weights to start from.",
)


def parse_steps(text: str, option: str = "--iterations") -> tuple[int, ...]:
    try:
        return tuple(sorted(int(t) for t in text.split(",")))
    except ValueError:
        raise click.BadParameter(f"{option} {text!r} is not a list like 1,10") from None


def parse_changes(texts: tuple[str, ...]) -> dict[str, int]:
    from vosbench_eosvos.model import get_config

    pairs = [text.partition("=") for text in texts]
    try:
        changes = {name: int(number) for name, _, number in pairs}
    except ValueError:
        raise click.BadParameter(f"--set {' '.join(texts)} is not of the form name=12") from None
    known = get_config("lite").to_dict()
    for name in changes:
        if name in known and type(known[name]) is not int:  # names unknown are refused later
            raise click.BadParameter(f"--set {name}: this setting is no whole number")
    return changes
