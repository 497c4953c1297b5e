"""A light model small enough for tests, and a scene to track in."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from vosbench.types import Context, Frame
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config
from vosbench_eosvos.training.crossval import DRAWS

SIZE = (64, 96)


@pytest.fixture
def scene():
    return moving_squares


def moving_squares(count=4, size=SIZE, seed=0):
    """Frames with a red square that moves to the right and a blue one that moves down, on noise;
    and the masks of both, by object id."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(60, 120, (*size, 3), dtype=np.uint8)
    frames, masks = [], []
    for t in range(count):
        red, blue = np.zeros(size, bool), np.zeros(size, bool)
        red[10:34, 8 + 3 * t : 36 + 3 * t] = True
        blue[20 + 2 * t : 44 + 2 * t, 60:84] = True
        image = ground.copy()
        image[red], image[blue] = (230, 30, 30), (30, 30, 230)
        frames.append(Frame(image, t, f"{t:05d}"))
        masks.append({1: red, 2: blue})
    return frames, masks


@pytest.fixture(scope="session")
def tiny():
    """A light model with random weights whose last stages, heads and norms learn."""
    model = build_model(get_config("lite", fpn_channels=32, box_features=32, mask_channels=16))
    learned = LearnedOptimiser.create(model, "neuron", 2e-3)
    for name, rate in learned.rates.items():
        if name.startswith(("backbone.stages.3.", "backbone.stages.4.")):
            rate.zero_()
    with torch.no_grad():
        learned.state["box_score.bias"].copy_(torch.tensor([-1.0, 1.0]))  # everything is an object
    return learned


@pytest.fixture(scope="session")
def tiny_weights(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    tiny.save(path)
    return path


@pytest.fixture
def make_context(tiny_weights, tmp_path):
    """Context with the options of a variant, on the tiny weights."""
    from vosbench_eosvos.variants import specs

    by_name = {spec.name: spec for spec in specs()}

    def make(variant="eosvos-1", *, seed=0, snapshots=(), **options):
        given = {"weights": str(tiny_weights), "bf16": "false", "enlarge": "no"}
        given |= {name: str(value) for name, value in options.items()}
        values = by_name[variant].resolve_options(given)
        asked = {"iterations": tuple(snapshots)} if snapshots else {}
        return Context("cpu", seed, values, Path(tmp_path), logging.getLogger(), snapshots=asked)

    return make


@pytest.fixture(scope="session")
def thirty_videos(training_folders, tmp_path_factory):
    """The names of DAVIS-2016 train, each with the same three small frames."""
    davis = tmp_path_factory.mktemp("thirty") / "DAVIS"
    pairs = []
    for name in sorted(name for fold in DRAWS["plain"] for name in fold):
        for frame in ("00000", "00001", "00002"):
            files = f"JPEGImages/480p/{name}/{frame}.jpg", f"Annotations/480p/{name}/{frame}.png"
            for file in files:
                (davis / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(training_folders / "davis" / file.replace(name, "alpha"), davis / file)
            pairs.append(f"/{files[0]} /{files[1]}")
    (davis / "ImageSets/2016").mkdir(parents=True)
    (davis / "ImageSets/2016/train.txt").write_text("\n".join(pairs))
    return davis
