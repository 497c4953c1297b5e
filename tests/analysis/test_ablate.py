"""`vosbench ablate`: ablations of real runs on tiny data, and what a gain is."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from vosbench.analysis.ablation import AblationRow, Step, ablation_table, parse_rows
from vosbench.analysis.scored import ScoredRun
from vosbench.analysis.statistics import clustered_difference, paired_difference
from vosbench.cli import main
from vosbench.errors import UsageError
from vosbench.evaluation import Evaluation
from vosbench.plugins import Plugins
from vosbench.store import Run
from vosbench.testing import fakes
from vosbench.testing.synthetic import moving_discs

ABLATION = "fake+iterations=12,fake+iterations=16,copy-first"


@pytest.fixture
def ablate(tmp_path):
    clips = [moving_discs("ant", (24, 32), 4), moving_discs("bee", (24, 40), 4, {1: 0, 2: 0})]
    data = fakes.write_dataset(tmp_path / "tiny", clips)

    def invoke(*more, command=("ablate",)):
        given = ["--plugin", fakes.__file__, "--dataset", str(data)]
        given += ["--results", str(tmp_path / "results")]
        return CliRunner().invoke(main, [*command, *given, *more])

    return invoke


def test_an_ablation_is_run_once_and_gains_add_up(ablate, tmp_path):
    first = ablate("--rows", ABLATION, "--format", "json")
    assert first.exit_code == 0, first.output
    (table,) = json.loads(first.stdout)
    rows = pd.DataFrame(table["rows"], columns=table["columns"]).set_index("Row")
    assert rows.index.tolist() == ["fake+iterations=12", "fake+iterations=16", "copy-first"]
    gains = rows["Gain"].iloc[1:].astype(float).to_numpy()
    assert gains == pytest.approx(np.diff(rows["J&F"]))
    assert (rows["95% low"].iloc[1:] <= gains).all()
    assert (gains <= rows["95% high"].iloc[1:]).all()
    assert rows["Gain"].isna()["fake+iterations=12"]
    log = tmp_path / "results/tiny/copy-first/log.txt"
    before = log.stat().st_mtime_ns
    again = ablate("--rows", ABLATION, "--no-run", "--format", "json")
    assert again.stdout == first.stdout
    assert log.stat().st_mtime_ns == before


def test_the_published_ablation_alone():
    from vosbench_eosvos.published import ablation_table as published_table

    text = Plugins(entry_points=False).exporters["latex"].export([published_table()])
    assert text.count(r"\toprule") == 1
    assert "Lovasz" in text


def test_a_row_that_fails_leaves_a_gap_and_is_named(ablate):
    broken = "fake+fault=raise+sequence=bee"
    result = ablate("--rows", f"{broken},fake+load=raise,copy-first", "--format", "json")
    assert result.exit_code == 5
    assert f"failed: {broken}, 1 sequence(s)" in result.stderr
    assert "failed: fake+load=raise" in result.stderr
    assert "weights are missing" in result.stderr
    rows = {row[0]: row[1:] for row in json.loads(result.stdout)[0]["rows"]}
    assert rows[broken][0] is None
    assert rows["copy-first"][0] > 0.5
    assert rows["copy-first"][1] is None


def test_only_tabulate_says_what_is_missing(ablate, tmp_path):
    result = ablate("--rows", ABLATION, "--no-run")
    assert result.exit_code == 5
    assert "there is no run fake+iterations=12 over tiny" in result.stderr
    assert not (tmp_path / "results").exists()
    result = ablate("--rows", ABLATION, "--no-run", "--limit", "1")
    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("rows", "code", "message"),
    [
        ("fak,fake", 4, "no tracker called 'fak'"),
        ("fake+iterations", 2, "is not TRACKER or TRACKER+key=value"),
        ("fake,,flow", 2, "is not TRACKER or TRACKER+key=value"),
        ("fake,fake", 2, "'fake' occurs twice"),
        ("fake+speed=1", 2, "has no option 'speed'"),
    ],
)
def test_bad_rows_are_named(ablate, tmp_path, rows, code, message):
    result = ablate("--rows", rows)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert not (tmp_path / "results").exists()


def test_rows_are_written_as_runs_are_named():
    assert parse_rows("a, b+x=1+y=p=q") == [
        AblationRow("a"),
        AblationRow("b", {"x": "1", "y": "p=q"}),
    ]
    with pytest.raises(UsageError):
        parse_rows("")


def test_the_published_ablation_stands_beside_its_trackers(ablate):
    """The e-OSVOS plugin's own command knows which tracker is which row of the paper."""
    from vosbench_eosvos.cli.ablation import ablation_rows
    from vosbench_eosvos.published import SOURCE, ablation

    rows = ablation_rows()
    assert rows[0].tracker == "handcrafted-10"
    steps = [Step(row, row.tracker, None) for row in rows]
    table = ablation_table(steps, "davis17-val", published=SOURCE)
    listed = ablation().query("iterations == 10")
    known = table.frame.dropna(subset="Published")
    assert known["Published"].tolist() == pytest.approx((listed["JF"] / 100).tolist())
    gains = known["Its gain"].iloc[1:].tolist()
    assert gains == pytest.approx((listed["gain"].iloc[1:] / 100).tolist())
    result = ablate("--no-run", command=("eosvos", "ablate"))
    assert result.exit_code == 5
    assert "there is no run eosvos-10-neuron-lr over tiny" in result.stderr


def test_objects_of_one_sequence_are_resampled_together():
    rng = np.random.default_rng(0)
    shift = rng.normal(0.1, 0.1, size=12)
    one = rng.normal(size=12)
    alone = clustered_difference(one + shift, one, np.arange(12))
    assert alone == paired_difference(one + shift, one)
    # Copies of a sequence's object bring no further evidence.
    names = np.repeat(np.arange(12), 5)
    copied = clustered_difference(np.repeat(one + shift, 5), np.repeat(one, 5), names)
    assert copied.mean == pytest.approx(alone.mean)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert copied.count == 12
    assert copied.p_value == alone.p_value
    # A sequence of many objects counts as many, as in the global score.
    uneven = clustered_difference([1.0, 0.0, 0.0, 0.0], [0.0] * 4, ["a", "b", "b", "b"])
    assert uneven.mean == 0.25
    assert (uneven.wins, uneven.losses) == (1, 0)
    holes = clustered_difference([1.0, np.nan, 2.0], [0.0, 0.0, 1.0], ["a", "b", "b"])
    assert (holes.mean, holes.low, holes.high) == (1.0, 1.0, 1.0)
    assert np.isnan(clustered_difference([], [], []).mean)
    with pytest.raises(ValueError, match="one length"):
        clustered_difference([1.0], [1.0], [])


def test_a_gain_is_the_difference_of_the_global_scores(ablate, tmp_path):
    ablate("--rows", "fake+iterations=12,copy-first")
    folders = [tmp_path / "results/tiny" / name for name in ("fake+iterations=12", "copy-first")]
    runs = [ScoredRun.of(Run.open(f), Evaluation.read(f / "scores")) for f in folders]
    steps = [Step(AblationRow(run.name), run.name, run) for run in runs]
    for measure in ("J&F", "J", "F", "J-Recall", "J-Decay"):
        frame = ablation_table(steps, measure=measure).frame
        assert frame["Gain"].iloc[1] == pytest.approx(frame[measure].diff().iloc[1])
