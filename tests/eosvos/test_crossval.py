"""`vosbench eosvos crossval`: folds, their weights, and the table over what each held out."""

import json
import shutil

import pytest
from click.testing import CliRunner

from vosbench_eosvos.cli import eosvos
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config
from vosbench_eosvos.training.crossval import DRAWS

SMALL = {"fpn_channels": 16, "box_features": 16, "mask_channels": 16}
FOLD = 2


@pytest.mark.parametrize("draw", DRAWS)
def test_a_draw_holds_out_every_video_once(draw):
    assert len(DRAWS[draw]) == 5
    names = [name for fold in DRAWS[draw] for name in fold]
    assert len(names) == len(set(names)) == 30
    assert set(names) == {name for fold in DRAWS["plain"] for name in fold}


@pytest.fixture(scope="module")
def thirty_videos(training_folders, tmp_path_factory):
    """The names of DAVIS-2016 train, each with the same three small frames."""
    davis = tmp_path_factory.mktemp("thirty") / "DAVIS"
    pairs = []
    for name in sorted(name for fold in DRAWS["kinds"] for name in fold):
        for frame in ("00000", "00001", "00002"):
            files = f"JPEGImages/480p/{name}/{frame}.jpg", f"Annotations/480p/{name}/{frame}.png"
            for file in files:
                (davis / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(training_folders / "davis" / file.replace(name, "alpha"), davis / file)
            pairs.append(f"/{files[0]} /{files[1]}")
    (davis / "ImageSets/2016").mkdir(parents=True)
    (davis / "ImageSets/2016/train.txt").write_text("\n".join(pairs))
    return davis


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
             "--parent-steps", "1", "--meta-steps", "1", "--device", "cpu",
             "--tracker", "copy-first", "--tracker", "eosvos-1", "-o", "enlarge=no", *more],
        )  # fmt: skip
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    table = crossval("--per-sequence")
    assert all(f"| {name} | " in table for name in DRAWS["kinds"][FOLD])
    weights = tmp_path / f"out/fold-{FOLD}/meta/last.safetensors"
    learned = LearnedOptimiser.load(weights)
    assert learned.provenance["held out"] == list(DRAWS["kinds"][FOLD])
    rows = {line.split(" | ")[0].strip("| "): line for line in table.splitlines() if "|" in line}
    for title in ("copy-first", "eosvos-1+enlarge=False"):
        assert rows[title].split(" | ")[1] == str(len(DRAWS["kinds"][FOLD]))
    [run] = (tmp_path / "out").glob("results/*/*/eosvos-1*/run.json")
    assert json.loads(run.read_text())["changed"]["weights"] == str(weights)

    before = weights.read_bytes()
    assert crossval().strip() in table  # nothing is done again
    assert weights.read_bytes() == before
    own = f"eosvos-1={tmp_path}/out/fold-{{fold}}/parent/parent.safetensors"
    again = crossval("--no-train", "--weights", own, "--seed", "1")
    assert "copy-first+seed=1" in again
    assert "eosvos-1+enlarge=False+seed=1" in again


def test_weights_of_a_tracker_without_its_name_are_refused(tmp_path):
    result = CliRunner().invoke(
        eosvos,
        ["crossval", "--davis", str(tmp_path), "--cache", str(tmp_path / "cache"),
         "--out", str(tmp_path / "out"), "--parent", __file__, "--weights", "stm.safetensors"],
    )  # fmt: skip
    assert result.exit_code == 2
    assert "TRACKER=FILE" in result.output
