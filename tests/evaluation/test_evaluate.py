"""What `evaluate` does besides adding up: parts, processes, doubts, further metrics, files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vosbench.datasets import folder as folder_layout
from vosbench.datasets.base import Dataset
from vosbench.datasets.png import read_png_labels
from vosbench.datasets.reading import write_labels
from vosbench.datasets.registry import select
from vosbench.errors import EvaluationError, PluginError, UsageError
from vosbench.evaluation import Evaluation, evaluate, evaluate_all
from vosbench.metrics import MetricSpec
from vosbench.metrics.protocols import PROTOCOLS
from vosbench.plugins import Plugins, load_file

Write = Callable[..., Path]


@pytest.fixture
def dataset(dataset_folder: Path) -> Dataset:
    return folder_layout.load(dataset_folder)


def test_scores_are_the_same_with_several_processes(
    dataset: Dataset, write_masks: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vosbench.evaluation.FRAME_OBJECTS_PER_PROCESS", 1)
    masks = write_masks("masks")
    seen: list[str] = []
    one = evaluate(dataset, masks, progress=lambda name, frames: seen.append(f"{name}:{frames}"))
    two = evaluate(dataset, masks, jobs=2)
    assert one.files() == two.files()
    assert sorted(seen) == ["alpha:6", "beta:6"]


def test_only_the_sequences_asked_for_are_scored(dataset: Dataset, write_masks: Write) -> None:
    masks = write_masks("masks", names=("beta",))
    part = evaluate(select(dataset, ("beta",)), masks)
    assert part.objects["sequence"].unique().tolist() == ["beta"]
    with pytest.raises(EvaluationError) as caught:
        evaluate(dataset, masks)
    assert len(caught.value.problems) == 1
    assert str(masks / "alpha") in caught.value.problems[0]


def test_several_folders_at_once_score_as_each_alone(dataset: Dataset, write_masks: Write) -> None:
    near, far = write_masks("near", 1), write_masks("far", 6)
    absent = near.parent / "absent"
    broken = write_masks("broken")
    (broken / "beta" / "00003.png").write_bytes(b"no picture")
    outcomes = evaluate_all(dataset, [near, absent, far, broken])
    for outcome, folder in ((outcomes[0], near), (outcomes[2], far)):
        assert isinstance(outcome, Evaluation)
        assert outcome.files() == evaluate(dataset, folder).files()
    assert isinstance(outcomes[1], EvaluationError)
    assert str(absent) in outcomes[1].message
    assert isinstance(outcomes[3], EvaluationError)
    assert "00003.png" in outcomes[3].problems[0]


def test_tables_in_memory(dataset: Dataset, write_masks: Write) -> None:
    evaluation = evaluate(dataset, write_masks("masks"))
    assert evaluation.frames.columns.tolist() == [
        "sequence", "object", "frame", "annotated", "predicted", "J", "F",
    ]  # fmt: skip
    assert len(evaluation.frames) == 2 * 2 * 4
    assert evaluation.frames["frame"].iloc[0] == "00001"
    assert evaluation.sequences.index.tolist() == ["alpha", "beta"]
    row = evaluation.sequences.loc["alpha"]
    objects = evaluation.objects[evaluation.objects["sequence"] == "alpha"]
    assert row["J"] == pytest.approx(objects["J-Mean"].mean())
    assert row["J&F"] == pytest.approx((row["J"] + row["F"]) / 2)
    assert next(iter(evaluation.global_scores)) == "J&F-Mean"


def test_annotations_as_predictions_are_doubted(dataset: Dataset, write_masks: Write) -> None:
    evaluation = evaluate(dataset, write_masks("masks", 0))
    assert evaluation.global_scores["J&F-Mean"] == 1
    (warning,) = evaluation.warnings
    assert "identical in every frame" in warning
    mixed = write_masks("mixed", 0)
    write_labels(mixed / "beta" / "00002.png", np.zeros((40, 70), np.uint8))
    (warning,) = evaluate(dataset, mixed).warnings
    assert warning.endswith("identical in: alpha")


def test_wrong_and_missing_ids_are_doubted(dataset: Dataset, write_masks: Write) -> None:
    swapped = write_masks("swapped", 0)
    for path in swapped.glob("*/*.png"):
        write_labels(path, np.array([0, 2, 1], np.uint8)[read_png_labels(path)])
    warnings = evaluate(dataset, swapped).warnings
    assert "J is 0 everywhere" in warnings[0]
    assert sum("is the id right?" in warning for warning in warnings) == 4
    single = write_masks("single", 0)
    for path in single.glob("*/*.png"):
        write_labels(path, (read_png_labels(path) == 1).astype(np.uint8))
    warnings = evaluate(dataset, single).warnings
    assert warnings == [f"{name}: object 2 is never predicted" for name in ("alpha", "beta")]


@pytest.mark.parametrize("protocol", ["ytvos", "lvos", "mosev2", "sav"])
def test_ids_that_the_protocol_ignores_are_doubted(
    protocol: str, dataset: Dataset, write_masks: Write
) -> None:
    masks = write_masks("masks")
    path = masks / "beta" / "00002.png"
    labels = read_png_labels(path).copy()
    labels[0, 0] = 9
    write_labels(path, labels)
    assert any("object id 9" in w for w in evaluate(dataset, masks, protocol).warnings)
    with pytest.raises(EvaluationError, match="davis2017"):
        evaluate(dataset, masks, "davis2017")


def test_youtube_vos_scores_after_the_first_frame_and_says_it_is_unofficial(
    dataset: Dataset, write_masks: Write
) -> None:
    late = tuple(
        replace(video, objects={1: 0, 2: 3}, meta={"unseen": [2]}) for video in dataset.sequences
    )
    evaluation = evaluate(replace(dataset, sequences=late), write_masks("masks"), "ytvos")
    frames = evaluation.frames[evaluation.frames["sequence"] == "alpha"]
    assert frames[frames["object"] == 1]["frame"].tolist() == [f"{t:05d}" for t in range(1, 6)]
    assert frames[frames["object"] == 2]["frame"].tolist() == ["00004", "00005"]
    scores = evaluation.global_scores
    parts = [scores[f"{m}-{group}-Mean"] for m in "JF" for group in ("seen", "unseen")]
    assert scores["J&F-Mean"] == pytest.approx(sum(parts) / 4)
    unseen = evaluation.objects[evaluation.objects["unseen"]]
    assert scores["J-unseen-Mean"] == pytest.approx(unseen["J-Mean"].mean())
    assert any("unofficial" in warning for warning in evaluation.warnings)


def test_groups_without_objects_are_left_out_of_means(dataset: Dataset, write_masks: Write) -> None:
    evaluation = evaluate(dataset, write_masks("masks"), "lvos")
    assert math.isnan(evaluation.global_scores["J-unseen-Mean"])
    assert evaluation.global_scores["J-Mean"] == evaluation.global_scores["J-seen-Mean"]
    assert any("no object of unseen" in warning for warning in evaluation.warnings)
    assert json.loads(evaluation.files()["scores.json"])["global"]["J-unseen-Mean"] is None


METRIC = """
def false_alarms(annotation, prediction):
    assert annotation.dtype == bool and prediction.shape == annotation.shape
    return float((prediction & ~annotation).sum())

