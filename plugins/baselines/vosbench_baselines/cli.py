"""`vosbench baselines ...`: train OSVOS's parent network, search a learning rate.

torch is imported inside the commands only.
"""

from __future__ import annotations

from pathlib import Path

import click

_folder = click.Path(path_type=Path, file_okay=False)
_existing = click.Path(path_type=Path, file_okay=False, exists=True)


@click.group()
def baselines() -> None:
    """Train and tune the baselines."""


@baselines.command("osvos-parent")
@click.option("--photos", multiple=True, type=_existing, help="Folder with images/ and masks/.")
@click.option("--davis", type=_existing, help="DAVIS folder (2016 train is used).")
@click.option("--cache", type=_folder, required=True, help="Folder for decoded images.")
@click.option("--out", type=_folder, required=True, help="Folder of the run: checkpoint, weights.")
@click.option("--everything", is_flag=True, help="Train on the development split too.")
@click.option("--steps", default=1600, show_default=True, help="Optimiser steps.")
@click.option("--batch", default=4, show_default=True, help="Images a step.")
@click.option("--size", default=288, show_default=True, help="Side of the views in pixels.")
@click.option("--rate", default=2e-3, show_default=True, help="Learning rate of the decoder.")
@click.option("--backbone-rate", default=4e-4, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--bf16/--float32", default=True, help="Precision of convolutions.")
def osvos_parent(
    photos: tuple[Path, ...],
    davis: Path | None,
    cache: Path,
    out: Path,
    everything: bool,
    steps: int,
    batch: int,
    size: int,
    rate: float,
    backbone_rate: float,
    seed: int,
    threads: int,
    bf16: bool,
) -> None:
    """Train the network of osvos and onavos to find any object.

    Goes on from the checkpoint in --out if there is one. The result,
    OUT/osvos-parent.safetensors, is what `-o weights=FILE` of these trackers takes.
    """
    from vosbench.errors import UsageError

    if not photos and davis is None:
        raise UsageError("there is nothing to train on", "Give --photos DIR, --davis DIR or both.")
    import torch

    from vosbench_baselines.osvos.network import OsvosNet
    from vosbench_baselines.osvos.parent import ParentSettings, ParentTraining
    from vosbench_eosvos.training import data
    from vosbench_eosvos.training.augmentation import ViewSettings

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    sources = [source for folder in photos for source in data.photo_sources(folder)]
    if davis is not None:
        sources += data.davis_sources(davis, data.training_sequences(davis, everything=everything))
    net = OsvosNet(pretrained=True)
    net.bf16 = bf16
    settings = ParentSettings(
        steps=steps,
        batch=batch,
        rate=rate,
        backbone_rate=backbone_rate,
        view=ViewSettings(size=(size, size)),
        seed=seed,
    )
    training = ParentTraining(net, data.load_corpus(sources, cache), settings, out)
    training.run()
    click.echo(f"wrote {training.export}")
