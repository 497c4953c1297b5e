"""Training: data on disk, views, tasks, resuming, several processes, the commands."""

import csv
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from vosbench.errors import DatasetError, RunError
from vosbench_eosvos.cli import eosvos
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config
from vosbench_eosvos.training.metatrain import MetaSettings, MetaTraining, solve_task
from vosbench_eosvos.training.pretrain import LOSSES, Pretraining, PretrainSettings
from vosbench_eosvos.training.tasks import Task, TaskSampler, TaskSettings
from vosbench_eosvos.training.validation import FineTuneValidation, ValidationSettings
from vosbench_learning import distributed
from vosbench_learning.corpus import (
    DEVELOPMENT_SPLIT,
    davis_sources,
    load_corpus,
    photo_sources,
    resolve_void,
    training_sequences,
)
from vosbench_learning.views import (
    View,
    ViewSettings,
    affine,
    paste,
    random_view,
    tight_box,
    warp,
)

SMALL = {"fpn_channels": 16, "box_features": 16, "mask_channels": 16}
VIEW = ViewSettings(size=(96, 128), side=(24.0, 80.0))


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Four photos of two squares (one file broken) and two DAVIS sequences of four frames."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for folder in ("photos/images", "photos/masks"):
        (root / folder).mkdir(parents=True)

    def write(image_path, mask_path, shift, *, binary):
        image = random.integers(60, 120, (90, 120, 3), dtype=np.uint8)
        mask = np.zeros((90, 120), np.uint8)
        mask[20:60, 10 + shift : 50 + shift] = 1
        image[mask == 1] = (220, 40, 40)
        if not binary:
            mask[30:50, 70:100] = 2
            image[mask == 2] = (40, 40, 220)
        for path in (image_path, mask_path):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(image_path, quality=95)
        Image.fromarray(mask * 255 if binary else mask).save(mask_path)

    for i in range(4):
        name = f"p{i}"
        write(
            root / f"photos/images/{name}.jpg", root / f"photos/masks/{name}.png", i, binary=False
        )
    (root / "photos/images/broken.jpg").write_bytes(b"no jpeg")
    Image.fromarray(np.ones((9, 9), np.uint8)).save(root / "photos/masks/broken.png")
    davis = root / "davis"
    for sequence in ("alpha", "tennis"):
        for t in range(4):
            write(
                davis / f"JPEGImages/480p/{sequence}/{t:05d}.jpg",
                davis / f"Annotations/480p/{sequence}/{t:05d}.png",
                4 * t,
                binary=True,
            )
    (davis / "ImageSets/2016").mkdir(parents=True)
    lines = [
        f"/JPEGImages/480p/{s}/{t:05d}.jpg /Annotations/480p/{s}/{t:05d}.png"
        for s in ("alpha", "tennis")
        for t in range(4)
    ]
    (davis / "ImageSets/2016/train.txt").write_text("\n".join(lines))
    return root


@pytest.fixture(scope="session")
def corpus(folders, tmp_path_factory):
    sources = photo_sources(folders / "photos") + davis_sources(folders / "davis", ["alpha"])
    return load_corpus(sources, tmp_path_factory.mktemp("cache"))


def test_corpus_names_what_it_skips_and_comes_back_from_its_cache(folders, tmp_path):
    sources = photo_sources(folders / "photos")
    first = load_corpus(sources, tmp_path)
    assert len(first) == 4
    assert [s.split(":")[0] for s in first.skipped] == ["broken"]
    stamp = {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()}
    again = load_corpus(sources, tmp_path)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.iterdir()} == stamp
    assert again.skipped == first.skipped
    image, labels = again[2]
    with Image.open(sources[3].image) as file:
        assert (image == np.asarray(file)).all()
    assert again.items[2].objects == (1, 2) == tuple(np.unique(labels)[1:])


def test_davis_masks_are_one_object_and_the_development_split_is_held_out(folders, tmp_path):
    assert training_sequences(folders / "davis") == ["alpha"]
    assert training_sequences(folders / "davis", everything=True) == ["alpha", "tennis"]
    corpus = load_corpus(davis_sources(folders / "davis", ["alpha"]), tmp_path)
    assert corpus.sequences() == {"alpha": [0, 1, 2, 3]}
    assert set(np.unique(corpus[0][1])) == {0, 1}
    with pytest.raises(DatasetError, match="beta"):
        davis_sources(folders / "davis", ["beta"])


