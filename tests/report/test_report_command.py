"""`vosbench report`: what goes into the file, and when it refuses."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from vosbench.analysis.scored import score_run
from vosbench.cli import main
from vosbench.report.content import choose_frames
from vosbench.store import find_runs


def blocks(path: Path) -> dict[str, Any]:
    """The JSON in the page by its name: the overview, then sequences and pictures."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(
        r'<script type="application/json" id="(.*?)">(.*?)</script>', text, re.DOTALL
    )
    return {name: json.loads(block) for name, block in found}


def overview_and_pages(path: Path) -> list[Any]:
    """What the page holds but for the pictures, sequences in order."""
    held = blocks(path)
    return [
        held["overview"],
        *(held[f"sequence-{n}"] for n in range(len(held["overview"]["sequences"]))),
    ]


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["report", *arguments])


def test_only_the_sequences_asked_for_get_pictures(report):
    overview, *pages = overview_and_pages(report("--sequence", "cat", "--frames", "3"))
    assert [len(page["shown"]) > 0 for page in pages] == overview["pictures"]
    assert overview["pictures"] == [name == "cat" for name in overview["sequences"]]


def test_pictures_hold_the_worst_frame_of_each_run(report):
    overview, *pages = overview_and_pages(report("--frames", "2"))
    by_name = {page["name"]: page for page in pages}
    for entry in overview["worst"]:
        page = by_name[entry["sequence"]]
        assert page["frames"].index(entry["frame"]) in page["shown"]


def test_the_first_picture_comes_before_the_program_and_all_others(report):
    path = report("--sequence", "bee", "--sequence", "cat", "--frames", "2")
    overview, *pages = overview_and_pages(path)
    (number, page), *_ = [(n, page) for n, page in enumerate(pages) if page["shown"]]
    good, poor = (np.mean(list(c.values()), axis=0) for c in _numbers(page["curves"]["J"]))
    opened = int(np.nanargmax(np.abs(good - poor)))
    names = list(blocks(path))
    assert names[:3] == ["overview", f"sequence-{number}", f"picture-{number}-{opened}"]
    text = path.read_text(encoding="utf-8")
    assert text.index(names[2]) < text.index("<script>") < text.index(names[3])
    pictures = {f"picture-{n}-{i}" for n, page in enumerate(pages) for i in page["shown"]}
    assert {name for name in names if name.startswith("picture")} == pictures
    assert overview["pictures"].index(True) == number


def _numbers(curves: list[dict[str, list[int | None]]]) -> list[dict[str, np.ndarray]]:
    return [{o: np.array(values, float) for o, values in curve.items()} for curve in curves]


def test_scores_are_those_of_the_evaluation(report, results):
    overview, *_ = overview_and_pages(report())
    stored = json.loads((results / "toys" / "poor" / "scores" / "scores.json").read_text())
    place = overview["runs"].index("poor")
    for name, values in zip(overview["sequences"], overview["heat"]["J"], strict=True):
        expected = stored["per_sequence"][name]["J"]
        assert values[place] == pytest.approx(expected, abs=1e-5)


def test_what_does_not_fit_goes_to_the_sequences_tracked_worst(toys, results):
    runs = [score_run(run, lambda: toys) for run in find_runs(results, "toys")]
    some = choose_frames(runs, toys.sequences, width=480, megabytes=1e-6)
    names = [video.name for video in toys.sequences]
    means = {name: sum(s.evaluation.sequences["J&F"][name] for s in runs) for name in names}
    assert list(some) == [min(means, key=lambda name: means[name])]
    every = choose_frames(runs, toys.sequences, width=480, megabytes=10)
    assert [len(clip.shown) for clip in every.values()] == [12, 12, 12]


def test_json_says_what_was_written(toys, results, tmp_path):
    page = tmp_path / "page.html"
    where = ("--dataset", str(toys.root), "--results", str(results), "--output", str(page))
    facts = json.loads(invoke(*where, "--json").stdout)
    assert facts["bytes"] == page.stat().st_size and len(facts["pictures"]) == 3


def test_no_text_from_outside_is_markup(report):
    text = report().read_text(encoding="utf-8")
    assert "<img" not in text and "document.title='broken'</script>" not in text
    assert html.escape("<b>slow</b>") in text


def test_without_the_dataset_stored_scores_are_shown(results, toys, tmp_path):
    output = tmp_path / "report.html"
    scored = ("--dataset", str(toys.root), "--results", str(results), "--output", str(output))
    assert invoke(*scored).exit_code == 0
    result = invoke("--dataset", "toys", "--results", str(results), "--output", str(output))
    assert result.exit_code == 0, result.output
    assert "no pictures:" in result.output
    overview, *pages = overview_and_pages(output)
    assert overview["heat"]["J"] and not any(page["shown"] for page in pages)


def test_the_same_runs_give_the_same_bytes(report):
    assert report().read_bytes() == report().read_bytes()


def test_runs_over_other_sequences_are_refused_and_shown_by_mix(results, toys, tmp_path):
    copied = tmp_path / "results"
    shutil.copytree(results, copied)
    path = copied / "toys" / "poor" / "run.json"
    record = json.loads(path.read_text())
    record["status"] = "partial"
    path.write_text(json.dumps(record))
    options = ["--dataset", str(toys.root), "--results", str(copied)]
    options += ["--output", str(tmp_path / "report.html")]
    result = invoke(*options)
    assert result.exit_code == 5 and "poor" in result.output
    assert not (tmp_path / "report.html").exists()
    assert invoke(*options, "--mix").exit_code == 0


def test_sequences_are_filtered_by_the_tags_of_a_file(report, tmp_path):
    tags = tmp_path / "tags.csv"
    tags.write_text("sequence,tags\nbee,FM tiny\n")
    overview, *_ = overview_and_pages(report("--tags", str(tags), "--frames", "1"))
    given = dict(zip(overview["sequences"], overview["tags"], strict=True))
    assert given["bee"][2:] == ["fast motion (FM)", "tiny"] and given["cat"][2:] == []


def test_an_unknown_sequence_is_named(results, toys, tmp_path):
    result = invoke("--dataset", str(toys.root), "--results", str(results), "--sequence", "cta")
    assert result.exit_code == 3 and "cta" in result.output


def test_without_runs_it_says_how_to_make_one(tmp_path):
    result = invoke("--results", str(tmp_path))
    assert result.exit_code == 2 and "vosbench run" in result.output
