"""Cross-validation: five folds of DAVIS-2016 train, each held out of its own training.

Options and recipes are chosen on videos that no weights saw. The thirty sequences were drawn into
folds once (`DRAWS`); photos hold none of them, so a pre-training on photos alone serves all folds.
For each fold it goes on with the photos and the other folds' videos, and is meta-trained on them
several times over from there. The mean of the last states is taken, for nothing may be selected on
the videos that are held out, and chance makes each training lose other objects. The network for
outlines learns from what the weights of the other folds make of the videos they never saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from vosbench.errors import UsageError
from vosbench_eosvos.averaging import average
from vosbench_eosvos.folds import WEIGHTS, fold_home
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import changed
from vosbench_eosvos.training.metatrain import MetaSettings, MetaTraining
from vosbench_eosvos.training.outline import OutlineSettings, OutlineTraining
from vosbench_eosvos.training.pretrain import Pretraining, PretrainSettings
from vosbench_eosvos.training.records import record, recorded
from vosbench_eosvos.training.runs import DataFolders, with_rates_of
from vosbench_learning.devices import training_device

#: Draws of DAVIS-2016 train into folds: "plain", five at random, once; "kinds", five with what is
#: alike on one side (two wheels, vehicles, animals on land, birds and what hangs from lines,
#: people), so that no fold is tracked by weights that saw its like; "halves", two of "plain" each
#: and half of its last, for machines on which five trainings take too long.
DRAWS: dict[str, tuple[tuple[str, ...], ...]] = {
    "plain": (
        ("bear", "breakdance-flare", "car-turn", "flamingo", "mallard-water", "motocross-bumps"),
        ("dog-agility", "kite-walk", "paragliding", "stroller", "surf", "train"),
        ("boat", "bus", "dance-jump", "motorbike", "rhino", "scooter-gray"),
        ("elephant", "hike", "lucia", "mallard-fly", "rollerblade", "tennis"),
        ("bmx-bumps", "drift-turn", "hockey", "horsejump-low", "soccerball", "swing"),
    ),
    "kinds": (
        ("bmx-bumps", "motocross-bumps", "motorbike", "rollerblade", "scooter-gray", "stroller"),
        ("boat", "bus", "car-turn", "drift-turn", "soccerball", "train"),
        ("bear", "dog-agility", "elephant", "horsejump-low", "rhino"),
        ("flamingo", "kite-walk", "mallard-fly", "mallard-water", "paragliding", "surf"),
        ("breakdance-flare", "dance-jump", "hike", "hockey", "lucia", "swing", "tennis"),
    ),
}
DRAWS["halves"] = tuple(
    tuple(sorted((*first, *second, *shared)))
    for first, second, shared in (
        (*DRAWS["plain"][:2], DRAWS["plain"][4][:3]),
        (*DRAWS["plain"][2:4], DRAWS["plain"][4][3:]),
    )
)


@dataclass(frozen=True, kw_only=True)
class FoldSettings:
    """The budget of a fold: forty minutes on one core that does nothing else.

    Attributes:
        parent_steps: of pre-training with videos, after that on photos; 0 leaves it out.
        meta_steps: of meta-training; every task draws one of `inner_steps`, and the rates all
            start at `start_rate` where no others are given.
        trainings: how often it is meta-trained, with other draws.
        rate_scale: what the learning rates are multiplied by at the end.
        outline_steps: of the network for outlines.
    """

    parent_steps: int = 400
    meta_steps: int = 160
    trainings: int = 2
    rate_scale: float = 1.0
    inner_steps: tuple[int, ...] = (3, 5, 8)
    start_rate: float = 3e-3
    outline_steps: int = 1000
    seed: int = 0


def train_without(
    held_out: tuple[str, ...],
    folders: DataFolders,
    photo_parent: Path,
    home: Path,
    settings: FoldSettings,
    *,
    rates: Path | None = None,
    bf16: bool,
    device: str = "cpu",
) -> Path:
    """Train on photos and all videos but some in the folder `home`, or go on where it stopped.

    Args:
        folders: photos and DAVIS. photo_parent: result of `pretrain` on the photos alone.
        rates: weights whose learning rates meta-training starts from, of photos alone as well.
        device: see `training_device`.

    Returns:
        The weights: the mean of the trainings' last states, nothing is selected.

    Raises:
        UsageError: `folders` has no videos, or the learning rates are those of another model.
    """
    if folders.davis is None:
        raise UsageError("this trains on videos", "Give --davis.")
    corpus = folders.everything_but(held_out)
    photos = LearnedOptimiser.load(photo_parent)
    place = training_device(device)
    model = photos.build_model().to(place)
    model.bf16 = bf16
    pretraining = Pretraining(
        model,
        corpus,
        PretrainSettings(
            steps=settings.parent_steps,
            rate=5e-4,
            backbone_rate=1.5e-4,
            warmup=max(1, settings.parent_steps // 10),
            photos=0.4,
            checkpoint_every=50,
            seed=settings.seed,
        ),
        home / "parent",
        parent=photos.provenance,
    )
    pretraining.run()
    parent = LearnedOptimiser.load(pretraining.export)
    parent.config = changed(parent.config, mask_loss="lovasz")
    if rates is None:
        learned = LearnedOptimiser.create(
            parent.build_model(),
            "neuron",
            settings.start_rate,
            {"parent": parent.provenance, "rate": settings.start_rate},
        )
    else:
        learned = with_rates_of(LearnedOptimiser.load(rates), parent, rates)
    runs = []
    for number in range(settings.trainings):
        meta = MetaSettings(
            steps=settings.meta_steps,
            inner_steps=settings.inner_steps,
            average=0.95,
            checkpoint_every=5,
            seed=settings.seed + number,
        )
        run = home / f"meta-{number}"
        MetaTraining(deepcopy(learned), corpus, meta, run, bf16=bf16, device=place).run()
        runs.append(run / "last.safetensors")
    mean, weights = average(runs), home / WEIGHTS
    for rate in mean.rates.values():
        rate.mul_(settings.rate_scale)
    mean.provenance |= {"held out": list(held_out), "rate scale": settings.rate_scale}
    # Left as they are where they are these: what was recorded with them stays newer.
    if not (weights.is_file() and LearnedOptimiser.load(weights).provenance == mean.provenance):
        mean.save(weights, half=True)
    return weights


def train_folds(
    folders: DataFolders,
    photo_parent: Path,
    out: Path,
    folds: Sequence[int],
    held_out: Sequence[tuple[str, ...]],
    settings: FoldSettings,
    *,
    rates: Path | None = None,
    bf16: bool,
    device: str = "cpu",
) -> None:
    """Train some folds, and of each the network for outlines once there are records of all others.

    Args:
        held_out: the videos that each fold's training never sees. The rest as in `train_without`.
    """
    for fold in folds:
        weights = train_without(
            held_out[fold],
            folders,
            photo_parent,
            fold_home(out, fold),
            settings,
            rates=rates,
            bf16=bf16,
            device=device,
        )
        assert folders.davis is not None
        place = str(training_device(device))
        record(weights, folders.davis, held_out[fold], _records(out, fold), device=place)
    for fold in folds:
        others = [other for other in range(len(held_out)) if other != fold]
        records = fold_records(out, others)
        if set(records) == {video for other in others for video in held_out[other]}:
            home = fold_home(out, fold) / "outline"
            learn = OutlineSettings(steps=settings.outline_steps, seed=settings.seed)
            train_outline(folders, records, home, learn, bf16=bf16, device=device)


def _records(out: Path, fold: int) -> Path:
    return fold_home(out, fold) / "records"


def fold_records(out: Path, folds: Iterable[int]) -> dict[str, Path]:
    """Video -> what was recorded of it, over some folds of a cross-validation."""
    found: dict[str, Path] = {}
    for fold in folds:
        found |= recorded(_records(out, fold))
    return found


def train_outline(
    folders: DataFolders,
    records: Mapping[str, Path],
    folder: Path,
    settings: OutlineSettings,
    *,
    bf16: bool,
    device: str = "cpu",
) -> Path:
    """Train the network for outlines on recorded videos in `folder`; returns its weights.

    Raises:
        UsageError: nothing is recorded.
    """
    run = OutlineTraining(
        folders.everything_but(()),
        records,
        settings,
        folder,
        bf16=bf16,
        device=training_device(device),
    )
    run.run()
    return run.weights
