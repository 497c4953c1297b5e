"""Pre-training and meta-training: resuming, rates, running means, second order, validation."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vosbench.errors import RunError
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config
from vosbench_eosvos.training.metatrain import MetaSettings, MetaTraining, solve_task
from vosbench_eosvos.training.pretrain import LOSSES, Pretraining, PretrainSettings
from vosbench_eosvos.training.tasks import Task, TaskSettings
from vosbench_eosvos.training.validation import FineTuneValidation, ValidationSettings
from vosbench_learning.corpus import (
    davis_sources,
    load_corpus,
    photo_sources,
)
from vosbench_learning.views import Target, ViewSettings

SMALL = {"fpn_channels": 16, "box_features": 16, "mask_channels": 16}
VIEW = ViewSettings(size=(64, 96), side=(24.0, 60.0))


def settings(**changes):
    return PretrainSettings(
        **{
            "steps": 4,
            "unit_images": 1,
            "warmup": 2,
            "view": VIEW,
            "checkpoint_every": 2,
            **changes,
        }
    )


def meta_settings(**changes):
    tasks = TaskSettings(view=VIEW)
    values = {"steps": 4, "tasks": 1, "inner_steps": (1,), "warmup": 1, "checkpoint_every": 2}
    return MetaSettings(**{**values, "tasks_from": tasks, **changes})


def learned_small(level="neuron"):
    return LearnedOptimiser.create(build_model(get_config("lite", **SMALL)), level, 1e-3)


def rows(folder, name="losses"):
    with (folder / f"{name}.csv").open() as file:
        return [{k: v for k, v in r.items() if k != "seconds"} for r in csv.DictReader(file)]


_CHILD = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("training", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.die_at(*sys.argv[2:])
"""


def make_corpus(data, cache):
    sources = photo_sources(data / "photos") + davis_sources(data / "davis", ["alpha"])
    return load_corpus(sources, cache)


def pretraining(corpus, folder):
    return Pretraining(build_model(get_config("lite", **SMALL)), corpus, settings(), folder)


def meta_training(corpus, folder):
    return MetaTraining(learned_small(), corpus, meta_settings(tasks=2, inner_steps=(1, 2)), folder)


def die_at(kind, data, cache, folder, step):
    """In a process of its own: train until `step` steps are done, then die as by `kill -9`."""
    torch.set_num_threads(1)
    run = {"pretraining": pretraining, "meta_training": meta_training}[kind](
        make_corpus(Path(data), Path(cache)), Path(folder)
    )
    advance = run.advance

    def dying():
        if run.step == int(step):
            os.kill(os.getpid(), signal.SIGKILL)
        return advance()

    run.advance = dying
    run.run()


