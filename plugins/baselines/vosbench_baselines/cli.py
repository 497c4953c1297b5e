"""`vosbench baselines ...`: train OSVOS's parent and STM, convert weights, search a learning rate.

torch is imported inside the commands only.
"""

from __future__ import annotations

from pathlib import Path

import click

from vosbench.cli.names import DATASET, DEVICE, TRACKER
from vosbench.cli.options import (
    data_root_option,
    load_plugins,
    sequences_option,
    setting_option,
)
from vosbench_learning.cli import device_options

_folder = click.Path(path_type=Path, file_okay=False)
_existing = click.Path(path_type=Path, file_okay=False, exists=True)
_file = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def baselines() -> None:
    """Train and tune the baselines."""


@baselines.command("osvos-parent")
@click.option("--photos", multiple=True, type=_existing, help="Folder with images/ and masks/.")
@click.option("--davis", type=_existing, help="DAVIS folder (2016 train is used).")
@click.option("--cache", type=_folder, required=True, help="Folder for decoded images.")
@click.option("--out", type=_folder, required=True, help="Folder of the run: checkpoint, weights.")
@click.option("--everything", is_flag=True, help="Train on the development split too.")
@click.option("--steps", default=3600, show_default=True, help="Optimiser steps.")
@click.option("--batch", default=4, show_default=True, help="Images a step.")
@click.option("--size", default=384, show_default=True, help="Side of the views in pixels.")
@click.option("--rate", default=2e-3, show_default=True, help="Learning rate of the decoder.")
@click.option("--backbone-rate", default=4e-4, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--loaders", default=0, show_default=True, help="Threads that draw images ahead.")
@device_options
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
    device: str,
    loaders: int,
    bf16: bool,
) -> None:
    """Train the network of osvos and onavos to find any object.

    Resumes from the checkpoint in --out if there is one. The result,
    OUT/osvos-parent.safetensors, is what `-o weights=FILE` of these trackers takes.
    """
    from vosbench.errors import UsageError

    if not photos and davis is None:
        raise UsageError("there is nothing to train on", "Give --photos DIR, --davis DIR or both.")
    import torch

    from vosbench_baselines.osvos.network import OsvosNet
    from vosbench_baselines.osvos.parent import ParentSettings, ParentTraining
    from vosbench_learning import corpus as data
    from vosbench_learning.devices import training_device
    from vosbench_learning.views import ViewSettings

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    place = training_device(device)
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
    training = ParentTraining(
        net,
        data.load_corpus(sources, cache),
        settings,
        out,
        device=place,
        loaders=loaders,
    )
    training.run()
    click.echo(f"wrote {training.weights}")


@baselines.command("stm-train")
@click.option("--photos", multiple=True, type=_existing, help="Folder with images/ and masks/.")
@click.option("--davis", type=_existing, help="DAVIS folder (2016 train is used).")
@click.option("--cache", type=_folder, required=True, help="Folder for decoded images.")
@click.option("--out", type=_folder, required=True, help="Folder of the run: checkpoint, weights.")
@click.option("--without", multiple=True, metavar="NAME", help="Leave a sequence out.")
@click.option("--everything", is_flag=True, help="Train on the development split too.")
@click.option("--model", type=click.Choice(["lite", "r50"]), default="lite", show_default=True)
@click.option("--parent", type=_file, help="Start from the weights of an earlier training.")
@click.option("--steps", default=3600, show_default=True, help="Optimiser steps.")
@click.option("--clips", default=4, show_default=True, help="Clips of three frames a step.")
@click.option("--size", default=256, show_default=True, help="Side of the views in pixels.")
@click.option("--rate", default=5e-4, show_default=True, help="Learning rate, encoders apart.")
@click.option("--backbone-rate", default=1e-4, show_default=True, help="Of the encoders.")
@click.option("--seed", default=0, show_default=True)
@click.option("--threads", default=1, show_default=True)
@device_options
def stm_train(
    photos: tuple[Path, ...],
    davis: Path | None,
    cache: Path,
    out: Path,
    without: tuple[str, ...],
    everything: bool,
    model: str,
    parent: Path | None,
    steps: int,
    clips: int,
    size: int,
    rate: float,
    backbone_rate: float,
    seed: int,
    threads: int,
    device: str,
    bf16: bool,
) -> None:
    """Train the memory network of stm on clips from videos and photos.

    Resumes from the checkpoint in --out if there is one. The result, OUT/stm.safetensors, is what
    `-o weights=FILE` of the tracker takes.
    """
    from vosbench.errors import UsageError

    if not photos and davis is None:
        raise UsageError("there is nothing to train on", "Give --photos DIR, --davis DIR or both.")
    from dataclasses import replace

    import torch

    from vosbench_baselines.stm.network import CONFIGS, StmNet
    from vosbench_baselines.stm.training import ClipSettings, StmSettings, StmTraining
    from vosbench_baselines.stm.weights import load_weights
    from vosbench_learning import corpus as data
    from vosbench_learning.devices import training_device

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    place = training_device(device)
    sources = [source for folder in photos for source in data.photo_sources(folder)]
    if davis is not None:
        names = data.training_sequences(davis, everything=everything)
        unknown = sorted(set(without) - set(names))
        if unknown:
            raise UsageError(f"--without {unknown[0]}: no such training sequence")
        sources += data.davis_sources(davis, names)
    net = StmNet(CONFIGS[model], pretrained=parent is None)
    if parent is not None:
        earlier = load_weights(parent)
        if earlier.config != net.config:
            raise UsageError(f"--parent {parent}: its model is not {model}", "Give its --model.")
        net.load_state_dict(earlier.state_dict())
    net.bf16 = bf16
    clips_from = ClipSettings()
    settings = StmSettings(
        steps=steps,
        clips=clips,
        rate=rate,
        backbone_rate=backbone_rate,
        clips_from=replace(clips_from, view=replace(clips_from.view, size=(size, size))),
        seed=seed,
    )
    training = StmTraining(
        net,
        data.load_corpus(sources, cache).without(without),
        settings,
        out,
        place,
        parent=parent,
    )
    training.run()
    click.echo(f"wrote {training.weights}")


