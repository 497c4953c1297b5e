"""The run directory: what was run, its masks, how long each sequence took. Atomic and resumable.

run.json                         RunRecord
masks/<sequence>/<frame>.png     one per output frame
sequences/<sequence>.json        SequenceRecord, written last: its presence says "done" or "failed"
scores/                          written by the evaluation
log.txt, log-2.txt, ...          what the tracker printed and logged, a file for each worker
scratch/                         while it runs
"""

from __future__ import annotations

from vosbench.store.names import check_name, path_beside, run_name
from vosbench.store.records import RunRecord, SequenceRecord
from vosbench.store.run import Run, broken_runs, find_runs, runs_in
from vosbench.store.timing import Timing

__all__ = [
    "Run",
    "RunRecord",
    "SequenceRecord",
    "Timing",
    "broken_runs",
    "check_name",
    "find_runs",
    "path_beside",
    "run_name",
    "runs_in",
]