def broken(annotation, prediction):
    raise ZeroDivisionError("nothing here")
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_metric_of_a_plugin_file(
    jobs: int,
    dataset: Dataset,
    write_masks: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vosbench.evaluation.FRAME_OBJECTS_PER_PROCESS", 1)
    (tmp_path / "measures.py").write_text(METRIC)
    module = load_file(tmp_path / "measures.py")
    spec = MetricSpec(name="False-Alarms", function=module.false_alarms, summary="pixels")
    evaluation = evaluate(dataset, write_masks("masks"), jobs=jobs, metrics=[spec])
    values = evaluation.frames["False-Alarms"]
    first = evaluation.frames["object"] == 1
    assert values[first].eq(2 * 17).all()
    assert values[~first].eq(2 * 15).all()
    assert evaluation.global_scores["False-Alarms-Mean"] == 32


def test_metric_that_fails_is_named(dataset: Dataset, write_masks: Write, tmp_path: Path) -> None:
    (tmp_path / "measures_b.py").write_text(METRIC)
    spec = MetricSpec(name="Bad", function=load_file(tmp_path / "measures_b.py").broken, summary="")
    with pytest.raises(PluginError, match=r"metric Bad failed on alpha, frame 00001, object 1"):
        evaluate(dataset, write_masks("masks"), metrics=[spec])
    with pytest.raises(PluginError, match="no_such_module"):
        text = MetricSpec(name="Lost", function="no_such_module:f", summary="")
        evaluate(dataset, write_masks("masks"), metrics=[text])


def test_old_tables_do_not_survive(dataset: Dataset, write_masks: Write, tmp_path: Path) -> None:
    masks, scores = write_masks("masks"), tmp_path / "scores"
    evaluate(dataset, masks, "mosev2").write(scores)
    (scores / "notes.txt").write_text("mine")
    assert {"metrics.json", "scores.txt"} <= {path.name for path in scores.iterdir()}
    evaluate(dataset, masks).write(scores)
    assert sorted(path.name for path in scores.iterdir()) == [
        "global_results-val.csv",
        "notes.txt",
        "per-frame.csv",
        "per-sequence_results-val.csv",
        "scores.json",
    ]
    assert Evaluation.read(scores).protocol == "davis2017"


@pytest.mark.parametrize("protocol", ["davis2016", "ytvos", "lvos", "mosev2", "sav", "objects"])
def test_every_protocol_reads_back(
    protocol: str, dataset: Dataset, write_masks: Write, tmp_path: Path
) -> None:
    evaluation = evaluate(dataset, write_masks("masks"), protocol)
    evaluation.write(tmp_path / "scores")
    again = Evaluation.read(tmp_path / "scores")
    assert again.files() == evaluation.files()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scores.json", None, "holds no scores"),
        ("per-frame.csv", None, "per-frame.csv is missing"),
        ("scores.json", "{", "cannot be read"),
        ("scores.json", '{"format": 99}', "its format is 99"),
        ("per-frame.csv", "sequence,object,frame,J\na,one,0,x\n", "cannot be read"),
    ],
)
def test_unreadable_scores_are_named(
    name: str, text: str | None, message: str, dataset: Dataset, write_masks: Write, tmp_path: Path
) -> None:
    scores = tmp_path / "scores"
    evaluate(dataset, write_masks("masks")).write(scores)
    if text is None:
        (scores / name).unlink()
    else:
        (scores / name).write_text(text)
    with pytest.raises(EvaluationError, match=message):
        Evaluation.read(scores)


