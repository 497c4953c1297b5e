"""Names of trackers, datasets, sequences and runs that are not there."""

from __future__ import annotations

from .fault import Fault

FAULTS = (
    Fault(
        "a tracker that is not there",
        "run --tracker flwo --dataset data",
        4,
        "error: there is no tracker called 'flwo'",
        "Did you mean flow? `vosbench trackers` lists all.",
    ),
    Fault(
        "a dataset that is not there",
        "run --tracker flow --dataset dmeo",
        3,
        "error: there is no dataset called 'dmeo' and no such folder",
        "Did you mean demo? `vosbench datasets` lists all; a folder in DAVIS layout works too.",
    ),
    Fault(
        "a dataset that is not installed",
        "run --tracker flow --dataset davis17-val --data-root there",
        3,
        "error: dataset davis17-val is not installed (looked in: there, cache/datasets)",
        "`vosbench datasets fetch davis17-val` downloads it.",
    ),
    Fault(
        "a sequence that is not there",
        "run --tracker flow --dataset data --sequence dics",
        3,
        "error: dataset data has no sequence 'dics'",
        "Did you mean discs?",
    ),
    Fault(
        "a run that is not there",
        "show --dataset data --tracker flow",
        5,
        "error: there is no run of flow over data",
        "Runs: copy-first.",
    ),
    Fault(
        "a folder that is no run",
        "evaluate data",
        5,
        "error: data is not a run: it has no run.json",
    ),
    Fault(
        "no run at all",
        "compare --results nothing",
        2,
        "error: there is no run in nothing",
        "`vosbench run --tracker copy-first --dataset demo` makes one.",
    ),
)
