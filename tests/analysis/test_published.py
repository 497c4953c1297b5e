"""Published numbers: as printed, each with its source, contradictions side by side."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from vosbench.analysis import published as module
from vosbench.analysis.published import DATASETS, methods, published

NUMBERS = list(csv.DictReader((Path(module.__file__).parent / "numbers.csv").open("r")))


def test_every_number_says_where_it_is_from() -> None:
    assert len(NUMBERS) > 400
    for row in NUMBERS:
        assert row["dataset"] in DATASETS
        assert row["source"]
        assert row["by"] in ("own", "compiled")
        assert row["evidence"] in ("primary", "paper", "compiled", "secondary")
        assert 0 <= float(row["value"]) <= 100
        assert bool(row["fps"]) == bool(row["hardware"]), row
        assert row["frame_rate"] in ("", "6", "30")
    keys = [
        (r["method"], r["checkpoint"], r["training"], r["dataset"], r["measure"], r["source"],
         r["footnote"]) for r in NUMBERS
    ]  # fmt: skip
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_reads_and_names_its_sources(dataset: str) -> None:
    numbers = published(dataset, "all")
    assert numbers is not None
    assert len(numbers.sources) == len(numbers.rows)
    leading = numbers.rows["J&F" if "J&F" in numbers.rows else "J&F_new"]
    assert leading.between(0.2, 1).all()
    assert leading.is_monotonic_decreasing
    assert published(dataset, "none") is None


def test_figures_are_those_of_the_paper() -> None:
    davis17 = published("davis17-val")
    assert davis17 is not None
    row = davis17.rows.loc["e-OSVOS-50-OnA"]
    assert row["J&F"] == pytest.approx(0.756)
    assert row["J-Decay"] == pytest.approx(0.136)
    assert row["FPS"] == 0.35
    davis16 = published("davis16-val", "STM")
    assert davis16 is not None
    assert davis16.rows.loc["STM", "J&F"] == pytest.approx((0.887 + 0.901) / 2)
    youtube = published("ytvos18-valid", "all")
    assert youtube is not None
    assert youtube.rows.loc["e-OSVOS-50-OnA", "F-unseen"] == pytest.approx(0.738)


def test_recent_ones_stand_in_one_table_and_contradict_each_other() -> None:
    numbers = published("davis17-val", "recent")
    assert numbers is not None
    names = list(numbers.rows.index)
    for method in ("SAM 2.1 large", "Cutie-base", "XMem", "e-OSVOS-100-OnA"):
        assert method in names
    assert "OSVOS" not in names
    large = [s for n, s in zip(names, numbers.sources, strict=True) if n == "SAM 2.1 large"]
    assert len(set(large)) == 2
    assert all("not the authors' own" in source for source in large)


def test_what_was_not_checked_is_left_out_by_default() -> None:
    plain, more = published("davis17-val"), published("davis17-val", secondary=True)
    assert plain is not None
    assert more is not None
    assert not any(name.startswith("LiVOS") for name in plain.rows.index)
    assert any("not checked" in source for source in more.sources)


def test_frame_rates_and_hardware_are_in_the_footnotes() -> None:
    numbers = published("ytvos18-valid", "XMem")
    assert numbers is not None
    assert "input at 30 frames a second" in numbers.sources[0]
    assert numbers.rows["FPS"].isna().all()  # it was measured on DAVIS-2017


def test_methods_without_scores_on_a_dataset_are_left_out() -> None:
    test_dev = published("davis17-test-dev", "e-OSVOS")
    assert test_dev is not None
    assert list(test_dev.rows.index) == ["e-OSVOS-50-OnA"]
    assert published("davis16-train") is None
    assert published("davis17-val", "nobody") is None
    assert "SAM 3" in methods()