def test_broken_annotation_costs_its_sequence(dataset: Dataset, write_masks: Write) -> None:
    masks = write_masks("masks")
    broken, *others = dataset.sequences
    broken.annotations[2].write_bytes(b"gone")
    if others:
        assert evaluate(dataset, masks).missing == [broken.name]
    with pytest.raises(EvaluationError) as caught:
        evaluate(select(dataset, (broken.name,)), masks)
    (problem,) = caught.value.problems
    assert str(broken.annotations[2]) in problem


def test_what_cannot_be_asked(dataset: Dataset, write_masks: Write) -> None:
    masks = write_masks("masks")
    with pytest.raises(UsageError, match="no protocol 'davis'"):
        evaluate(dataset, masks, "davis")
    with pytest.raises(EvaluationError, match="not public"):
        evaluate(replace(dataset, annotated=False, withheld=True), masks)
    with pytest.raises(EvaluationError, match="only the first mask of each object"):
        evaluate(replace(dataset, annotated=False), masks)
    with pytest.raises(EvaluationError, match="no sequence"):
        evaluate(replace(dataset, sequences=()), masks)
    with pytest.raises(EvaluationError, match="does not exist"):
        evaluate(dataset, masks / "nowhere")


def test_real_video_against_the_slow_measures(davis_root: Path, tmp_path: Path) -> None:
    """DAVIS-2016 through the real path; J and F again by plain numpy and OpenCV."""
    import cv2

    source = davis_root / "Annotations" / "480p" / "flamingo"
    files = sorted(source.glob("*.png"))[:5]
    for path in files:
        truth = (read_png_labels(path) != 0).astype(np.uint8)
        write_labels(tmp_path / "masks" / "flamingo" / path.name, np.roll(truth, (4, 9), (0, 1)))
    from vosbench.datasets.base import VideoSequence

    video = VideoSequence(
        name="flamingo",
        frames=tuple(files),
        annotations=dict(enumerate(files)),
        objects={1: 0},
        binary=True,
    )
    data = Dataset(name="part", root=source, sequences=(video,), protocol="davis2016")
    evaluation = evaluate(data, tmp_path / "masks")
    y, x = np.mgrid[-8:9, -8:9]
    kernel = (x * x + y * y <= 64).astype(np.uint8)
    for row, path in zip(evaluation.frames.to_dict("records"), files[1:-1], strict=True):
        truth = read_png_labels(path) != 0
        guess = np.roll(truth, (4, 9), (0, 1))
        assert row["J"] == (truth & guess).sum() / (truth | guess).sum()
        edges = [_edge(mask) for mask in (truth, guess)]
        near = [cv2.dilate(edge.astype(np.uint8), kernel) > 0 for edge in edges]
        precision = (edges[1] & near[0]).sum() / edges[1].sum()
        recall = (edges[0] & near[1]).sum() / edges[0].sum()
        assert row["F"] == 2 * precision * recall / (precision + recall)


