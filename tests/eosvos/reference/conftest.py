"""The reference implementation's numbers (tests/golden/r50) and what they were computed on."""

import importlib.util
import json
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vosbench_eosvos.boxprop import tight_box
from vosbench_eosvos.importing import BACKGROUND, import_reference, their_name
from vosbench_eosvos.model import build_model, get_config

GOLDEN = Path(__file__).parents[2] / "golden/r50"


@pytest.fixture(scope="session")
def recipe():
    """The module next to this one."""
    spec = importlib.util.spec_from_file_location("recipe", Path(__file__).with_name("recipe.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden():
    """By name of the file: `numbers` of the JSON, `arrays` of the npz."""

    def load(name):
        return SimpleNamespace(
            numbers=json.loads((GOLDEN / f"{name}.json").read_text()),
            arrays=dict(np.load(GOLDEN / f"{name}.npz")),
        )

    load.folder = GOLDEN
    return load


@pytest.fixture(scope="session")
def checkpoint(recipe, tmp_path_factory):
    """A file in the format of the authors' released models, its values by formula."""
    with torch.device("meta"):  # names and shapes only
        model = build_model(get_config("paper"))
    state = OrderedDict()

    def with_background(name, value, fill):
        rows = next((n for prefix, n in BACKGROUND.items() if name.startswith(prefix)), 0)
        return np.concatenate([np.full((rows, *value.shape[1:]), fill, np.float32), value])

    shapes = {n: tuple(p.shape) for n, p in model.named_parameters()}
    for name, shape in shapes.items():
        value = with_background(name, recipe.rate(name, shape[0]), 0.0)
        key = "log_init_lr_" + their_name(name).replace(".", "-")
        state[key] = torch.from_numpy(value).view(-1, *[1] * (len(shape) - 1))
    for name, shape in shapes.items():
        value = with_background(name, recipe.weight(name, shape), 0.01)
        state["model_init_" + their_name(name).replace(".", "-")] = torch.from_numpy(value)
    path = tmp_path_factory.mktemp("authors") / "best.model"
    content = {"meta_optim_state_dict": state, "vis_win_names": {}, "meta_iter": 7, "meta_epoch": 2}
    torch.save(content, path, _use_new_zipfile_serialization=False)  # as torch 1.2 wrote files
    return path


@pytest.fixture(scope="session")
def learned(checkpoint):
    return import_reference(checkpoint)


@pytest.fixture(scope="session")
def network(learned):
    return learned.build_model()


@pytest.fixture
def first_ones_sampled(monkeypatch):
    """Of the positive and of the negative boxes, the first ones."""
    monkeypatch.setattr(torch, "randperm", lambda n, **_: torch.arange(n))


@pytest.fixture
def moves_by_formula(monkeypatch, recipe):
    """Box propagation moves sides by formula instead of at random."""
    real = torch.rand

    def rand(*size, generator=None, **settings):
        if generator is None:
            return real(*size, **settings)
        return torch.from_numpy(recipe.fractions(size[0]).T.copy())

    monkeypatch.setattr(torch, "rand", rand)


@pytest.fixture(scope="session")
def example(recipe):
    """Frame t of the scene and an object's target."""

    def make(t, identity=1):
        image, labels = recipe.scene(t)
        mask = labels == identity
        target = {"boxes": torch.tensor([tight_box(mask)]), "masks": torch.from_numpy(mask[None])}
        return torch.from_numpy(image).permute(2, 0, 1)[None], [target]

    return make
