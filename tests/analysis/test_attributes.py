"""Attributes of sequences and objects, and scores by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from vosbench.analysis.attributes import (
    ATTRIBUTES,
    DAVIS_TAGS,
    davis_tags,
    object_facts,
    occlusion_class,
    read_tags,
    size_class,
    speed_class,
)
from vosbench.cli import compare, main
from vosbench.datasets.base import Dataset
from vosbench.errors import DatasetError
from vosbench.store import Run

GOLDEN = Path(__file__).parent.parent / "golden"
MakeRun = Callable[..., Run]


def test_the_tags_of_davis_2016() -> None:
    tags = davis_tags()
    assert len(tags) == 50
    assert tags["bmx-bumps"][:3] == ["LR", "SV", "SC"]
    assert {tag for every in tags.values() for tag in every} == set(DAVIS_TAGS)
    assert compare.ATTRIBUTES == ATTRIBUTES


MASKLETS = json.loads((GOLDEN / "sav_sequences" / "expected.json").read_text())["masklets"]


@pytest.mark.parametrize("name", MASKLETS)
def test_size_classes_are_those_of_sav(name: str) -> None:
    areas = np.array(MASKLETS[name]["areas"], dtype=float)
    official = MASKLETS[name]["official"]
    mean = areas[areas > 0].mean()
    assert mean == pytest.approx(official["size_abs"])
    assert size_class(mean) == official["size_bucket"]


def test_facts_are_read_off_the_annotations(toys: Dataset) -> None:
    facts = object_facts(toys.sequence("bee"))
    assert facts[1].area == 400  # a square of 20 that moves 3 pixels a frame to the right
    assert facts[1].speed == pytest.approx(3 / np.hypot(48, 64))
    assert (facts[1].absent, facts[2].speed) == (0, 0)
    assert [size_class(a) for a in (1023, 1024, 9215, 9216)] == ["small", *["medium"] * 2, "large"]
    assert [speed_class(s) for s in (float("nan"), 0.01, 0.021)] == ["slow", "medium", "fast"]
    assert [occlusion_class(a) for a in (0, 0.4, 0.5)] == [
        "always there", "sometimes gone", "mostly gone",
    ]  # fmt: skip


def tables(results: Path, toys: Dataset, *arguments: str) -> dict[str, pd.DataFrame]:
    given = ["compare", "--results", str(results), "--dataset", str(toys.root), "--format", "json"]
    result = CliRunner().invoke(main, [*given, *arguments])
    assert result.exit_code == 0, result.output
    return {
        table["title"]: pd.DataFrame(table["rows"], columns=table["columns"])
        for table in json.loads(result.stdout)
    }


def test_scores_by_tag_and_by_what_is_measured(
    make_run: MakeRun, results: Path, toys: Dataset, tmp_path: Path
) -> None:
    make_run("exact")
    make_run("shifted", shift=3)
    tags = tmp_path / "tags.csv"
    tags.write_text("sequence,tags\nant,DEF OCC\nbee,OCC\nelsewhere,SV\n")
    options = ["--by", "attribute", "--tags", str(tags), "--by", "speed", "--measure", "J"]
    found = tables(results, toys, *options, "--per-sequence")
    by_tag = found["toys: J by attribute"].set_index("Attribute")
    sequences = found["toys: J by sequence"].set_index("Sequence")
    assert by_tag["Sequences"].to_dict() == {"DEF": 1, "OCC": 2}
    assert by_tag.loc["DEF", "shifted"] == sequences.loc["ant", "shifted"]
    mean = sequences.loc[["ant", "bee"], "shifted"].mean()
    assert by_tag.loc["OCC", "shifted"] == pytest.approx(mean)
    by_speed = found["toys: J by speed"].set_index("Speed")
    assert by_speed["Objects"].to_dict() == {"slow": 3, "fast": 3}


def test_tags_that_cannot_be_read_or_fit_nothing_are_named(
    make_run: MakeRun, results: Path, toys: Dataset, tmp_path: Path
) -> None:
    make_run("exact")
    (tmp_path / "tags.json").write_text('{"ant": ["X"]}')
    assert read_tags(tmp_path / "tags.json") == {"ant": ["X"]}
    lvos = {"sets": ["val"], "videos": {"ant": {"set": "val", "attributes": ["OCC", "FM"]}}}
    (tmp_path / "val_meta_attribute.json").write_text(json.dumps(lvos))
    assert read_tags(tmp_path / "val_meta_attribute.json") == {"ant": ["OCC", "FM"]}
    (tmp_path / "bad.csv").write_text("name\nant\n")
    with pytest.raises(DatasetError, match=r"bad\.csv cannot be read as tags"):
        read_tags(tmp_path / "bad.csv")
    given = ["--results", str(results), "--dataset", str(toys.root), "--by", "attribute"]
    result = CliRunner().invoke(main, ["compare", *given])
    assert result.exit_code == 5
    assert "no sequence of toys has a tag" in result.output
