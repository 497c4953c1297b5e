"""Every training step on the pretended device."""

import numpy as np
import pytest
import torch

from vosbench.errors import UsageError
from vosbench_baselines.osvos.network import OsvosNet
from vosbench_baselines.osvos.parent import ParentSettings, ParentTraining
from vosbench_baselines.stm.network import StmConfig, StmNet
from vosbench_baselines.stm.training import ClipSettings, StmSettings, StmTraining
from vosbench_eosvos.finetune import loss_of, make_example
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config
from vosbench_eosvos.training.metatrain import MetaSettings, MetaTraining, search_rate
from vosbench_eosvos.training.outline import OutlineSettings, OutlineTraining
from vosbench_eosvos.training.pretrain import Pretraining, PretrainSettings
from vosbench_eosvos.training.tasks import TaskSettings
from vosbench_eosvos.training.validation import (
    DetectionValidation,
    FineTuneValidation,
    ValidationSettings,
)
from vosbench_learning import devices
from vosbench_learning.devices import Loader, training_device
from vosbench_learning.views import ViewSettings

VIEW = ViewSettings(size=(64, 96), side=(24.0, 60.0))
META = MetaSettings(
    steps=2, tasks=1, inner_steps=(1,), warmup=1, tasks_from=TaskSettings(view=VIEW)
)


def network(**changes):
    small = {"fpn_channels": 16, "box_features": 16, "mask_channels": 16}
    return build_model(get_config("lite", **small, **changes))


def pretrain(device, corpus, folder):
    settings = PretrainSettings(steps=1, units=1, unit_images=2, warmup=1, view=VIEW)
    run = Pretraining(network().to(device), corpus, settings, folder)
    values = run.advance()
    DetectionValidation(corpus)(run.model)
    run.checkpoint()
    return values


def metatrain(device, corpus, folder):
    learned = LearnedOptimiser.create(network(), "neuron", 1e-3)
    run = MetaTraining(learned, corpus, META, folder, device=device)
    values = run.advance()
    run.checkpoint()
    return values


def rate_search(device, corpus, _folder):
    net = network().to(device)
    learned = LearnedOptimiser.create(net, "global", 1e-3)
    return search_rate(net, learned, corpus, META, (1e-3,), tasks=1)


def validate(device, corpus, _folder):
    learned = LearnedOptimiser.create(network(), "neuron", 1e-3).to(device)
    settings = ValidationSettings(iterations=(1,), stride=3)
    return FineTuneValidation(corpus, settings)(learned, learned.build_model().to(device))


def osvos_parent(device, corpus, folder):
    settings = ParentSettings(steps=1, batch=2, warmup=1, view=VIEW)
    net = OsvosNet(pretrained=False)
    run = ParentTraining(net, corpus, settings, folder, device=device)
    values = run.advance()
    run.export()
    return values


def stm(device, corpus, folder):
    settings = StmSettings(steps=1, clips=1, warmup=1, clips_from=ClipSettings(view=VIEW))
    net = StmNet(StmConfig(key=8, value=16, decoder=8), pretrained=False)
    return StmTraining(net, corpus, settings, folder, device).advance()


def outline(device, corpus, folder):
    truth = np.stack([corpus[index][1] > 0 for index in corpus.sequences()["alpha"][1:]])
    folder.mkdir()
    np.save(folder / "alpha.npy", np.stack([truth * 255] * 2, 1).astype(np.uint8))
    settings = OutlineSettings(steps=1, patches=1, side=64, shift=10, warmup=1)
    records = {"alpha": folder / "alpha.npy"}
    return OutlineTraining(corpus, records, settings, folder, device=device).advance()


def nothing_to_find(device, _corpus, _folder):
    """A step on an image without an object."""
    net = network().to(device)
    image, empty = np.zeros((*VIEW.size, 3), np.uint8), np.zeros(VIEW.size, bool)
    params = {n: p for n, p in net.named_parameters() if p.requires_grad}
    loss = loss_of(net, params, make_example(net, image, empty, net.frozen_depth(params)))
    return {"loss": float(loss)}


STEPS = (pretrain, metatrain, rate_search, validate, osvos_parent, stm, outline, nothing_to_find)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_training_step_keeps_all_on_its_device(step, corpus, away, visited, tmp_path):
    there = step(away, corpus, tmp_path / "there")
    assert visited == {away}
    assert all(np.isfinite(value) for value in there.values())
    if step is metatrain:
        here = step(torch.device("cpu"), corpus, tmp_path / "here")
        assert {k: pytest.approx(v, rel=1e-5) for k, v in here.items()} == there


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_training_step_runs_on_a_card(step, corpus, tmp_path):
    found = step(torch.device("cuda", 0), corpus, tmp_path / "card")
    assert all(np.isfinite(value) for value in found.values())


@pytest.mark.parametrize("step", [pretrain, metatrain, osvos_parent])
def test_one_forgotten_transfer_is_noticed(step, corpus, away, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "moved", lambda value, _device: value)
    with pytest.raises(Exception, match="both devices"):
        step(away, corpus, tmp_path / "there")


def test_threads_change_nothing_but_the_time():
    def draw(step, unit):
        return {"n": torch.tensor([step, unit])}, [step]

    drawn = []
    for threads in (0, 3):
        loader = Loader(draw, 3, torch.device("cpu"), threads)
        steps = [list(loader.step(step)) for step in range(4)]
        loader.close()
        drawn.append([[(u, d["n"].tolist(), s) for u, (d, s) in units] for units in steps])
    assert drawn[0] == drawn[1]
    assert drawn[0][3] == [(unit, [3, unit], [3]) for unit in range(3)]


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    assert training_device("cpu") == torch.device("cpu")
    with pytest.raises(UsageError, match="no torch device"):
        training_device("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="sees no CUDA device"):
        training_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _number: None)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert training_device("auto") == torch.device("cuda", 1)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UsageError, match="nproc-per-node"):
        training_device("cuda")
