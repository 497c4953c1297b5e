"""The published figures as they are printed in the paper."""

from __future__ import annotations

import pytest

from vosbench.analysis.published import DATASETS, ablation, published


def test_every_listing_reads_and_names_its_source() -> None:
    for name in DATASETS:
        numbers = published(name)
        assert numbers is not None
        assert "NeurIPS 2020" in numbers.source
        assert len(numbers.rows) >= 9
        assert numbers.rows["J&F"].between(0.3, 1).all()
        assert numbers.rows.index.is_unique


def test_figures_are_those_of_the_paper() -> None:
    davis17 = published("davis17-val")
    assert davis17 is not None
    row = davis17.rows.loc["e-OSVOS-50-OnA"]
    assert row["J&F"] == pytest.approx(0.756)
    assert row["J-Decay"] == pytest.approx(0.136)
    assert row["FPS"] == 0.35
    davis16 = published("davis16-val")
    assert davis16 is not None
    assert davis16.rows.loc["STM", "J&F"] == pytest.approx((0.887 + 0.901) / 2)
    youtube = published("ytvos18-valid")
    assert youtube is not None
    assert youtube.rows.loc["e-OSVOS-50-OnA", "F-unseen"] == pytest.approx(0.738)


def test_methods_without_scores_on_a_dataset_are_left_out() -> None:
    test_dev = published("davis17-test-dev")
    assert test_dev is not None
    assert "e-OSVOS-10" not in test_dev.rows.index
    assert "e-OSVOS-50-OnA" in test_dev.rows.index


def test_other_datasets_have_none() -> None:
    assert published("davis16-train") is None


def test_ablation() -> None:
    table = ablation()
    assert list(table.columns) == ["variant", "iterations", "JF", "gain"]
    assert table["gain"].max() == 30.8
