"""SA-V, VOST, PUMaVOS, VISOR, BURST, editions of LVOS, and held-out parts of training sets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from vosbench.cli import main
from vosbench.datasets.benchmarks import held_out
from vosbench.datasets.reading import write_labels
from vosbench.datasets.registry import find, open_dataset
from vosbench.datasets.rle import encode
from vosbench.errors import DatasetError
from vosbench.evaluation import evaluate
from vosbench.plugins import Plugins

from .conftest import blob, write_frame

Write = Callable[..., None]


def test_sav_has_a_folder_for_each_object(tmp_path: Path, plugins: Plugins) -> None:
    root = tmp_path / "SA-V" / "sav_val"
    for n in range(9):
        write_frame(root / "JPEGImages_24fps" / "sav_1" / f"{n:05d}.jpg")
    for n in (0, 4, 8):
        for obj in ("000", "001"):
            mask = np.zeros((24, 32), np.uint8)
            mask[4:16, 4:16] = 255  # both objects in one place
            write_labels(root / "Annotations_6fps" / "sav_1" / obj / f"{n:05d}.png", mask)
    (root / "sav_val.txt").write_text("sav_1\n")
    dataset = open_dataset("sav-val", plugins, (tmp_path,))
    (sequence,) = dataset.sequences
    assert dataset.protocol == "sav"
    assert len(sequence) == 9
    assert sequence.objects == {1: 0, 2: 0}
    assert sorted(sequence.annotations) == [0, 4, 8]
    scores = evaluate(dataset, root / "Annotations_6fps")
    assert scores.global_scores["J&F-Mean"] == 1


@pytest.mark.parametrize(
    ("name", "folder", "listed", "protocol"),
    [
        ("vost-val", "VOST", "ImageSets/val.txt", "vost"),
        ("pumavos", "PUMaVOS", "", "objects"),
        ("visor-val", "VISOR_2022", "ImageSets/2022/val.txt", "objects"),
    ],
)
def test_benchmarks_of_label_maps(
    tmp_path: Path, plugins: Plugins, write_sequence: Write, name: str, folder: str, listed: str,
    protocol: str,
) -> None:  # fmt: skip
    for sequence in ("one", "two"):
        masks = dict.fromkeys(range(4), blob(1, 2))
        write_sequence(tmp_path / folder, sequence, masks, resolution="")
    if listed:
        path = tmp_path / folder / listed
        path.parent.mkdir(parents=True)
        path.write_text("two\n")
    dataset = open_dataset(name, plugins, (tmp_path,))
    names = [sequence.name for sequence in dataset.sequences]
    assert names == (["two"] if listed else ["one", "two"])
    assert dataset.protocol == protocol
    assert dataset.annotated
    assert find(plugins.datasets[name], (tmp_path / folder,)) == tmp_path / folder


def write_burst(root: Path, **changes: object) -> Path:
    first, second = blob(3, 7), blob(7)
    names = ["frame0010.jpg", "frame0040.jpg"]
    for name in names:
        write_frame(root / "frames" / "val" / "YFCC100M" / "v_1" / name)

    def codes(labels: np.ndarray) -> dict[str, object]:
        ids = [obj for obj in np.unique(labels).tolist() if obj]
        return {str(o): {"rle": encode((labels == o).astype(np.uint8))["counts"]} for o in ids}

    entry = {
        "dataset": "YFCC100M", "seq_name": "v_1", "height": 24, "width": 32,
        "annotated_image_paths": names, "segmentations": [codes(first), codes(second)],
    }  # fmt: skip
    path = root / "annotations" / "val" / "all_classes.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"sequences": [entry | changes]}))
    return path


def test_burst_is_decoded_once(
    tmp_path: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    write_burst(tmp_path / "BURST")
    dataset = open_dataset("burst-val", plugins, (tmp_path,))
    (sequence,) = dataset.sequences
    assert sequence.name == "YFCC100M-v_1"
    assert sequence.objects == {1: 0, 2: 0}
    assert np.array_equal(sequence.labels(0) == 2, blob(3, 7) == 7)
    assert np.unique(sequence.labels(1)).tolist() == [0, 2]
    written = sequence.annotations[0].stat().st_mtime_ns
    again = open_dataset("burst-val", plugins, (tmp_path,))
    assert again.sequences[0].annotations[0].stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "changes", [{"segmentations": [{"1": {"rle": "zz"}}, {}]}, {"height": None}]
)
def test_broken_burst_is_named(
    tmp_path: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    monkeypatch.setenv("VOSBENCH_CACHE", str(tmp_path / "cache"))
    write_burst(tmp_path / "BURST", **changes)
    with pytest.raises(DatasetError, match=r"all_classes\.json is no annotation file of BURST"):
        open_dataset("burst-val", plugins, (tmp_path,))


def test_what_is_held_out_follows_from_names(
    tmp_path: Path, plugins: Plugins, write_sequence: Write
) -> None:
    names = [f"{n:08x}" for n in range(60)]
    kept = [name for name in names if held_out(name, 15)]
    assert kept[:2] == ["00000002", "0000000a"]
    for name in (kept[0], next(name for name in names if name not in kept)):
        write_sequence(tmp_path / "MOSE" / "train", name, {0: blob(1), 1: blob(1)}, resolution="")
    dataset = open_dataset("mose-holdout", plugins, (tmp_path,))
    assert [sequence.name for sequence in dataset.sequences] == kept[:1]
    assert dataset.annotated


@pytest.mark.parametrize(("folder", "edition"), [("LVOS_V1/val", "v1"), ("LVOS/v2/val", "v2")])
def test_editions_of_lvos(
    tmp_path: Path, plugins: Plugins, write_sequence: Write, folder: str, edition: str
) -> None:
    write_sequence(tmp_path / folder, "a", {0: blob(1), 2: blob(1)}, resolution="")
    assert open_dataset(f"lvos-{edition}-val", plugins, (tmp_path,)).protocol == "lvos"
    other = {"v1": "v2", "v2": "v1"}[edition]
    assert find(plugins.datasets[f"lvos-{other}-val"], (tmp_path,)) is None
    assert open_dataset("lvos-val", plugins, (tmp_path,)).name == "lvos-val"


def test_every_dataset_says_what_its_benchmark_reports(plugins: Plugins) -> None:
    assert all(spec.measures for spec in plugins.datasets.values())
    result = CliRunner().invoke(main, ["datasets", "--json"])
    listed = {row["name"]: row["measures"] for row in json.loads(result.stdout)["datasets"]}
    assert listed["lvos-v2-val"] == ["J", "F", "V"]
    assert listed["davis16-val"] == ["J", "F", "T"]
    assert listed["burst-val"][0] == "HOTA"
    assert "HOTA" in CliRunner().invoke(main, ["datasets"]).stdout
