"""Whole runs, from folders on disk to weights: what the commands do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vosbench.errors import UsageError
from vosbench_eosvos.learned import LearnedOptimiser, Level
from vosbench_eosvos.model import MaskRCNN, build_model, changed, get_config
from vosbench_eosvos.training.metatrain import MetaSettings, MetaTraining, search_rate
from vosbench_eosvos.training.pretrain import Pretraining, PretrainSettings
from vosbench_eosvos.training.validation import (
    DetectionValidation,
    FineTuneValidation,
    ValidationSettings,
)
from vosbench_learning import distributed
from vosbench_learning.corpus import (
    DEVELOPMENT_SPLIT,
    Corpus,
    davis17_sequences,
    davis_sequences,
    davis_sources,
    load_corpus,
    photo_sources,
    training_sequences,
    video_sources,
)
from vosbench_learning.devices import training_device

logger = logging.getLogger(__name__)

#: Single learning rates that meta-training may start from.
CANDIDATE_RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)


@dataclass(frozen=True, kw_only=True)
class DataFolders:
    """Where images come from.

    Attributes:
        photos: folders with images/*.jpg and masks/*.png.
        davis: a DAVIS folder, or None to train on photos alone.
        davis17: train on all objects of DAVIS-2017 train instead of DAVIS-2016 train's one a video.
        videos: folders in YouTube-VOS's layout.
        cache: decoded images (about 4 bytes a pixel).
        decoded: keep them; else each is decoded when it is drawn.
        everything: train on the development split too (a last run, when all is decided).
    """

    photos: Sequence[Path]
    davis: Path | None
    cache: Path
    everything: bool = False
    davis17: bool = False
    videos: Sequence[Path] = ()
    decoded: bool = True

    def training(self) -> Corpus:
        """Photos and the training videos. Raises DatasetError or UsageError if there are none."""
        sources = [s for folder in self.photos for s in photo_sources(folder)]
        if self.davis is not None and self.davis17:
            held_out = () if self.everything else DEVELOPMENT_SPLIT
            names = [s for s in davis17_sequences(self.davis) if s not in held_out]
            sources += video_sources(self.davis, sequences=names)
        elif self.davis is not None:
            names = training_sequences(self.davis, everything=self.everything)
            sources += davis_sources(self.davis, names)
        sources += [s for folder in self.videos for s in video_sources(folder)]
        if not sources:
            raise UsageError("nothing to train on", "Give --photos, --davis or --ytvos.")
        return self._load(sources)

    def everything_but(self, held_out: Sequence[str]) -> Corpus:
        """Photos and all videos of DAVIS-2016 train but some; decoded once for any choice."""
        sources = [s for folder in self.photos for s in photo_sources(folder)]
        if self.davis is not None:
            sources += davis_sources(self.davis, sorted(davis_sequences(self.davis)))
        return self._load(sources).without(held_out)

    def development(self) -> Corpus | None:
        """The held-out videos; None without DAVIS, and where they are trained on."""
        if self.davis is None or self.everything:
            return None
        return self._load(davis_sources(self.davis, DEVELOPMENT_SPLIT))

    def _load(self, sources: Any) -> Corpus:
        return load_corpus(sources, self.cache, decoded=self.decoded)


def pretrain(
    folders: DataFolders,
    out: Path,
    settings: PretrainSettings,
    *,
    model: str,
    weights: str | None,
    bf16: bool,
    parent: Path | None = None,
    device: str = "cpu",
    loaders: int = 0,
    **changes: Any,
) -> Path:
    """Pre-train `model` (changed by `changes`) and return the file with its weights.

    Args:
        device: see `training_device`. loaders: threads that draw images ahead.
        weights: of the backbone or of the whole `r50`, see `build_model`.
        parent: result of an earlier pre-training to go on from; `model` and `weights` are its.

    Raises:
        UsageError: `parent` is of another model than `changes` ask for.
    """
    place = training_device(device)
    with distributed.process_group(place):
        corpus, held_out = folders.training(), folders.development()
        provenance = None
        if parent is None:
            net = build_model(get_config(model, **changes), weights=weights)
        else:
            earlier = _pretrained(parent, model, changes)
            net, provenance = earlier.build_model(), earlier.provenance
        net = net.to(place)
        net.bf16 = bf16
        run = Pretraining(
            net,
            corpus,
            settings,
            out,
            validation=DetectionValidation(held_out) if held_out else None,
            parent=provenance,
            loaders=loaders,
        )
        run.run()
        return run.export


def _pretrained(parent: Path, model: str, changes: dict[str, Any]) -> LearnedOptimiser:
    """Weights to go on from; what their masks' loss was does not matter."""
    learned = LearnedOptimiser.load(parent)
    loss = changes.get("mask_loss", learned.config.mask_loss)
    learned.config = changed(learned.config, mask_loss=loss)
    wanted = changed(learned.config, name=model, **changes).to_dict()
    others = [k for k, v in learned.config.to_dict().items() if wanted[k] != v]
    if others:
        raise UsageError(f"--parent {parent}: its model has another {', '.join(others)}")
    return learned


def metatrain(
    folders: DataFolders,
    out: Path,
    settings: MetaSettings,
    validation: ValidationSettings,
    *,
    parent: Path,
    level: Level | None,
    rate: float | None,
    bf16: bool,
    rates: Path | None = None,
    device: str = "cpu",
    loaders: int = 0,
    **changes: Any,
) -> Path:
    """Meta-train from the weights `parent`; returns the file with the best state.

    Args:
        device: see `training_device`. loaders: threads that draw tasks ahead.
        level: of the learning rates; None keeps those of `parent` and trains them further.
        rate: every learning rate at the start; None searches the best single one.
        rates: weights whose learning rates to start from instead of all these.

    Raises:
        UsageError: the learning rates in `rates` are those of another model.
    """
    place = training_device(device)
    with distributed.process_group(place):
        corpus, held_out = folders.training(), folders.development()
        learned = LearnedOptimiser.load(parent).to(place)
        learned.config = changed(learned.config, **changes)
        if rates is not None:
            learned = with_rates_of(LearnedOptimiser.load(rates), learned, rates)
        elif level is not None:
            learned = _with_rates(learned, level, rate, corpus, settings, bf16=bf16, device=place)
        check = FineTuneValidation(held_out, validation) if held_out else None
        MetaTraining(
            learned,
            corpus,
            settings,
            out,
            validation=check,
            bf16=bf16,
            device=place,
            loaders=loaders,
        ).run()
        return out / ("best.safetensors" if held_out else "last.safetensors")


def _with_rates(
    parent: LearnedOptimiser,
    level: Level,
    rate: float | None,
    corpus: Corpus,
    settings: MetaSettings,
    *,
    bf16: bool,
    device: torch.device,
) -> LearnedOptimiser:
    net: MaskRCNN = parent.build_model().to(device)
    net.bf16 = bf16
    if rate is None:
        curve = search_rate(net, parent, corpus, settings, CANDIDATE_RATES)
        rate = min(curve, key=curve.__getitem__)
        logger.info("test loss by single rate: %s; starting from %g", curve, rate)
    return LearnedOptimiser.create(net, level, rate, {"parent": parent.provenance, "rate": rate})


def with_rates_of(
    other: LearnedOptimiser, parent: LearnedOptimiser, source: Path
) -> LearnedOptimiser:
    """`parent` with the learning rates of `other`, which was read from `source`.

    Raises:
        UsageError: they are those of another model.
    """

    def shapes(learned: LearnedOptimiser) -> dict[str, torch.Size]:
        return {name: learned.state[name].shape for name in learned.learning}

    if shapes(other) != shapes(parent):
        raise UsageError(f"--rates {source}: these weights are of another model than the parent")
    provenance = {"parent": parent.provenance, "rates": other.provenance}
    rates = other.to(next(iter(parent.state.values())).device).rates
    return replace(parent, level=other.level, rates=rates, provenance=provenance)


def validate(
    folders: DataFolders,
    weights: Path,
    settings: ValidationSettings,
    *,
    bf16: bool,
    device: str = "cpu",
) -> dict[str, float]:
    """Scores of `weights` on the development split (see `FineTuneValidation`)."""
    place = training_device(device)
    with distributed.process_group(place):
        held_out = folders.development()
        if held_out is None:
            raise UsageError("the development split needs --davis")
        learned = LearnedOptimiser.load(weights).to(place)
        net: MaskRCNN = learned.build_model().to(place)
        net.bf16 = bf16
        return FineTuneValidation(held_out, settings)(learned, net)


def use_threads(count: int) -> None:
    """Threads of this process; one a process is fastest where processes fill the cores."""
    torch.set_num_threads(count)