def test_training_on_real_davis_leaves_out_the_development_split(davis_root):
    names = training_sequences(davis_root)
    assert len(names) == 24
    assert not set(names) & set(DEVELOPMENT_SPLIT)


def test_void_band_is_split_between_its_neighbours():
    labels = np.zeros((20, 40), np.uint8)
    labels[:, 10:] = 255
    labels[:, 14:] = 1
    resolved = resolve_void(labels)
    assert (resolved[:, :12] == 0).all()
    assert (resolved[:, 12:] == 1).all()
    labels[:, 14:] = 255
    assert not resolve_void(labels)[:, 20:].any()


def test_a_warp_moves_image_and_masks_alike():
    random = np.random.default_rng(1)
    labels = np.zeros((60, 80), np.uint8)
    labels[20:40, 30:60] = 3
    image = np.where(labels[..., None] == 3, 250, 5).astype(np.uint8).repeat(3, 2)
    for _ in range(20):
        flip = bool(random.integers(2))
        matrix = affine(
            (45, 30), (64, 48), random.uniform(0.5, 2), random.uniform(-40, 40), flip=flip
        )
        view = warp(image, labels, matrix, (96, 128))
        assert view.ids == (3,)
        disagree = (view.image[..., 0] > 127) ^ view.masks[0]
        assert disagree.sum() <= 2  # rounding at the edge only


def test_views_repeat_by_seed_and_keep_the_chosen_object(corpus):
    image, labels = corpus[0]
    for seed in range(10):
        a, b = (random_view(image, labels, VIEW, np.random.default_rng(seed)) for _ in range(2))
        assert (a.image == b.image).all()
        assert a.ids
        assert a.image.shape == (96, 128, 3)
        boxes = a.target()["boxes"]
        assert (boxes[:, 2:] > boxes[:, :2]).all()


def test_pasting_hides_what_is_behind():
    below = np.zeros((40, 40), bool)
    below[5:35, 5:35] = True
    above = np.zeros((40, 40), bool)
    above[10:30, 20:38] = True
    black, white = np.zeros((40, 40, 3), np.uint8), np.full((40, 40, 3), 255, np.uint8)
    out = paste(
        View(black, below[None], (4,)), View(white, above[None], (1,)), np.random.default_rng(0)
    )
    assert out.ids == (4, 5)
    assert (out.masks[1] == above).all()
    assert (out.masks[0] == (below & ~above)).all()
    assert out.image[20, 28].tolist() == [255] * 3
    assert tight_box(out.masks[1]) == (20, 10, 38, 30)


def test_tasks_show_one_object_in_both_frames(corpus):
    sampler = TaskSampler(corpus, TaskSettings(view=VIEW, distractor=1.0))
    for seed in range(12):
        task = sampler.task(np.random.default_rng(seed))
        for image, target in (
            (task.train_image, task.train_target),
            (task.test_image, task.test_target),
        ):
            assert image.shape == (1, 3, 96, 128)
            assert target["masks"].shape == (1, 96, 128)
            assert target["masks"].any()
    again = sampler.task(np.random.default_rng(11))
    assert torch.equal(again.test_image, task.test_image)


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
    values = {"steps": 4, "tasks": 2, "inner_steps": (2,), "warmup": 1, "checkpoint_every": 2}
    return MetaSettings(**{**values, "tasks_from": tasks, **changes})


def learned_small(level="neuron"):
    return LearnedOptimiser.create(build_model(get_config("lite", **SMALL)), level, 1e-3)


def rows(folder, name="losses"):
    with (folder / f"{name}.csv").open() as file:
        return [{k: v for k, v in r.items() if k != "seconds"} for r in csv.DictReader(file)]


def killed_at(run, step):
    """Let `run` go on in a process of its own until it has done `step` steps, then kill -9 it."""
    advance = "_advance" if isinstance(run, Pretraining) else "advance"
    original = getattr(run, advance)

    def dying():
        if run.step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return original()

    setattr(run, advance, dying)
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)  # a forked process has no OpenMP threads to share work with
        run.run()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_pretraining_resumes_as_if_never_stopped(corpus, tmp_path):
    def new(folder):
        return Pretraining(build_model(get_config("lite", **SMALL)), corpus, settings(), folder)

    whole = new(tmp_path / "a")
    whole.run()
    killed_at(new(tmp_path / "b"), 3)
    assert len(rows(tmp_path / "b")) == 3
    second = new(tmp_path / "b")
    assert second.step == 2
    second.run()
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    for n, t in whole.model.state_dict().items():
        assert torch.equal(t, second.model.state_dict()[n]), n
    assert LearnedOptimiser.load(second.export).provenance["steps"] == 4


