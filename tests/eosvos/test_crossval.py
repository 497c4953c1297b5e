"""`vosbench eosvos crossval`: folds, their weights, and the table over what each held out."""

import json

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open

from vosbench.errors import UsageError
from vosbench_eosvos.cli import eosvos
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config
from vosbench_eosvos.training.crossval import DRAWS
from vosbench_learning.corpus import DEVELOPMENT_SPLIT

SMALL = {"fpn_channels": 16, "box_features": 16, "mask_channels": 16}
FOLD = 2


@pytest.mark.parametrize("draw", DRAWS)
def test_a_draw_holds_out_every_video_once(draw):
    assert len(DRAWS[draw]) == (2 if draw == "halves" else 5)
    names = [name for fold in DRAWS[draw] for name in fold]
    assert len(names) == len(set(names)) == 30
    assert set(names) == {name for fold in DRAWS["plain"] for name in fold}


def write_masks(davis, name, folder):
    """As if the mask head had found the true masks of a video."""
    masks = [cv2.imread(str(p), 0) > 0 for p in sorted(davis.glob(f"Annotations/480p/{name}/*"))]
    found = np.stack([[mask * 255] * 2 for mask in masks[1:]]).astype(np.uint8)
    np.save(folder / f"{name}.outline.npy", found)


def test_a_fold_is_trained_without_its_videos_and_tracks_them(
    thirty_videos, training_folders, tmp_path
):
    photos = tmp_path / "photos.safetensors"
    LearnedOptimiser.create(build_model(get_config("lite", **SMALL)), "global", 1e-3).save(photos)

    def crossval(*more):
        result = CliRunner().invoke(
            eosvos,
            ["crossval", "--davis", str(thirty_videos), "--cache", str(tmp_path / "cache"),
             "--photos", str(training_folders / "photos"), "--parent", str(photos),
             "--out", str(tmp_path / "out"), "--draw", "kinds", "--folds", str(FOLD),
             "--parent-steps", "1", "--meta-steps", "1",
             "--outline-steps", "1", "--tracker", "copy-first", "--tracker", "eosvos-1",
             "-o", "enlarge=no", *more],
        )  # fmt: skip
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    assert "without weights yet: eosvos-1 in fold 2 (outline)" in (said := crossval())
    assert "records of all other folds" in said
    records = {p.name for p in (tmp_path / f"out/fold-{FOLD}/records").iterdir()}
    assert records == {f"{name}.outline.npy" for name in DRAWS["kinds"][FOLD]}
    for other in (other for other in range(5) if other != FOLD):
        (tmp_path / f"out/fold-{other}/records").mkdir(parents=True)
        for name in DRAWS["kinds"][other]:
            write_masks(thirty_videos, name, tmp_path / f"out/fold-{other}/records")

    table = crossval("--per-sequence")
    assert all(f"| {name} | " in table for name in DRAWS["kinds"][FOLD])
    weights = tmp_path / f"out/fold-{FOLD}/weights.safetensors"
    learned = LearnedOptimiser.load(weights)
    assert learned.provenance["held out"] == list(DRAWS["kinds"][FOLD])
    rows = {line.split(" | ")[0].strip("| "): line for line in table.splitlines() if "|" in line}
    for title in ("copy-first", "eosvos-1+enlarge=False"):
        assert rows[title].split(" | ")[1] == str(len(DRAWS["kinds"][FOLD]))
    [run] = (tmp_path / "out").glob("results/*/*/eosvos-1*/run.json")
    changed = json.loads(run.read_text())["changed"]
    assert changed["weights"] == str(weights)
    assert changed["outline"] == str(tmp_path / f"out/fold-{FOLD}/outline/outline.safetensors")

    before = weights.read_bytes()
    assert crossval().strip() in table  # nothing is done again
    assert weights.read_bytes() == before
    own = f"eosvos-1={tmp_path}/out/fold-{{fold}}/parent/parent.safetensors"
    again = crossval("--no-train", "--weights", own, "--seed", "1")
    assert "copy-first+seed=1" in again
    assert "eosvos-1+enlarge=False+seed=1" in again


def train(davis, folders, home, *options):
    """`vosbench eosvos train` on all videos; its weights."""
    result = CliRunner().invoke(
        eosvos,
        ["train", "--davis", str(davis), "--cache", str(home / "cache"),
         "--photos", str(folders / "photos"), "--out", str(home / "out"), *map(str, options)],
    )  # fmt: skip
    assert result.exit_code == 0, (result.output, result.exception)
    return LearnedOptimiser.load(home / "out/weights.safetensors")