@baselines.command("import-stm")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the weights go; FILE with the ending .safetensors by default.",
)
def import_stm(file: Path, out: Path | None) -> None:
    """Convert the weights that the authors of STM offer (STM_weights.pth).

    Every tensor must be accounted for; nothing but tensors is unpickled. The result is what
    `-o weights=FILE` of the tracker stm takes.
    """
    from vosbench_baselines.stm.weights import import_reference, save_weights

    net, digest = import_reference(file)
    target = out or file.with_suffix(".safetensors")
    save_weights(net, target, {"source": file.name, "sha256": digest})
    click.echo(f"wrote {target} (from {file.name}, SHA-256 {digest})")


@baselines.command("search-lr")
@data_root_option
@click.option("--tracker", default="handcrafted-10", show_default=True, type=TRACKER)
@click.option(
    "--dataset", default="davis16-fit", show_default=True, type=DATASET, help="Training sequences."
)
@sequences_option
@setting_option
@click.option("--rates", default="1e-4,3e-4,1e-3,3e-3,1e-2,3e-2", show_default=True)
@click.option("--stride", default=10, show_default=True, help="Track every n-th frame.")
@click.option("--out", type=_folder, required=True, help="Folder of the search.")
@click.option("--device", default="auto", show_default=True, type=DEVICE, help="cpu, cuda, cuda:1.")
@click.option("--threads", default=1, show_default=True)
def search_lr(
    data_root: tuple[Path, ...],
    tracker: str,
    dataset: str,
    sequences: tuple[str, ...],
    options: tuple[str, ...],
    rates: str,
    stride: int,
    out: Path,
    device: str,
    threads: int,
) -> None:
    """Find the learning rate of a fine-tuning baseline on training sequences.

    Resumes from OUT/search.csv if there is one, and prints the curve: mean J by rate.
    """
    from vosbench.errors import UsageError

    try:
        grid = sorted({float(text) for text in rates.split(",")})
    except ValueError:
        raise UsageError(f"--rates {rates!r} is no list of numbers like 1e-4,1e-3") from None
    pairs = [text.partition("=") for text in options]
    if any(not equals for _, equals, _ in pairs):
        raise UsageError("-o takes NAME=VALUE, for example -o iterations=10")
    import torch

    from vosbench.config import data_roots
    from vosbench.datasets.registry import open_dataset, select
    from vosbench_baselines.search_lr import RateSearch
    from vosbench_learning.devices import training_device

    torch.set_num_threads(threads)
    plugins = load_plugins()
    search = RateSearch(
        plugins.tracker(tracker),
        {name: value for name, _, value in pairs},
        select(open_dataset(dataset, plugins, data_roots(data_root)), sequences),
        out,
        stride=stride,
        device=str(training_device(device)),
    )
    search.run(grid, lambda row: click.echo(f"{row.rate:g}  {row.sequence}  J {row.J:.3f}"))
    curve = search.curve()
    best = max(curve, key=lambda rate: curve[rate])
    click.echo("rate      J")
    for rate, score in curve.items():
        bar = "#" * round(40 * score)
        click.echo(f"{rate:<8g}  {score:.3f}  {bar}{'  <- best' if rate == best else ''}")
    click.echo(f"wrote {search.table}")