def test_meta_training_resumes_as_if_never_stopped(corpus, tmp_path):
    def new(folder):
        return MetaTraining(learned_small(), corpus, meta_settings(inner_steps=(1, 2)), folder)

    whole = new(tmp_path / "a")
    whole.run()
    killed_at(new(tmp_path / "b"), 3)
    second = new(tmp_path / "b")
    assert second.step == 2
    second.run()
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    for kind in ("state", "rates"):
        for which in ("learned", "mean"):
            a, b = (getattr(getattr(run, which), kind) for run in (whole, second))
            assert all(torch.equal(t, b[n]) for n, t in a.items())
    assert any((r != 1e-3).any() for r in whole.learned.rates.values())


def test_a_folder_with_other_settings_is_refused(corpus, tmp_path):
    MetaTraining(learned_small(), corpus, meta_settings(steps=0), tmp_path)._save()
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
    run._save()
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


def test_second_order_gradients_are_finite_differences():
    torch.manual_seed(0)
    model = SmoothModel().double()
    learned = LearnedOptimiser.create(model, "neuron", 0.05)
    learned.rates = {n: r.double() for n, r in learned.rates.items()}
    images = torch.randint(0, 255, (2, 1, 3, 4, 4))
    boxes = [{"boxes": torch.full((1, 4), v), "masks": torch.ones(1, 4, 4)} for v in (0.3, 0.9)]
    task = Task(images[0], boxes[0], images[1], boxes[1])
    found = solve_task(model, learned, task, 3, second_order=True)
    first = solve_task(model, learned, task, 3)
    torch.testing.assert_close(found.outer, first.outer)

    def outer():
        return float(solve_task(model, learned, task, 3).outer.sum())

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


_SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config
from vosbench_learning import distributed
from vosbench_learning.views import ViewSettings
from vosbench_learning.corpus import load_corpus, photo_sources
from vosbench_eosvos.training.metatrain import MetaSettings, MetaTraining
from vosbench_eosvos.training.pretrain import Pretraining, PretrainSettings
from vosbench_eosvos.training.tasks import TaskSettings

photos, cache, out = map(Path, sys.argv[1:])
view = ViewSettings(size=(96, 128), side=(24.0, 80.0))
with distributed.process_group():
    corpus = load_corpus(photo_sources(photos), cache)
    model = build_model(get_config("lite", fpn_channels=16, box_features=16, mask_channels=16))
    learned = LearnedOptimiser.create(model, "neuron", 1e-3)
    tasks = TaskSettings(view=view)
    meta = MetaSettings(steps=2, tasks=2, inner_steps=(2,), warmup=1, tasks_from=tasks)
    MetaTraining(learned, corpus, meta, out / "meta").run()
    plain = PretrainSettings(steps=2, unit_images=1, warmup=1, view=view)
    Pretraining(model, corpus, plain, out / "pretrain").run()
