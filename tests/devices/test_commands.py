"""Every training command with `--device`, on the pretended device."""

import pytest
from click.testing import CliRunner

from vosbench_baselines.cli import baselines
from vosbench_eosvos.cli import eosvos
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import MaskRCNN, build_model, get_config
from vosbench_eosvos.training import runs
from vosbench_learning.corpus import DEVELOPMENT_SPLIT


@pytest.fixture
def run(training_folders, tmp_path):
    def call(group, command, *arguments, photos=True, trains=True):
        data = ["--cache", tmp_path / "cache"] if trains else []
        data += ["--photos", training_folders / "photos"] if photos and trains else []
        words = [command, *data, *arguments]
        result = CliRunner().invoke(group, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    call.data = training_folders
    return call


@pytest.fixture
def parent(tmp_path):
    small = {"fpn_channels": 16, "box_features": 16, "mask_channels": 16, "mask_window": 8}
    path = tmp_path / "parent.safetensors"
    LearnedOptimiser.create(build_model(get_config("lite", **small)), "global", 1e-3).save(path)
    return path


def pretrain(run, parent, folder, away):
    run(eosvos, "pretrain", "--out", folder, "--steps", 1, "--units", 1, "--unit-images", 1,
        "--parent", parent, "--mask-loss", "lovasz", "--set", "mask_window=8",
        "--set", "fpn_channels=16", "--set", "box_features=16", "--set", "mask_channels=16",
        "--float32", "--device", away)  # fmt: skip


def metatrain(run, parent, folder, away):
    run(eosvos, "metatrain", "--out", folder, "--steps", 1, "--tasks", 1, "--inner-steps", 1,
        "--start-rate", 1e-3, "--level", "neuron", "--parent", parent, "--float32",
        "--device", away)  # fmt: skip


def metatrain_from_a_searched_rate(run, parent, folder, away):
    run(eosvos, "metatrain", "--out", folder, "--steps", 1, "--tasks", 1, "--inner-steps", 1,
        "--level", "neuron", "--parent", parent, "--float32", "--device", away)  # fmt: skip


def osvos_parent(run, _parent, folder, away):
    run(baselines, "osvos-parent", "--out", folder, "--steps", 1, "--batch", 1, "--size", 64,
        "--float32", "--device", away)  # fmt: skip


def stm_train(run, _parent, folder, away):
    run(baselines, "stm-train", "--out", folder, "--steps", 1, "--clips", 1, "--size", 64,
        "--float32", "--device", away)  # fmt: skip


def finetune_init(run, parent, folder, away):
    run(eosvos, "finetune-init", "--out", folder, "--steps", 1, "--parent", parent, "--float32",
        "--device", away)  # fmt: skip


def validate(run, parent, folder, away):
    development = folder / "davis"
    for kind in ("JPEGImages/480p", "Annotations/480p"):
        (development / kind).mkdir(parents=True)
        for name in DEVELOPMENT_SPLIT:
            (development / kind / name).symlink_to(run.data / "davis" / kind / "alpha")
    run(eosvos, "validate", parent, "--davis", development, "--iterations", 1, "--stride", 3,
        "--float32", "--device", away, photos=False)  # fmt: skip


def search_lr(run, _parent, folder, away):
    run(baselines, "search-lr", "--tracker", "osvos-10", "--dataset", run.data / "davis",
        "--sequence", "alpha", "--rates", "1e-3", "--stride", 3, "--out", folder,
        "-o", "iterations=1", "-o", "bf16=no", "--device", away, trains=False)  # fmt: skip


COMMANDS = (pretrain, metatrain, finetune_init, validate, osvos_parent, stm_train, search_lr)


@pytest.fixture
def check(run, parent, away, visited, tmp_path):
    """Run a command and assert that it computed on the pretended device and nowhere else."""

    def call(command):
        command(run, parent, tmp_path / "out", away)
        assert visited == {away}

    return call


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_a_command_trains_on_its_device(command, check):
    check(command)


def test_the_search_of_a_rate_keeps_to_its_device(check, monkeypatch):
    monkeypatch.setattr(runs, "CANDIDATE_RATES", (1e-3,))
    check(metatrain_from_a_searched_rate)


@pytest.mark.parametrize("command", [pretrain, metatrain], ids=lambda command: command.__name__)
def test_a_model_left_behind_is_noticed(command, check, monkeypatch):
    monkeypatch.setattr(MaskRCNN, "to", lambda model, *_a, **_k: model)
    with pytest.raises(Exception, match=r"both devices|assert"):
        check(command)
