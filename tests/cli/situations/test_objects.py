"""A folder is scored by the rule by which it is read: the objects that exist, once they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from .conftest import FRAMES, SHIFTED, squares, write_masks, write_sequence


def test_ids_with_gaps_are_as_many_objects_as_there_are(tmp_path: Path, scores) -> None:
    write_sequence(tmp_path / "data", "a", [squares(38, 75)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(38, 75, shift=2)] * FRAMES)
    document = scores("masks", "data")
    assert document["protocol"] == "objects"
    assert [row["object"] for row in document["objects"]] == [38, 75]
    assert document["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)


def test_a_late_object_counts_after_the_frame_that_gives_it(tmp_path: Path, scores) -> None:
    truth = [squares(1), squares(1), squares(1), *[squares(1, 3)] * 3]
    guess = [squares(1), squares(1), squares(1), squares(1, 3), *[squares(1, 3, shift=2)] * 2]
    write_sequence(tmp_path / "data", "a", truth)
    write_masks(tmp_path / "masks/a", guess)
    document = scores("masks", "data", "--output", "scores")
    assert document["protocol"] == "objects"
    of_late = [row for row in document["objects"] if row["object"] == 3]
    assert of_late[0]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)
    rows = (tmp_path / "scores/per-frame.csv").read_text().splitlines()
    assert [row.split(",")[2] for row in rows if row.startswith("a,3,")] == ["00004", "00005"]


def test_a_run_over_late_objects_is_scored(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * 3 + [squares(1, 3)] * 3)
    result = vosbench("run", "--tracker", "copy-first", "--dataset", "data")
    assert result.exit_code == 0, result.output
    row = next(line for line in result.stdout.splitlines() if line.startswith("copy-first"))
    assert row.split()[3:5] == ["100.0", "100.0"], result.stdout


def test_empty_first_masks_are_no_fault(tmp_path: Path, scores) -> None:
    write_sequence(tmp_path / "data", "a", [squares(), squares(), *[squares(1)] * 4])
    write_masks(tmp_path / "masks/a", [squares(1, shift=2)] * FRAMES)
    assert scores("masks", "data")["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)


@pytest.mark.parametrize(
    ("masks", "protocol"),
    [
        ([squares(255)] * 6, "davis2016"),
        ([squares(1, 2)] * 6, "davis2017"),
        ([squares(1, 3)] * 6, "objects"),
        ([squares(2)] * 6, "objects"),
        ([squares(1)] + [squares(1, 2)] * 5, "objects"),
    ],
)
def test_folders_that_fit_an_official_protocol_keep_it(
    tmp_path: Path, scores, masks: list[np.ndarray], protocol: str
) -> None:
    write_sequence(tmp_path / "data", "a", masks)
    assert scores("data/Annotations/480p", "data")["protocol"] == protocol
    assert scores("data/Annotations/480p", "data", "--protocol", "sav")["protocol"] == "sav"


def test_run_takes_a_protocol(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1, 2)] * FRAMES)
    command = ("run", "--tracker", "copy-first", "--dataset", "data", "--protocol")
    assert vosbench(*command, "objects").exit_code == 0
    assert '"protocol": "objects"' in (tmp_path / "results/data/copy-first/run.json").read_text()
    result = vosbench(*command, "davis2015")
    assert result.exit_code == 2
    assert "objects" in result.output


def test_one_object_as_0_255_beside_ids(tmp_path: Path, scores) -> None:
    write_sequence(tmp_path / "data", "one", [squares(255)] * FRAMES)
    write_sequence(tmp_path / "data", "two", [squares(1, 2)] * FRAMES)
    write_masks(tmp_path / "masks/one", [squares(255, shift=2)] * FRAMES)
    write_masks(tmp_path / "masks/two", [squares(1, 2, shift=2)] * FRAMES)
    document = scores("masks", "data")
    assert len(document["objects"]) == 3
    assert document["global"]["J-Mean"] == pytest.approx(SHIFTED, abs=1e-12)


def test_255_beside_ids_is_void_and_said_to_be(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(128, 255)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(128)] * FRAMES)
    for command in (
        ("evaluate", "--masks", "masks", "--dataset", "data"),
        ("datasets", "verify", "data"),
    ):
        result = vosbench(*command)
        assert "255 is void and no object, in a" in result.output


def test_ids_that_no_object_has_are_doubted(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1, 200)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(38, 75)] * FRAMES)
    result = vosbench("evaluate", "--masks", "masks", "--dataset", "data")
    assert "shows ids that no object has: 38, 75, not 1, 200" in result.output


def test_absent_ids_that_davis_counts_are_doubted(tmp_path: Path, scores) -> None:
    write_sequence(tmp_path / "data", "a", [squares(3)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(3, shift=2)] * FRAMES)
    warnings = scores("masks", "data", "--protocol", "davis2017")["warnings"]
    assert "a: object 1 occurs in no mask at all, and counts as right under davis2017" in warnings
    assert not [text for text in warnings if "object 3" in text]


def test_late_objects_under_a_protocol_without_them_show_the_way(tmp_path: Path, vosbench) -> None:
    write_sequence(tmp_path / "data", "a", [squares(1)] * 3 + [squares(1, 3)] * 3)
    command = ("evaluate", "--masks", "data/Annotations/480p", "--dataset", "data")
    result = vosbench(*command, "--protocol", "davis2017")
    assert result.exit_code == 6
    assert "--protocol objects" in result.output


def test_id_1_where_the_object_has_another_is_doubted(tmp_path: Path, scores) -> None:
    write_sequence(tmp_path / "data", "a", [squares(128)] * FRAMES)
    write_masks(tmp_path / "masks/a", [squares(1)] * FRAMES)
    warnings = scores("masks", "data")["warnings"]
    assert "a: mask 00003 shows ids that no object has: 1, not 128" in warnings
