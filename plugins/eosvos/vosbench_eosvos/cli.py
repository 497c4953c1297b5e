"""`vosbench eosvos ...`: pre-training, meta-training and a quick validation.

Run several processes with `torchrun --nproc-per-node N -m vosbench_eosvos.cli ...`. Every run goes
on from its folder's checkpoint. torch is imported inside the commands only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.ablate import ablation_command
from vosbench.errors import UsageError
from vosbench_eosvos.published import SOURCE, ablation_table
from vosbench_eosvos.variants import ABLATION, ABLATION_WEIGHTS

if TYPE_CHECKING:
    from vosbench.analysis.ablation import AblationRow
    from vosbench_eosvos.training.runs import DataFolders
    from vosbench_eosvos.training.validation import ValidationSettings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def eosvos() -> None:
    """Train e-OSVOS, validate it, run its ablation."""


def _data_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add options that say where images are and how to compute; the command gets `folders`."""

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
        click.option(
            "--device",
            default="auto",
            show_default=True,
            help="cpu, cuda, cuda:1; auto takes cuda where there is one. Under torchrun, each "
            "process has a card of its own.",
        ),
        click.option("--threads", default=1, show_default=True, help="Threads of each process."),
        click.option("--bf16/--float32", default=True, help="Precision of convolutions."),
    )


def _training_options(command: Callable[..., Any]) -> Callable[..., Any]:
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
        click.option(
            "--loaders", default=0, show_default=True, help="Threads that draw images ahead."
        ),
        click.option("--seed", default=0, show_default=True),
    )