def _edge(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return (mask != padded[:-1, 1:]) | (mask != padded[1:, :-1]) | (mask != padded[1:, 1:])


def test_the_measure_of_the_documentation_works(
    dataset: Dataset, write_masks: Write, tmp_path: Path
) -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "metrics.md"
    code = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "dice.py").write_text(code)
    plugins = Plugins([tmp_path / "dice.py"], entry_points=False)
    assert not plugins.broken
    evaluation = evaluate(dataset, write_masks("masks"), metrics=[plugins.metrics["Dice"]])
    j = evaluation.frames["J"]
    assert np.allclose(evaluation.frames["Dice"], 2 * j / (1 + j))


def test_every_protocol_is_documented() -> None:
    page = (Path(__file__).parent.parent.parent / "docs" / "metrics.md").read_text("utf-8")
    for name in PROTOCOLS:
        assert f"| `{name}`" in page


SEQUENCE_PLUGIN = """
from vosbench import hookimpl
from vosbench.metrics import Column, ProtocolSpec, SequenceMetricSpec
from vosbench.metrics.protocols import Protocol
from vosbench.metrics.sequence import ObjectMetric

class Reach(ObjectMetric):
    def values(self, track):
        return {"Reach": float(track.overlaps.min()), "Length": float(len(track))}

class Last(Protocol):
    name = "last"
    summary = "the last frame alone"
    official = False

    def plan(self, video):
        return dict.fromkeys(sorted(video.objects), (max(video.annotations),))

@hookimpl
def vosbench_register_sequence_metrics(register):
    columns = (Column(name="Reach", summary="lowest J"), Column(name="Length", summary="", unit=""))
    register(SequenceMetricSpec(name="reach", metric=Reach, summary="...", columns=columns))

@hookimpl
def vosbench_register_protocols(register):
    register(ProtocolSpec(name="last", protocol=Last, summary=Last.summary))
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_metric_and_protocol_of_a_plugin_see_every_frame(
    dataset: Dataset, write_masks: Write, tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vosbench.evaluation.FRAME_OBJECTS_PER_PROCESS", 1)
    path = tmp_path / "reaching.py"
    path.write_text(SEQUENCE_PLUGIN)
    spec = Plugins([path], entry_points=False).sequence_metrics["reach"]
    evaluation = evaluate(dataset, write_masks("masks"), "last", jobs=jobs, metrics=[spec])
    assert evaluation.frames["frame"].unique().tolist() == ["00005"]
    assert not evaluation.official
    # The first frame counts too, and J is the same throughout.
    assert evaluation.objects["Length"].tolist() == [6.0] * 4
    assert evaluation.global_scores["Reach"] == pytest.approx(evaluation.global_scores["J-Mean"])
    assert evaluation.sequences["Reach"].index.tolist() == ["alpha", "beta"]
    evaluation.write(tmp_path / "scores")
    again = Evaluation.read(tmp_path / "scores")
    assert again.files() == evaluation.files()
    assert again.columns == evaluation.columns


def test_frames_without_score_may_be_missing_and_are_named(
    dataset: Dataset, write_masks: Write
) -> None:
    masks = write_masks("masks")
    for name in ("00000", "00005"):
        (masks / "alpha" / f"{name}.png").unlink()
    spec = Plugins(entry_points=False).sequence_metrics["volume"]
    evaluation = evaluate(dataset, masks, metrics=[spec])
    assert any("no mask of frame 00005" in warning for warning in evaluation.warnings)
    assert 0 < evaluation.global_scores["J-Volume"] < 1
