"""Commands that train and validate the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.errors import UsageError
from vosbench_eosvos.cli.options import (
    changes_option,
    data_options,
    parent_option,
    parse_changes,
    parse_steps,
    run_options,
    training_options,
    validation_options,
)
from vosbench_eosvos.variants import Settings

if TYPE_CHECKING:
    from vosbench_eosvos.training.runs import DataFolders
    from vosbench_eosvos.training.validation import ValidationSettings


imagined_option = click.option(
    "--imagined",
    default=0.6,
    show_default=True,
    help="Share of tasks that learn from the training frame and new views of it in turn.",
)


@click.command()
@data_options
@training_options
@click.option("--model", default="lite", show_default=True, help="lite, r50 or paper.")
@click.option("--backbone", help="Another backbone by name.")
@click.option("--norm", type=click.Choice(["group", "frozen_batch"]))
@click.option(
    "--mask-loss", type=click.Choice(["lovasz", "cross_entropy"]), default="cross_entropy"
)
@click.option("--weights", default="imagenet", show_default=True, help="imagenet, coco, or a file.")
@click.option(
    "--parent",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Start from the weights of an earlier pre-training instead.",
)
@click.option("--steps", default=3600, show_default=True)
@click.option("--units", default=2, show_default=True, help="Units of work a step.")
@click.option("--unit-images", default=2, show_default=True, help="Images a unit.")
@click.option("--rate", default=1e-3, show_default=True, help="Learning rate of the heads.")
@click.option("--backbone-rate", default=3e-4, show_default=True)
@click.option(
    "--paste",
    default=0.3,
    show_default=True,
    help="Share of images with an instance of another image on top.",
)
@changes_option
def pretrain(
    folders: DataFolders,
    bf16: bool,
    device: str,
    loaders: int,
    out: Path,
    seed: int,
    model: str,
    backbone: str | None,
    norm: str | None,
    mask_loss: str,
    weights: str,
    parent: Path | None,
    steps: int,
    units: int,
    unit_images: int,
    rate: float,
    backbone_rate: float,
    paste: float,
    changes: tuple[str, ...],
) -> None:
    """Train the model to find and cut out any object (the parent of all that follows)."""
    from vosbench_eosvos.training import runs
    from vosbench_eosvos.training.pretrain import PretrainSettings

    named = {"backbone": backbone, "norm": norm, "mask_loss": mask_loss}
    path = runs.pretrain(
        folders,
        out,
        PretrainSettings(
            steps=steps,
            units=units,
            unit_images=unit_images,
            rate=rate,
            backbone_rate=backbone_rate,
            paste=paste,
            seed=seed,
        ),
        model=model,
        weights=weights,
        parent=parent,
        bf16=bf16,
        device=device,
        loaders=loaders,
        **{k: v for k, v in named.items() if v is not None},
        **parse_changes(changes),
    )
    click.echo(f"wrote {path}")


@click.command()
@data_options
@training_options
@parent_option
@click.option(
    "--mask-loss",
    type=click.Choice(["lovasz", "cross_entropy"]),
    default="lovasz",
    show_default=True,
)
@validation_options
@click.option(
    "--level",
    type=click.Choice(["global", "neuron", "parameter"]),
    help="What one learning rate governs; default: as in the parent, which keeps all rates.",
)
@click.option("--start-rate", type=float, help="Every learning rate at first; default: searched.")
@click.option(
    "--rates",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Weights whose learning rates to start from, instead.",
)
@click.option("--steps", default=400, show_default=True)
@click.option("--tasks", default=4, show_default=True, help="Tasks a step.")
@click.option(
    "--inner-steps",
    default="5",
    show_default=True,
    help="Fine-tuning steps of a task; of several (1,3,5) each task draws one.",
)
@click.option(
    "--inner-average",
    default=Settings.average,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of these, the last ones, whose parameters are averaged, as trackers do.",
)
@click.option("--rate", default=1.5e-4, show_default=True, help="Meta learning rate of theta0.")
@click.option(
    "--lr-of-rates", default=0.08, show_default=True, help="Of lambda, in units of its first value."
)
@click.option("--second-order", is_flag=True, help="Differentiate through the inner steps.")
@click.option(
    "--videos",
    default=0.6,
    show_default=True,
    help="Share of tasks from videos; the rest are two views of a photo.",
)
@click.option(
    "--distractor",
    default=0.35,
    show_default=True,
    help="Share of tasks with an instance of another image put into both frames.",
)
@imagined_option
@click.option("--validate-every", default=50, show_default=True)
@changes_option
def metatrain(
    folders: DataFolders,
    bf16: bool,
    device: str,
    loaders: int,
    out: Path,
    seed: int,
    parent: Path,
    mask_loss: str,
    validation: ValidationSettings,
    level: str | None,
    start_rate: float | None,
    rates: Path | None,
    steps: int,
    tasks: int,
    inner_steps: str,
    inner_average: float,
    rate: float,
    lr_of_rates: float,
    second_order: bool,
    videos: float,
    distractor: float,
    imagined: float,
    validate_every: int,
    changes: tuple[str, ...],
) -> None:
    """Learn theta0 and lambda over tasks of one object each."""
    from vosbench_eosvos.training import runs
    from vosbench_eosvos.training.metatrain import MetaSettings
    from vosbench_eosvos.training.tasks import TaskSettings

    path = runs.metatrain(
        folders,
        out,
        MetaSettings(
            steps=steps,
            tasks=tasks,
            tasks_from=TaskSettings(videos=videos, distractor=distractor, imagined=imagined),
            inner_steps=parse_steps(inner_steps, "--inner-steps"),
            inner_average=inner_average,
            rate=rate,
            lr_of_rates=lr_of_rates,
            second_order=second_order,
            validate_every=validate_every,
            seed=seed,
        ),
        replace(validation, average=inner_average),
        parent=parent,
        level=level,  # type: ignore[arg-type]
        rate=start_rate,
        rates=rates,
        bf16=bf16,
        device=device,
        loaders=loaders,
        mask_loss=mask_loss,
        **parse_changes(changes),
    )
    click.echo(f"wrote {path}")


@click.command()
@data_options
@click.option(
    "--folds",
    required=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="--out of a `crossval` of all folds, which recorded masks out of fold.",
)
@run_options
@click.option("--steps", default=1000, show_default=True)
@click.option("--patches", default=8, show_default=True, help="Patches a step.")
def outline(
    folders: DataFolders,
    bf16: bool,
    device: str,
    folds: Path,
    out: Path,
    seed: int,
    steps: int,
    patches: int,
) -> None:
    """Train the network that draws outlines, on masks that `crossval` recorded out of fold."""
    from vosbench_eosvos.training.crossval import DRAWS, fold_records, train_outline
    from vosbench_eosvos.training.outline import OutlineSettings
    from vosbench_learning.corpus import DEVELOPMENT_SPLIT

    if folders.davis is None:
        raise UsageError("outlines are learned from videos", "Give --davis.")
    left_out = () if folders.everything else DEVELOPMENT_SPLIT
    records = fold_records(folds, range(len(DRAWS["plain"])))
    missing = {v for fold in DRAWS["plain"] for v in fold} - {*left_out, *records}
    if missing:
        raise UsageError(
            f"--folds {folds}: nothing is recorded of {', '.join(sorted(missing))}",
            "`vosbench eosvos crossval` of all folds records them.",
        )
    path = train_outline(
        folders,
        {video: path for video, path in records.items() if video not in left_out},
        out,
        OutlineSettings(steps=steps, patches=patches, seed=seed),
        bf16=bf16,
        device=device,
    )
    click.echo(f"wrote {path}")


@click.command("finetune-init")
@data_options
@training_options
@parent_option
@validation_options
@click.option("--steps", default=100, show_default=True)
@click.option("--rate", default=2e-5, show_default=True, help="Meta learning rate of theta0.")
@imagined_option
@click.option("--validate-every", default=25, show_default=True)
def finetune_init(
    folders: DataFolders,
    bf16: bool,
    device: str,
    loaders: int,
    out: Path,
    seed: int,
    parent: Path,
    validation: ValidationSettings,
    steps: int,
    rate: float,
    imagined: float,
    validate_every: int,
) -> None:
    """Fine-tune theta0 to one dataset's videos; the learning rates stay as they are."""
    from vosbench_eosvos.training import runs
    from vosbench_eosvos.training.metatrain import MetaSettings
    from vosbench_eosvos.training.tasks import TaskSettings

    path = runs.metatrain(
        folders,
        out,
        MetaSettings(
            steps=steps,
            rate=rate,
            lr_of_rates=0.0,
            tasks_from=TaskSettings(videos=1.0, imagined=imagined),
            validate_every=validate_every,
            seed=seed,
        ),
        validation,
        parent=parent,
        level=None,
        rate=None,
        bf16=bf16,
        device=device,
        loaders=loaders,
    )
    click.echo(f"wrote {path}")


@click.command()
@data_options
@validation_options
@click.argument("weights", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def validate(
    folders: DataFolders,
    bf16: bool,
    device: str,
    validation: ValidationSettings,
    weights: Path,
) -> None:
    """Quick region similarity of WEIGHTS on the development split of DAVIS-2016 train."""
    from vosbench_eosvos.training import runs

    scores = runs.validate(folders, weights, validation, bf16=bf16, device=device)
    for name, value in scores.items():
        click.echo(f"{name:20s} {value:.3f}")