"""


def test_two_processes_compute_what_one_does(folders, corpus, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(_SCRIPT)
    load_corpus(photo_sources(folders / "photos"), tmp_path / "cache")
    arguments = [str(folders / "photos"), str(tmp_path / "cache")]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    for count in ("1", "2"):
        out = tmp_path / count
        subprocess.run(
            [*launch, count, str(script), *arguments, str(out)], check=True, capture_output=True
        )
    for kind in ("meta", "pretrain"):
        one, two = rows(tmp_path / "1" / kind), rows(tmp_path / "2" / kind)
        assert len(one) == 2
        for a, b in zip(one, two, strict=True):
            for key in LOSSES:
                assert float(a[key]) == pytest.approx(float(b[key]), rel=2e-3, abs=1e-5), key


def test_units_are_spread_and_seeded_by_number():
    assert list(distributed.own_units(5)) == [0, 1, 2, 3, 4]
    seeds = {distributed.seed_unit(s, t, u) for s in range(3) for t in range(50) for u in range(4)}
    assert len(seeds) == 600


def test_validation_scores_each_held_out_sequence(folders, tmp_path):
    corpus = load_corpus(davis_sources(folders / "davis", ["tennis"]), tmp_path)
    learned = learned_small()
    check = FineTuneValidation(corpus, ValidationSettings(stride=2, iterations=(0, 2)))
    scores = check(learned, learned.build_model())
    assert set(scores) == {"score", "t0", "t2", "tennis"}
    assert all(0 <= v <= 1 for v in scores.values())
    assert scores["score"] == scores["t2"] == scores["tennis"]


def test_commands_train_from_photos_to_weights(folders, tmp_path):
    data = ["--photos", str(folders / "photos"), "--cache", str(tmp_path / "cache")]

    def run(*arguments):
        result = CliRunner().invoke(eosvos, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    short = ["--steps", 1]
    run("pretrain", *data, "--out", tmp_path / "p", *short, "--units", 1, "--unit-images", 1)
    first = tmp_path / "p/parent.safetensors"
    run("pretrain", *data, "--out", tmp_path / "q", *short, "--units", 1, "--unit-images", 1,
        "--parent", first, "--rate", 1e-12, "--backbone-rate", 1e-12, "--paste", 0)  # fmt: skip
    parent = tmp_path / "q/parent.safetensors"
    before, after = LearnedOptimiser.load(first), LearnedOptimiser.load(parent)
    assert all(torch.equal(t, after.state[n]) for n, t in before.state.items())
    assert after.provenance["parent"] == before.provenance
    run("metatrain", *data, "--out", tmp_path / "m", "--parent", parent, *short, "--tasks", 1,
        "--inner-steps", "1,2", "--start-rate", 1e-3, "--level", "parameter",
        "--set", "mask_window=14", "--videos", 0, "--distractor", 1)  # fmt: skip
    made = LearnedOptimiser.load(tmp_path / "m/last.safetensors")
    assert made.config.mask_window == 14
    tasks_from = made.provenance["meta"]["settings"]["tasks_from"]
    assert (tasks_from["videos"], tasks_from["distractor"]) == (0, 1)
    assert made.level == "parameter"
    assert made.config.mask_loss == "lovasz"
    assert made.provenance["parent"]["steps"] == 1
    run("metatrain", *data, "--out", tmp_path / "n", "--parent", parent, *short,
        "--tasks", 1, "--inner-steps", 1, "--lr-of-rates", 0,
        "--rates", tmp_path / "m/last.safetensors")  # fmt: skip
    grafted = LearnedOptimiser.load(tmp_path / "n/last.safetensors")
    assert grafted.rates.keys() == made.rates.keys()
    assert all(torch.equal(rate, made.rates[n]) for n, rate in grafted.rates.items())


def test_learning_rates_of_another_model_are_refused(folders, tmp_path):
    learned_small().save(tmp_path / "small.safetensors")
    LearnedOptimiser.create(build_model(get_config("lite")), "neuron", 1e-3).save(
        tmp_path / "lite.safetensors"
    )
    result = CliRunner().invoke(
        eosvos,
        ["metatrain", "--photos", str(folders / "photos"), "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "m"), "--parent", str(tmp_path / "small.safetensors"),
         "--rates", str(tmp_path / "lite.safetensors")],
    )  # fmt: skip
    assert "another model" in str(result.exception)


def test_pretraining_refuses_the_weights_of_another_model(folders, tmp_path):
    path = tmp_path / "lovasz.safetensors"
    LearnedOptimiser.create(build_model(get_config("lite")), "global", 1e-3).save(path)
    result = CliRunner().invoke(
        eosvos,
        ["pretrain", "--photos", str(folders / "photos"), "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "p"), "--parent", str(path)],
    )  # fmt: skip
    assert "another mask_loss" in str(result.exception)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [("mask_window", "name=12"), ("mask_window=wide", "name=12"), ("masks=3", "no setting masks"),
     ("mask_loss=3", "no whole number"), ("roi_sampling=2", "no whole number")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["pretrain", "metatrain"])
def test_changes_of_the_model_that_cannot_be_are_refused(
    folders, tmp_path, command, change, complaint
):
    learned_small().save(tmp_path / "small.safetensors")
    result = CliRunner().invoke(
        eosvos,
        [command, "--photos", str(folders / "photos"), "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "m"), "--parent", str(tmp_path / "small.safetensors"),
         "--set", change],
    )  # fmt: skip
    assert result.exit_code != 0
    assert complaint in result.output + str(result.exception)


def test_commands_say_what_is_missing(tmp_path):
    result = CliRunner().invoke(eosvos, ["pretrain", "--cache", str(tmp_path), "--out", "x"])
    assert result.exit_code != 0
    assert "--photos" in str(result.exception)
