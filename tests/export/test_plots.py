"""Plots: what they compute, and that the files are what their names say."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench.export import plots


def plot_points() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["slow_best", "fast", "$dollar$ & <b>", "shared"],
            "score": [0.8, 0.5, 0.4, 0.6],
            "fps": [0.1, 30.0, 5.0, 2.0],
            "published": [True, False, False, False],
            "shared": [False, False, False, True],
        }
    )


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=12))
def test_pareto_front_is_what_nothing_dominates(pairs: list[tuple[int, int]]) -> None:
    fps, score = zip(*pairs, strict=True)
    front = {pairs[i] for i in plots.pareto_front(fps, score)}
    dominated = {a for a in pairs for b in pairs if b != a and b[0] >= a[0] and b[1] >= a[1]}
    assert front == set(pairs) - dominated


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG")]
)
def test_plane_is_written_and_reproducible(tmp_path: Path, suffix: str, magic: bytes) -> None:
    files = []
    for number in range(2):
        path = tmp_path / f"{number}{suffix}"
        plots.save(plots.plane_plot(plot_points(), "a_b & c"), path)
        files.append(path.read_bytes())
    assert files[0].startswith(magic)
    assert files[0] == files[1]


def test_plane_names_every_point_once_and_fits_a_column(tmp_path: Path) -> None:
    path = tmp_path / "plane.svg"
    plots.save(plots.plane_plot(plot_points(), "title"), path)
    root = ET.parse(path).getroot()
    assert float(root.attrib["width"].removesuffix("pt")) == pytest.approx(72 * 3.3, abs=1)
    texts = ["".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("text")]
    for name in plot_points()["name"]:
        assert texts.count(name) == 1


def test_plane_without_points_is_still_a_plot(tmp_path: Path) -> None:
    plots.save(plots.plane_plot(plot_points().iloc[:0]), tmp_path / "empty.pdf")
    assert (tmp_path / "empty.pdf").stat().st_size > 1000


def test_over_time_gives_every_object_one_vote() -> None:
    long = [("long", 1, i, 0.2) for i in range(200)]
    short = [("short", 1, i, 0.8) for i in range(5)]
    frames = pd.DataFrame(long + short, columns=["sequence", "object", "frame", "J"])
    time, values = plots.over_time(frames, bins=10)
    np.testing.assert_allclose(values, 0.5)
    np.testing.assert_allclose(time, np.linspace(0.05, 0.95, 10))


def test_over_time_shows_decay() -> None:
    frames = pd.DataFrame(
        [("s", 1, i, 1 - i / 100) for i in range(100)],
        columns=["sequence", "object", "frame", "J"],
    )
    _, values = plots.over_time(frames, bins=4)
    np.testing.assert_allclose(values, [0.88, 0.63, 0.38, 0.13])


def test_decay_and_curve_plots_are_written(tmp_path: Path) -> None:
    frames = pd.DataFrame(
        [("s", 1, i, 1 - i / 100) for i in range(100)],
        columns=["sequence", "object", "frame", "J"],
    )
    plots.save(plots.decay_plot({f"t{i}": frames for i in range(9)}), tmp_path / "d.svg")
    steps, scores = [1, 10, 100], [0.5, 0.6, 0.65]
    plots.save(
        plots.curve_plot(steps, {"J&F": scores}, xlabel="steps", log=True), tmp_path / "c.svg"
    )
    for name in ("d.svg", "c.svg"):
        ET.parse(tmp_path / name)