def killed_at(kind, data, cache, folder, step):
    command = [sys.executable, "-c", _CHILD, __file__, kind, data, cache, folder, step]
    ended = subprocess.run([str(part) for part in command], check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of two threads differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def corpus(training_folders, cache):
    return make_corpus(training_folders, cache)


def test_pretraining_resumes_as_if_never_stopped(corpus, training_folders, cache, tmp_path):
    whole = pretraining(corpus, tmp_path / "a")
    whole.run()
    killed_at("pretraining", training_folders, cache, tmp_path / "b", 3)
    assert len(rows(tmp_path / "b")) == 3
    second = pretraining(corpus, tmp_path / "b")
    assert second.step == 2
    second.run()
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    for n, t in whole.model.state_dict().items():
        assert torch.equal(t, second.model.state_dict()[n]), n
    assert LearnedOptimiser.load(second.export).provenance["steps"] == 4


def test_meta_training_resumes_as_if_never_stopped(corpus, training_folders, cache, tmp_path):
    whole = meta_training(corpus, tmp_path / "a")
    whole.run()
    killed_at("meta_training", training_folders, cache, tmp_path / "b", 3)
    second = meta_training(corpus, tmp_path / "b")
    assert second.step == 2
    second.run()
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    for kind in ("state", "rates"):
        for which in ("learned", "mean"):
            a, b = (getattr(getattr(run, which), kind) for run in (whole, second))
            assert all(torch.equal(t, b[n]) for n, t in a.items())
    assert any((r != 1e-3).any() for r in whole.learned.rates.values())


def test_a_folder_with_other_settings_is_refused(corpus, tmp_path):
    MetaTraining(learned_small(), corpus, meta_settings(steps=0), tmp_path).checkpoint()
    with pytest.raises(RunError, match="inner_steps: "):
        MetaTraining(learned_small(), corpus, meta_settings(steps=0, inner_steps=(3,)), tmp_path)


def test_learning_rates_never_fall_below_zero_and_stay_when_told(corpus, tmp_path):
    run = MetaTraining(learned_small(), corpus, meta_settings(lr_of_rates=50.0), tmp_path / "a")
    for _ in range(2):
        run.advance()
    rates = torch.cat([r.reshape(-1) for r in run.learned.rates.values()])
    assert (rates >= 0).all()
    assert (rates == 0).any()
    fixed = MetaTraining(
        learned_small("global"), corpus, meta_settings(lr_of_rates=0), tmp_path / "b"
    )
    before = {n: t.clone() for n, t in fixed.learned.state.items()}
    fixed.advance()
    assert fixed.learned.rates["*"] == torch.tensor(1e-3)
    assert any(not torch.equal(t, before[n]) for n, t in fixed.learned.state.items())


@pytest.mark.parametrize("average", [0.0, 0.05, 0.9])
def test_what_is_exported_is_the_running_mean(corpus, tmp_path, average):
    run = MetaTraining(
        learned_small(), corpus, meta_settings(steps=2, average=average, warmup=0), tmp_path
    )
    start = {n: t.clone() for n, t in run.learned.state.items()}
    run.advance()
    first = {n: run.learned.state[n].clone() for n in run.learned.learning}
    run.advance()
    run.checkpoint()
    share = max(1 - average, 1 / 1.2)  # of the second step
    exported = LearnedOptimiser.load(tmp_path / "last.safetensors")
    for n in run.learned.learning:
        early = start[n].lerp(first[n], max(1 - average, 1 / 1.1))
        wanted = early.lerp(run.learned.state[n], share)
        torch.testing.assert_close(run.mean.state[n], wanted)
        torch.testing.assert_close(exported.state[n], wanted, rtol=1e-3, atol=1e-4)
        if average == 0:
            assert torch.equal(run.mean.state[n], run.learned.state[n])


class SmoothModel(torch.nn.Module):
    """Losses as smooth functions of image and box, through the model's interface."""

    config = get_config("lite")

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 4)
        self.out = torch.nn.Linear(4, 5)

    def frozen_depth(self, _):
        return 0

    def forward(self, images, targets=None, *, stop=None):
        if stop is not None:
            return images
        goal = targets[0]["boxes"].mean()
        y = self.out(torch.tanh(self.layer(images.double().mean((2, 3)) / 255)))
        return dict(zip(LOSSES, (y - goal).square().mean(0), strict=True))


@pytest.mark.parametrize("average", [0.0, 0.6])
def test_second_order_gradients_are_finite_differences(average):
    torch.manual_seed(0)
    model = SmoothModel().double()
    learned = LearnedOptimiser.create(model, "neuron", 0.05)
    learned.rates = {n: r.double() for n, r in learned.rates.items()}
    images = torch.randint(0, 255, (3, 1, 3, 4, 4))
    goals = (0.3, 0.5, 0.9)
    boxes: list[Target] = [
        {"boxes": torch.full((1, 4), v), "masks": torch.ones(1, 4, 4)} for v in goals
    ]
    frame, view, test = zip(images, boxes, strict=True)
    task = Task((frame, view), test)
    found = solve_task(model, learned, task, 3, average=average, second_order=True)
    first = solve_task(model, learned, task, 3, average=average)
    torch.testing.assert_close(found.outer, first.outer)

    def outer():
        return float(solve_task(model, learned, task, 3, average=average).outer.sum())

    for tensors, grads in ((learned.state, found.theta), (learned.rates, found.rates)):
        for n in ("layer.weight", "out.bias"):
            value = tensors[n].view(-1)
            kept = value[1].item()
            value[1] = kept + 1e-6
            above = outer()
            value[1] = kept - 1e-6
            below = outer()
            value[1] = kept
            expected = (above - below) / 2e-6
            assert grads[n].view(-1)[1].item() == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert not torch.allclose(first.theta["layer.weight"], found.theta["layer.weight"], rtol=1e-3)


def test_validation_scores_each_held_out_sequence(training_folders, tmp_path):
    corpus = load_corpus(davis_sources(training_folders / "davis", ["tennis"]), tmp_path)
    learned = learned_small()
    check = FineTuneValidation(corpus, ValidationSettings(stride=2, iterations=(0, 2)))
    scores = check(learned, learned.build_model())
    assert set(scores) == {"score", "t0", "t2", "tennis"}
    assert all(0 <= v <= 1 for v in scores.values())
    assert scores["score"] == scores["t2"] == scores["tennis"]
