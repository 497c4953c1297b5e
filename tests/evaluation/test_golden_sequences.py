"""Whole sequences against what the official programs wrote, byte for byte and float for float."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vosbench.datasets.base import Dataset, VideoSequence
from vosbench.datasets.png import read_png_labels
from vosbench.errors import EvaluationError
from vosbench.evaluation import Evaluation, evaluate
from vosbench.metrics import statistics
from vosbench.plugins import Plugins

GOLDEN = Path(__file__).parent.parent / "golden"
CASES = sorted(path.name for path in (GOLDEN / "sequences").iterdir())
REFUSED = {
    "05_extra_id": "xtra: 1 frame (00005) with object id 3, where ids end at 2",
    "07b_late_object_predicted": "late: 6 frames (00003, 00004, 00005, 00006, 00007, ...) with",
    "09_missing_middle_frame": "hole: 1 frame (00005) missing, in",
    "11_size_mismatch": "size: 8 frames (00001, 00002, 00003, 00004, 00005, ...) of size 94x72",
    "12_two_frames": "two: 2 annotated frames leave none to score",
    "15_pred_0_255": "with object id 255, where ids end at 1 (masks of 0 and 255 belong to",
    "16_gt_0_255_davis2016": "bin: there is no object in the first annotation",
    "17_late_whole_sequence_empty_first_frame": "nofirst: there is no object in the first",
}


@pytest.fixture(scope="session")
def long_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    with zipfile.ZipFile(GOLDEN / "sequences" / "20_long_300_frames" / "masks.zip") as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Iterator[Path]:
    name = request.param
    if name.startswith("20_long"):
        yield request.getfixturevalue("long_case")
    else:
        yield GOLDEN / "sequences" / name


def open_folder(folder: Path, protocol: str, **facts: Any) -> Dataset:
    """The annotations of a golden case as a dataset; the annotations stand for the images."""
    sequences = []
    for path in sorted(p for p in folder.iterdir() if p.is_dir()):
        files = tuple(sorted(path.glob("*.png")))
        ids: dict[int, int] = {}
        for index, file in enumerate(files):
            for obj in np.unique(read_png_labels(file)).tolist():
                if 0 < obj < 255:
                    ids.setdefault(obj, index)
        annotations = dict(enumerate(files))
        sequences.append(
            VideoSequence(
                name=path.name, frames=files, annotations=annotations, objects=ids, **facts
            )
        )
    return Dataset(name="golden", root=folder, sequences=tuple(sequences), protocol=protocol)


def expected_of(name: str) -> dict[str, Any]:
    text = (GOLDEN / "sequences" / name / "expected.json").read_text()
    return json.loads(text)["davis2017_evaluation"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("case", "name"),
    [(name, name) for name in CASES if name not in REFUSED],
    indirect=["case"],
    ids=[name for name in CASES if name not in REFUSED],
)
def test_davis2017_floats_and_tables(case: Path, name: str, tmp_path: Path) -> None:
    expected = expected_of(name)
    evaluation = evaluate(open_folder(case / "gt", "davis2017"), case / "pred")
    for sequence, measures in expected["per_frame"].items():
        rows = evaluation.frames[evaluation.frames["sequence"] == sequence]
        for measure, series in measures.items():
            found = [group[measure].tolist() for _, group in rows.groupby("object")]
            assert found == series
    long = name == "20_long_300_frames"  # its official decay is nan: 298 frames overflow 8 bits
    for _, row in evaluation.objects.iterrows():
        for measure, values in expected["objects"][f"{row['sequence']}_{row['object']}"].items():
            found = [row[f"{measure}-{which}"] for which in ("Mean", "Recall", "Decay")]
            assert found[: 2 if long else 3] == values[: 2 if long else 3]
    for column, value in expected["global"].items():
        if value != "NaN":
            assert evaluation.global_scores[column] == value
    evaluation.write(tmp_path)
    table = (tmp_path / "global_results-val.csv").read_bytes().decode()
    if long:
        j, f = (evaluation.global_scores[f"{m}-Decay"] for m in "JF")
        assert table == expected["global_csv"].replace(",,", f",{j:.3f},").replace(
            ",\n", f",{f:.3f}\n"
        )
        assert not math.isnan(j + f)
    else:
        assert table == expected["global_csv"]
    objects = (tmp_path / "per-sequence_results-val.csv").read_bytes().decode()
    assert objects == expected["per_sequence_csv"]


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_official_result_is_refused_with_the_reason(name: str) -> None:
    expected = expected_of(name)
    assert "global_csv" not in expected or ",,,,,," in expected["global_csv"]
    folder = GOLDEN / "sequences" / name
    with pytest.raises(EvaluationError) as caught:
        evaluate(open_folder(folder / "gt", "davis2017"), folder / "pred")
    (problem,) = caught.value.problems
    assert REFUSED[name] in problem
    assert caught.value.exit_code == 6


def test_all_problems_of_all_sequences_are_named_at_once(tmp_path: Path) -> None:
    names = [name for name in REFUSED if name[:2] in ("05", "09", "11", "12")]
    sequences = []
    for name in names:
        folder = GOLDEN / "sequences" / name
        (part,) = open_folder(folder / "gt", "davis2017").sequences
        sequences.append(part)
        (tmp_path / part.name).symlink_to(folder / "pred" / part.name)
    sequences.append(replace(sequences[0], name="gone"))
    dataset = Dataset(name="all", root=tmp_path, sequences=tuple(sequences), protocol="davis2017")
    with pytest.raises(EvaluationError) as caught:
        evaluate(dataset, tmp_path)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "xtra", "hole", "size", "two", "gone",
    ]  # fmt: skip


DAVIS2016 = json.loads((GOLDEN / "davis2016" / "expected.json").read_text())


@pytest.mark.parametrize("name", ["16_gt_0_255_davis2016/bin", "01_basic/duo"])
@pytest.mark.parametrize("binary", [True, False])
def test_davis2016(name: str, binary: bool) -> None:
    expected = next(value for key, value in DAVIS2016.items() if key.startswith(name))
    folder = GOLDEN / "sequences" / name.split("/")[0]
    dataset = open_folder(folder / "gt", "davis2016", binary=binary)
    evaluation = evaluate(dataset, folder / "pred")
    (row,) = evaluation.objects.to_dict("records")
    for measure in "JF":
        values = expected[measure]
        assert evaluation.frames[measure].tolist() == values["per_frame"][1:-1]
        found = [row[f"{measure}-{which}"] for which in ("Mean", "Recall", "Decay")]
        assert found == [values["M"], values["O"], values["D"]]
    (line,) = evaluation.files()["per-sequence_results-val.csv"].splitlines()[1:]
    assert line.startswith(f"{dataset.sequences[0].name},")


@pytest.mark.parametrize("name", [key for key in DAVIS2016 if not key.startswith("_")])
@pytest.mark.parametrize("measure", ["J", "F"])
def test_davis2016_statistics_of_frames_whose_masks_are_not_here(name: str, measure: str) -> None:
    expected = DAVIS2016[name][measure]
    values = expected["per_frame"][1:-1]
    assert statistics([math.nan, *values, math.nan]).mean == expected["M"]
    assert statistics(values)[1:] == (expected["O"], expected["D"])


def test_lvos(tmp_path: Path) -> None:
    expected = json.loads((GOLDEN / "lvos" / "expected.json").read_text())
    sequences = []
    for case, name in (("01_basic", "seenvid"), ("02_disappear", "unsnvid")):
        folder = GOLDEN / "sequences" / case
        (source,) = open_folder(folder / "gt", "lvos").sequences
        objects = expected["meta"]["videos"][name]["objects"]
        ranges = {
            int(obj): tuple((int(facts["frame_range"][end]) - 1) // 5 for end in ("start", "end"))
            for obj, facts in objects.items()
        }
        unseen = sorted(ranges) if name in expected["unseen_videos"] else []
        sequences.append(replace(source, name=name, meta={"ranges": ranges, "unseen": unseen}))
        (tmp_path / name).symlink_to(folder / "pred" / source.name)
    dataset = Dataset(name="lvos", root=tmp_path, sequences=tuple(sequences), protocol="lvos")
    evaluation = evaluate(dataset, tmp_path)
    for row in evaluation.objects.to_dict("records"):
        name = f"{row['sequence']}_{row['object']}"
        for measure, values in expected["full"]["all_per_object"].items():
            assert row[f"{measure}-Mean"] == values[name]
    files = evaluation.files()
    assert files["global_results-val.csv"] == expected["global_csv"]
    assert files["per-sequence_results-val.csv"] == expected["per_sequence_csv"]


def test_mosev2(tmp_path: Path) -> None:
    expected = json.loads((GOLDEN / "mosev2" / "expected.json").read_text())
    evaluation = evaluate(_renamed("mosev2", tmp_path, a="01_basic", b="02_disappear"), tmp_path)
    files = evaluation.files()
    metrics = json.loads(files["metrics.json"])
    assert sorted(metrics) == ["a_1", "a_2", "b_1", "b_2"]
    for name, scores in metrics.items():
        assert scores == expected["metrics"][name]
    lines = files["scores.txt"].splitlines()
    theirs = expected["scores_txt"].splitlines()
    assert [line.split(":")[0] for line in lines] == [line.split(":")[0] for line in theirs]
    assert lines[3:5] == theirs[3:5]  # its third video has no disappearance
    assert lines[-1].count(",") == theirs[-1].count(",")


def test_sav(tmp_path: Path) -> None:
    expected = json.loads((GOLDEN / "sav" / "expected.json").read_text())
    dataset = _renamed("sav", tmp_path, vid="01_basic")
    (video,) = dataset.sequences
    video = replace(video, meta={"object_names": {1: "000", 2: "001"}})
    evaluation = evaluate(replace(dataset, sequences=(video,)), tmp_path)
    assert evaluation.files()["results.csv"] == expected["results_csv"]


@pytest.mark.parametrize(
    "name", [name for name in CASES if name[:2] not in ("09", "11", "12", "16", "20")]
)
def test_sav_agrees_with_vos_benchmark_where_that_has_a_result(name: str) -> None:
    folder = GOLDEN / "sequences" / name
    expected = json.loads((folder / "expected.json").read_text())["vos_benchmark_skip"]
    evaluation = evaluate(open_folder(folder / "gt", "sav"), folder / "pred")
    for row in evaluation.objects.to_dict("records"):
        found = [row["J-Mean"] * 100, row["F-Mean"] * 100]
        assert found == expected["objects"][row["sequence"]][str(row["object"])]
    if not name.startswith("08_void"):  # there void, 255, is an object of its own
        assert evaluation.files()["results.csv"] == expected["results_csv"]


def _renamed(protocol: str, masks: Path, **cases: str) -> Dataset:
    """Golden sequences under other names; links to their predictions go to `masks`."""
    sequences = []
    for name, case in cases.items():
        folder = GOLDEN / "sequences" / case
        (source,) = open_folder(folder / "gt", protocol).sequences
        sequences.append(replace(source, name=name))
        (masks / name).symlink_to(folder / "pred" / source.name)
    return Dataset(name="golden", root=masks, sequences=tuple(sequences), protocol=protocol)


VOST = json.loads((GOLDEN / "vost" / "expected.json").read_text())


@pytest.fixture(scope="session")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Further golden masks, of VOST and MOSEv2."""
    folder = tmp_path_factory.mktemp("golden")
    for name in ("vost", "mosev2_sequences"):
        with zipfile.ZipFile(GOLDEN / name / "masks.zip") as archive:
            archive.extractall(folder / name)
    return folder


