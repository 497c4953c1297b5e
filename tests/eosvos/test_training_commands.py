"""`vosbench eosvos`: from photos to weights, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner

from vosbench_eosvos.cli import eosvos
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config

SMALL = {"fpn_channels": 16, "box_features": 16, "mask_channels": 16}


def learned_small(level="neuron"):
    return LearnedOptimiser.create(build_model(get_config("lite", **SMALL)), level, 1e-3)


def test_commands_train_from_photos_to_weights(training_folders, tmp_path):
    data = ["--photos", str(training_folders / "photos"), "--cache", str(tmp_path / "cache")]

    def run(*arguments):
        result = CliRunner().invoke(eosvos, [str(a) for a in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    short = ["--steps", 1]
    run("pretrain", *data, "--out", tmp_path / "p", *short, "--units", 1, "--unit-images", 1)
    first = tmp_path / "p/parent.safetensors"
    run("pretrain", *data, "--out", tmp_path / "q", *short, "--units", 1, "--unit-images", 1,
        "--parent", first, "--rate", 1e-12, "--backbone-rate", 1e-12, "--paste", 0,
        "--mask-loss", "lovasz")  # fmt: skip
    parent = tmp_path / "q/parent.safetensors"
    before, after = LearnedOptimiser.load(first), LearnedOptimiser.load(parent)
    assert all(torch.equal(t, after.state[n]) for n, t in before.state.items())
    assert (before.config.mask_loss, after.config.mask_loss) == ("cross_entropy", "lovasz")
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


def test_learning_rates_of_another_model_are_refused(training_folders, tmp_path):
    learned_small().save(tmp_path / "small.safetensors")
    LearnedOptimiser.create(build_model(get_config("lite")), "neuron", 1e-3).save(
        tmp_path / "lite.safetensors"
    )
    result = CliRunner().invoke(
        eosvos,
        ["metatrain", "--photos", str(training_folders / "photos"),
         "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "m"), "--parent", str(tmp_path / "small.safetensors"),
         "--rates", str(tmp_path / "lite.safetensors")],
    )  # fmt: skip
    assert "another model" in str(result.exception)


def test_pretraining_refuses_the_weights_of_another_model(training_folders, tmp_path):
    path = tmp_path / "parent.safetensors"
    LearnedOptimiser.create(build_model(get_config("lite")), "global", 1e-3).save(path)
    result = CliRunner().invoke(
        eosvos,
        ["pretrain", "--photos", str(training_folders / "photos"),
         "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "p"), "--parent", str(path), "--norm", "group", "--steps", "1"],
    )  # fmt: skip
    assert "another norm" in str(result.exception)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [("mask_window", "name=12"), ("mask_window=wide", "name=12"), ("masks=3", "no setting masks"),
     ("mask_loss=3", "no whole number"), ("roi_sampling=2", "no whole number")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["pretrain", "metatrain"])
def test_changes_of_the_model_that_cannot_be_are_refused(
    training_folders, tmp_path, command, change, complaint
):
    learned_small().save(tmp_path / "small.safetensors")
    result = CliRunner().invoke(
        eosvos,
        [command, "--photos", str(training_folders / "photos"),
         "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "m"), "--parent", str(tmp_path / "small.safetensors"),
         "--set", change],
    )  # fmt: skip
    assert result.exit_code != 0
    assert complaint in result.output + str(result.exception)


def test_commands_say_what_is_missing(tmp_path):
    result = CliRunner().invoke(eosvos, ["pretrain", "--cache", str(tmp_path), "--out", "x"])
    assert result.exit_code != 0
    assert "--photos" in str(result.exception)


def test_cross_validation_tells_which_folds_have_no_weights(training_folders, tmp_path):
    result = CliRunner().invoke(
        eosvos,
        ["crossval", "--davis", str(training_folders / "davis"), "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "out"), "--parent", __file__, "--no-train", "--folds", "1,3"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    missing = "eosvos-10 in fold 1 (weights, outline); eosvos-10 in fold 3 (weights, outline)"
    assert f"without weights yet: {missing}" in result.output


@pytest.mark.parametrize(
    ("native", "asked", "used"),
    [(True, [], True), (False, [], False), (False, ["--bf16"], True), (True, ["--float32"], False)],
)
def test_precision_is_what_the_device_has_unless_another_is_asked_for(
    native, asked, used, training_folders, tmp_path, monkeypatch
):
    seen = []
    monkeypatch.setattr("vosbench_learning.working_size.bfloat16_pays", lambda device: native)
    monkeypatch.setattr(
        "vosbench_eosvos.training.runs.pretrain", lambda *_, bf16, **__: seen.append(bf16)
    )
    photos = ["--photos", str(training_folders / "photos"), "--cache", str(tmp_path)]
    result = CliRunner().invoke(eosvos, ["pretrain", *photos, "--out", str(tmp_path), *asked])
    assert result.exit_code == 0, result.output
    assert seen == [used]


def test_nothing_is_selected_on_videos_that_were_trained_on(training_folders, tmp_path):
    learned_small().save(tmp_path / "small.safetensors")
    result = CliRunner().invoke(
        eosvos,
        ["metatrain", "--davis", str(training_folders / "davis"), "--everything",
         "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "m"), "--steps", "1",
         "--tasks", "1", "--inner-steps", "1", "--parent", str(tmp_path / "small.safetensors")],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith(f"wrote {tmp_path / 'm' / 'last.safetensors'}")
    assert {p.name for p in (tmp_path / "m").iterdir()} == {
        "checkpoint.pt", "last.safetensors", "losses.csv"
    }  # fmt: skip