def test_the_weights_that_ship_learn_from_all_videos_as_folds_do(
    thirty_videos, training_folders, tmp_path
):
    photos, rates = tmp_path / "photos.safetensors", tmp_path / "rates.safetensors"
    model = build_model(get_config("lite", **SMALL))
    LearnedOptimiser.create(model, "global", 1e-3, {"training": "on photos"}).save(photos)
    LearnedOptimiser.create(model, "neuron", 7e-3, {"meta": "on photos"}).save(rates)
    options = "--parent", photos, "--rates", rates, "--parent-steps", 1, "--meta-steps", 1
    learned = train(thirty_videos, training_folders, tmp_path, *options)
    assert learned.provenance["held out"] == []
    trainings = learned.provenance["mean of"]
    assert [t["meta"]["settings"]["seed"] for t in trainings] == [0, 1]
    assert trainings[0]["parent"]["parent"] == {"training": "on photos"}
    assert trainings[0]["rates"] == {"meta": "on photos"}
    found = torch.cat([rate.reshape(-1) for rate in learned.rates.values()])
    assert float((found - 7e-3).abs().max()) < 2e-3  # meta-training goes on from those of photos
    moved = [n for n in learned.learning if learned.state[n].ne(model.state_dict()[n]).any()]
    assert len(moved) > len(learned.learning) / 2


@pytest.mark.parametrize("meta_steps", [0, 1])
def test_what_is_trained_no_step_is_as_it_was(
    thirty_videos, training_folders, tmp_path, meta_steps
):
    photos = tmp_path / "photos.safetensors"
    model = build_model(get_config("lite", **SMALL))
    LearnedOptimiser.create(model, "neuron", 7e-3, {"meta": "on photos"}).save(photos)
    learned = train(
        thirty_videos, training_folders, tmp_path, "--parent", photos, "--rates", photos,
        "--parent-steps", 0, "--meta-steps", meta_steps, "--trainings", 1, "--rate-scale", 1.5,
    )  # fmt: skip
    start = LearnedOptimiser.load(tmp_path / "out/parent/parent.safetensors")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(start.state[name], value, rtol=1e-3, atol=1e-4)
    moved = [n for n in learned.learning if learned.state[n].ne(start.state[n]).any()]
    assert bool(moved) == bool(meta_steps)
    found = torch.cat([rate.reshape(-1) for rate in learned.rates.values()])
    assert found.median() == pytest.approx(1.5 * 7e-3, rel=0.01)
    [training] = learned.provenance["mean of"]
    assert training["parent"]["steps"] == 0
    assert training["meta"]["steps"] == meta_steps


def test_training_on_videos_needs_them(training_folders, tmp_path):
    result = CliRunner().invoke(
        eosvos,
        ["train", "--photos", str(training_folders / "photos"), "--parent", __file__,
         "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out")],
    )  # fmt: skip
    assert isinstance(result.exception, UsageError)
    assert "Give --davis" in str(result.exception)


def test_the_outlines_that_ship_have_seen_these_videos(tmp_path):
    result = CliRunner().invoke(
        eosvos,
        ["crossval", "--davis", str(tmp_path), "--cache", str(tmp_path / "cache"), "--no-train",
         "--out", str(tmp_path / "out"), "--parent", __file__, "-o", "outline=outline-lite"],
    )  # fmt: skip
    assert isinstance(result.exception, UsageError)
    assert "outline-lite has learned from these videos" in str(result.exception)


def test_the_network_that_ships_learns_without_the_development_split(thirty_videos, tmp_path):
    def outline():
        return CliRunner().invoke(
            eosvos,
            ["outline", "--folds", str(tmp_path), "--davis", str(thirty_videos), "--steps", "1",
             "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "outline")],
        )  # fmt: skip

    for fold, names in enumerate(DRAWS["plain"]):
        (tmp_path / f"fold-{fold}/records").mkdir(parents=True)
        for name in names:
            write_masks(thirty_videos, name, tmp_path / f"fold-{fold}/records")
    assert outline().exit_code == 0
    with safe_open(tmp_path / "outline/outline.safetensors", framework="pt") as file:
        videos = set(file.metadata()["videos"].split())
    everything = {name for fold in DRAWS["plain"] for name in fold}
    assert videos == everything - set(DEVELOPMENT_SPLIT)
    (tmp_path / "fold-3/records/hike.outline.npy").unlink()
    assert "nothing is recorded of hike" in str(outline().exception)


def test_weights_of_a_tracker_without_its_name_are_refused(tmp_path):
    result = CliRunner().invoke(
        eosvos,
        ["crossval", "--davis", str(tmp_path), "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "out"), "--parent", __file__, "--weights", "stm.safetensors"],
    )  # fmt: skip
    assert result.exit_code == 2
    assert "TRACKER=FILE" in result.output