@pytest.mark.parametrize("name", [name for name, want in VOST.items() if want["exit"] == 0])
def test_vost(unpacked: Path, name: str) -> None:
    want = VOST[name]
    own = want["from"] == "own"
    folder = unpacked / "vost" / "cases" / name if own else GOLDEN / "sequences" / name
    metric = Plugins(entry_points=False).sequence_metrics["last-quarter"]
    dataset = open_folder(folder / "gt", "vost")
    evaluation = evaluate(dataset, folder / "pred", metrics=[metric])
    files = evaluation.files()
    assert files["global_results-val.csv"] == want["global_csv"]
    assert files["per-sequence_results-val.csv"] == want["per_sequence_csv"]
    for row in evaluation.objects.to_dict("records"):
        official = want["objects"][f"{row['sequence']}_{row['object']}"]
        for measure in ("J", "J_last"):
            mine = [row[f"{measure}-{name}"] for name in ("Mean", "Recall", "Decay")]
            assert mine == pytest.approx(official[measure], abs=1e-15)
        assert row["J-last"] == row["J_last-Mean"]
    scores = evaluation.global_scores
    assert scores["J-last-Decay"] == pytest.approx(scores["J_last-Decay"], abs=1e-15)


def test_mosev2_with_absences_at_either_end_and_several_returns(unpacked: Path) -> None:
    folder = unpacked / "mosev2_sequences"
    want = json.loads((GOLDEN / "mosev2_sequences" / "expected.json").read_text())
    videos = json.loads((GOLDEN / "mosev2_sequences" / "meta.json").read_text())["videos"]
    dataset = open_folder(folder / "gt", "mosev2")
    sequences = tuple(
        replace(v, objects={int(obj): 0 for obj in videos[v.name]["objects"]})
        for v in dataset.sequences
    )
    evaluation = evaluate(replace(dataset, sequences=sequences), folder / "pred")
    files = evaluation.files()
    assert files["scores.txt"].strip() == want["scores_txt"].strip()
    assert json.loads(files["metrics.json"]) == want["metrics"]
    for row in evaluation.objects.to_dict("records"):
        for name, value in want["full"][f"{row['sequence']}_{row['object']}"].items():
            mine = row.get(name, row.get(f"{name}-Mean"))
            assert math.isnan(mine) if value is None else mine == pytest.approx(value, abs=1e-15)


def test_evaluation_is_read_back_float_for_float(tmp_path: Path) -> None:
    folder = GOLDEN / "sequences" / "19_multi_sequence"
    evaluation = evaluate(open_folder(folder / "gt", "davis2017"), folder / "pred")
    evaluation.write(tmp_path)
    again = Evaluation.read(tmp_path)
    assert again.global_scores == evaluation.global_scores
    assert again.objects.equals(evaluation.objects)
    assert again.frames.equals(evaluation.frames)
    assert again.warnings == evaluation.warnings
    assert again.files() == evaluation.files()