def _validation_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what to score; the command gets `validation`."""

    @functools.wraps(command)
    def gathered(*, iterations: str, stride: int, **others: Any) -> None:
        from vosbench_eosvos.training.validation import ValidationSettings

        validation = ValidationSettings(stride=stride, iterations=_parse_steps(iterations))
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


_changes = click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Change a number in the model's configuration, for example mask_window=28.",
)

_parent = click.option(
    "--parent",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Weights to start from.",
)


def _parse_steps(text: str, option: str = "--iterations") -> tuple[int, ...]:
    try:
        return tuple(sorted(int(t) for t in text.split(",")))
    except ValueError:
        raise click.BadParameter(f"{option} {text!r} is not a list like 1,10") from None


def _parse_changes(texts: tuple[str, ...]) -> dict[str, int]:
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


@eosvos.command()
@_data_options
@_training_options
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
    help="Go on from the weights of an earlier pre-training instead.",
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
@_changes
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
        **_parse_changes(changes),
    )
    click.echo(f"wrote {path}")


@eosvos.command()
@_data_options
@_training_options
@_parent
@click.option(
    "--mask-loss",
    type=click.Choice(["lovasz", "cross_entropy"]),
    default="lovasz",
    show_default=True,
)
@_validation_options
@click.option(
    "--level",
    type=click.Choice(["global", "neuron", "parameter"]),
    help="What one learning rate governs; default: as in the parent, all rates going on.",
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
@click.option("--validate-every", default=50, show_default=True)
@_changes
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
    rate: float,
    lr_of_rates: float,
    second_order: bool,
    videos: float,
    distractor: float,
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
            tasks_from=TaskSettings(videos=videos, distractor=distractor),
            inner_steps=_parse_steps(inner_steps, "--inner-steps"),
            rate=rate,
            lr_of_rates=lr_of_rates,
            second_order=second_order,
            validate_every=validate_every,
            seed=seed,
        ),
        validation,
        parent=parent,
        level=level,  # type: ignore[arg-type]
        rate=start_rate,
        rates=rates,
        bf16=bf16,
        device=device,
        loaders=loaders,
        mask_loss=mask_loss,
        **_parse_changes(changes),
    )
    click.echo(f"wrote {path}")


@eosvos.command("finetune-init")
@_data_options
@_training_options
@_parent
@_validation_options
@click.option("--steps", default=100, show_default=True)
@click.option("--rate", default=2e-5, show_default=True, help="Meta learning rate of theta0.")
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
            tasks_from=TaskSettings(videos=1.0),
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


@eosvos.command()
@_data_options
@_validation_options
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


@eosvos.command("import-reference")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--name", help="What -o weights=NAME shall call them.  [default: eosvos-paper]")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write this file instead."
)
def import_reference(file: Path, name: str | None, out: Path | None) -> None:
    """Make weights of the authors' released FILE (a *.model of e-osvos_models.zip).

    Nothing in FILE is run: it is read as tensors and numbers alone, and must hold exactly the
    paper's model. The result is found by the trackers eosvos-paper-10 to eosvos-paper-100-ona:

    \b
      vosbench eosvos import-reference best_val_davis17_meta_iter.model
      vosbench run --tracker eosvos-paper-50-ona --dataset davis17-val
    """
    from vosbench_eosvos.importing import import_reference as read
    from vosbench_eosvos.weights import PAPER, imported

    if out is not None and name is not None:
        raise click.UsageError("--name and --out exclude each other.")
    learned = read(file)
    path = imported(name or PAPER) if out is None else out
    path.parent.mkdir(parents=True, exist_ok=True)
    learned.save(path)
    parameters = sum(t.numel() for t in learned.state.values())
    rates = sum(t.numel() for t in learned.rates.values())
    click.echo(f"{parameters:,} parameters, {rates:,} learning rates: wrote {path}")


@eosvos.command()
@_data_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folds and runs."
)
@click.option(
    "--parent",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Weights pre-trained on photos alone (`pretrain` without --davis).",
)
@click.option("--folds", default="0,1,2,3,4", show_default=True, help="Which of the five.")
@click.option("--tracker", "trackers", multiple=True, default=("eosvos-10",), show_default=True)
@click.option("-o", "--option", "options", multiple=True, metavar="KEY=VALUE", help="Of trackers.")
@click.option("--seed", default=0, show_default=True, help="Of the trackers.")
@click.option(
    "--train/--no-train", default=True, help="Train what is missing, or take what there is."
)
def crossval(
    folders: DataFolders,
    bf16: bool,
    out: Path,
    parent: Path,
    folds: str,
    trackers: tuple[str, ...],
    options: tuple[str, ...],
    seed: int,
    train: bool,
) -> None:
    """Train five folds of DAVIS-2016 train; run trackers on the videos that each held out.

    Options are chosen by this table: no video in it was seen by the weights that track it. The same
    command goes on where it stopped. Weights: OUT/fold-N/meta/last.safetensors.
    """
    from vosbench_eosvos.crossval import cross_validate

    cross_validate(
        folders,
        parent,
        out,
        folds=_parse_steps(folds, "--folds"),
        trackers=trackers,
        options=options,
        seed=seed,
        train=train,
        bf16=bf16,
    )


_WEIGHTS = "eosvos ablate --weights"


def _ablation_rows() -> list[AblationRow]:
    from vosbench.analysis.ablation import parse_rows
    from vosbench_eosvos.published import ablation

    listed = ablation()
    rows = listed[listed["iterations"] == 10]
    published = [(str(n), p / 100) for n, p in zip(rows["variant"], rows["JF"], strict=True)]
    context = click.get_current_context(silent=True)
    folder: Path | None = context.meta.get(_WEIGHTS) if context else None
    return [
        replace(
            row,
            published=None if place is None else published[place],
            options={**row.options, **({} if folder is None else _weights_in(folder, row.tracker))},
        )
        for row, place in zip(parse_rows(",".join(ABLATION)), ABLATION.values(), strict=True)
    ]


def _weights_in(folder: Path, tracker: str) -> dict[str, str]:
    """The option that names a row's weights in `folder`. Raises UsageError if they are missing."""
    path = folder / f"{ABLATION_WEIGHTS[tracker]}.safetensors"
    if not path.is_file():
        names = ", ".join(dict.fromkeys(ABLATION_WEIGHTS.values()))
        raise UsageError(f"{path} is not there", f"--weights needs {names} (.safetensors).")
    return {"weights": str(path)}


_ablate = ablation_command(
    "ablate",
    "The paper's ablation (Table 1, 10 steps): what each idea gains over the one before. "
    f"Rows: {', '.join(ABLATION)}.",
    _ablation_rows,
    (SOURCE, ablation_table),
)
click.option(
    "--weights",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    expose_value=False,
    callback=lambda ctx, _param, folder: ctx.meta.__setitem__(_WEIGHTS, folder),
    help="Folder with parent, single-lr, neuron-lr, lovasz and full (.safetensors) of another "
    "model, r50 for instance; default: those of the light model that ship.",
)(_ablate)
eosvos.add_command(_ablate)


if __name__ == "__main__":
    eosvos()
