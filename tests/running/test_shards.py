"""Parts that were run apart make the run that one machine makes; what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from vosbench.cli import main
from vosbench.datasets.base import VideoSequence
from vosbench.errors import RunError, UsageError
from vosbench.running.shards import merge, shard
from vosbench.testing import fakes


def sequences(lengths):
    return [
        VideoSequence(name=f"s{i}", frames=(None,) * n, annotations={}, objects={})
        for i, n in enumerate(lengths)
    ]


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(1, 8))
def test_shards_are_all_sequences_once_and_about_as_long(lengths, count):
    count = min(count, len(lengths))
    dealt = [shard(sequences(lengths), f"{i}/{count}") for i in range(1, count + 1)]
    names = [name for part in dealt for name in part]
    assert sorted(names) == sorted(f"s{i}" for i in range(len(lengths)))
    frames = [sum(lengths[int(name[1:])] for name in part) for part in dealt]
    assert max(frames) - min(frames) <= max(lengths)


@pytest.mark.parametrize("text", ["", "3", "0/2", "3/2", "a/b", "-1/2", "1/0", "3/3"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match="--shard"):
        shard(sequences([1, 1]), text)


@pytest.fixture
def parts(go):
    return [
        go(sequences=names, results=f"part-{i}")
        for i, names in enumerate((["bee"], ["ant", "cat"]))
    ]


def test_parts_make_the_run_that_one_machine_makes(go, parts, masks, dataset, tmp_path):
    whole = go()
    merged = merge(parts, dataset, tmp_path / "merged")
    assert masks(merged) == masks(whole)
    assert merged.complete
    assert list(merged.sequences()) == ["ant", "bee", "cat"]
    for key in ("sequences", "fingerprint", "versions", "options", "status", "whole"):
        assert getattr(merged.record, key) == getattr(whole.record, key)
    again = go(results="merged")  # taken up as any run: nothing is left to do
    assert again.record.finished == merged.record.finished
    with pytest.raises(RunError, match="is there already"):
        merge(parts, dataset, tmp_path / "merged")


def test_gaps_and_overlaps_are_named(go, parts, dataset, tmp_path):
    with pytest.raises(RunError, match="2 of 3 sequences of tiny are in no part: ant, cat"):
        merge(parts[:1], dataset, tmp_path / "merged")
    partial = merge(parts[:1], dataset, tmp_path / "merged", partial=True)
    assert partial.record.sequences == ["bee"]
    twice = go(sequences=["ant", "bee"], results="part-2")
    with pytest.raises(RunError, match=r"ant is in .*part-1.* and in .*part-2"):
        merge([*parts, twice], dataset, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_parts_that_do_not_fit_are_refused(go, parts, dataset, tmp_path):
    other = go(sequences=["ant", "cat"], seed=1, results="part-2")
    with pytest.raises(RunError, match="seed is 0 and 1"):
        merge([parts[0], other], dataset, tmp_path / "merged")
    version = parts[1].record.versions["fakes"]
    parts[1].record.versions["fakes"] = "000000000000"
    with pytest.raises(RunError, match=r"fakes is .* and 0000"):
        merge(parts, dataset, tmp_path / "merged")
    parts[1].record.versions["fakes"] = version

    mask = parts[0].masks / "bee/00002.png"
    sound = mask.read_bytes()
    mask.write_bytes(b"")
    with pytest.raises(RunError, match="the masks of bee are not what was recorded"):
        merge(parts, dataset, tmp_path / "merged")
    mask.write_bytes(sound)
    ant, *others = dataset.sequences
    with pytest.raises(RunError, match="bee: no such sequence in tiny"):
        merge(parts, replace(dataset, sequences=(ant, others[1])), tmp_path / "merged")
    changed = replace(ant, objects={1: 1})
    with pytest.raises(RunError, match="made on other data than tiny holds now"):
        merge(parts, replace(dataset, sequences=(changed, *others)), tmp_path / "merged")


def test_the_commands(dataset, tmp_path):
    def vosbench(*arguments):
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    for index in (1, 2):
        made = vosbench(
            *("run", "--no-evaluate", "--plugin", fakes.__file__, "--tracker", "fake"),
            *("--dataset", dataset.root, "--shard", f"{index}/2"),
            *("--results", tmp_path / f"part-{index}"),
        )
        assert made.exit_code == 0, made.output
    target = ("--results", tmp_path / "merged")
    gap = vosbench("merge", tmp_path / "part-1", *target)
    assert gap.exit_code == 5
    merged = vosbench("merge", tmp_path / "part-1", tmp_path / "part-2", *target)
    assert merged.exit_code == 0, merged.output
    assert "3 sequences of 2 parts" in merged.output
