"""Runs that cannot be written or read, or that were made on other data."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from .fault import GREY, MASK, RUN, Fault, picture


def made_by_other_code() -> None:
    path = RUN / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"code": "1a2b" + record["code"][4:]}))


def made_with(**facts: dict[str, str]) -> Callable[[], None]:
    def prepare() -> None:
        path = RUN / "run.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {key: record[key] | facts[key] for key in facts}))

    return prepare


def weights_of_today() -> None:
    Path("weights.bin").write_text("two")
    files, places = {"weights.bin": "7692c3ad3540" + 52 * "0"}, {"weights.bin": "weights.bin"}
    made_with(files=files, places=places)()


def noted_otherwise() -> None:
    path = RUN / "sequences/more.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"frames": [4], "status": "fine"}))


def interrupted() -> None:
    path = RUN / "run.json"
    record = json.loads(path.read_text())
    (RUN / "sequences/more.json").unlink()
    path.write_text(json.dumps(record | {"status": "running"}))


FAULTS = (
    Fault(
        "a sequence's record that is broken: it is done again",
        "run --tracker copy-first --dataset data",
        0,
        "copy-first    2/2",
        prepare=noted_otherwise,
    ),
    Fault(
        "masks that a power cut emptied: they are done again",
        "run --tracker copy-first --dataset data",
        0,
        "the masks of more are not what was recorded; done again",
        prepare=lambda: (RUN / "masks/more/00002.png").write_bytes(b""),
    ),
    Fault(
        "a run that was interrupted, beside whole ones",
        "compare --dataset data --tracker copy-first --tracker whole",
        5,
        "copy-first: incomplete: 1 not run",
        "Choose runs by --tracker or --exclude, finish or repeat them",
        lambda: (shutil.copytree(RUN, RUN.with_name("whole")), interrupted()),
    ),
    Fault(
        "parts of a run with a gap",
        "merge results --results merged",
        5,
        "error: 1 of 2 sequences of data are in no part: more",
        "Run them, or merge what there is with --partial.",
        interrupted,
    ),
    Fault(
        "results that cannot be written",
        "run --tracker flow --dataset data --results locked",
        5,
        "locked/data/flow cannot be written: Not a directory",
        "Choose another folder by --results.",
        lambda: (Path("locked").mkdir(), Path("locked/data").write_text("")),
    ),
    Fault(
        "a run.json that is broken",
        "run --tracker copy-first --dataset data",
        5,
        "results/data/copy-first/run.json cannot be read: ",
        "--fresh discards the run and starts again.",
        lambda: (RUN / "run.json").write_text("{"),
    ),
    Fault(
        "the same, when comparing",
        "compare --dataset data",
        5,
        "left out: results/data/copy-first/run.json cannot be read: ",
        "there is no run over data in results",
        lambda: (RUN / "run.json").write_text("{"),
    ),
    Fault(
        "scores that are broken: they are made anew",
        "compare --dataset data",
        0,
        "copy-first   57.5",
        prepare=lambda: (RUN / "scores/scores.json").write_text("x"),
    ),
    Fault(
        "data that changed since the run",
        "run --tracker copy-first --dataset data",
        5,
        "results/data/copy-first holds another run: the dataset's files have changed since",
        "--fresh discards it; --results keeps this one elsewhere.",
        picture(MASK, GREY + 1),
    ),
    Fault(
        "a plugin whose code changed since the run",
        "run --tracker copy-first --dataset data",
        5,
        "results/data/copy-first holds another run: the plugin's code has changed since: was 1a2b",
        "--fresh discards it; --results keeps this one elsewhere.",
        made_by_other_code,
    ),
    Fault(
        "a package that was updated since the run",
        "run --tracker copy-first --dataset data",
        5,
        "results/data/copy-first holds another run: the package numpy was 0.1, it is ",
        "--fresh discards it; --results keeps this one elsewhere.",
        made_with(packages={"numpy": "0.1"}),
    ),
    Fault(
        "weights, or a module beside the plugin, that changed since the run",
        "run --tracker copy-first --dataset data",
        5,
        "holds another run: weights.bin was 7692c3ad3540, it is 3fc4ccfe7458 now: weights.bin",
        "--fresh discards it; --results keeps this one elsewhere.",
        weights_of_today,
    ),
    Fault(
        "other data, when scoring",
        "evaluate results/data/copy-first --dataset data",
        6,
        "error: run results/data/copy-first was made on other data than data holds now",
        "Run it again with --fresh, or name the data that it was made on: --dataset FOLDER, "
        "--data-root.",
        picture(MASK, GREY + 1),
    ),
)
