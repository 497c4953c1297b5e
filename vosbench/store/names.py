"""Names of runs, which are names of folders."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from vosbench.errors import RunError
from vosbench.naming import problem_of
from vosbench.specs import OptionValue


def run_name(tracker: str, changed: Mapping[str, OptionValue], seed: int) -> str:
    """The run's folder name: tracker, `+key=value` for each changed option, sorted, `+seed=N`
    where it is not 0.

    Values that are no file names are shortened and told apart by a digest.

    Example:
        >>> run_name("eosvos", {"iterations": 10}, 1)
        'eosvos+iterations=10+seed=1'
    """
    parts = [tracker, *(f"{key}={_file_name(changed[key])}" for key in sorted(changed))]
    return "+".join([*parts, *([f"seed={seed}"] if seed else [])])


def check_name(name: str, what: str) -> None:
    """Raise RunError, which says `what` it is the name of, unless `name` can name a folder."""
    if problem := problem_of(name):
        shown = repr(name) if len(name) <= 40 else f"{name[:40]!r}..."
        raise RunError(f"{what} {shown} {problem}", "Rename it.")


def _file_name(value: OptionValue) -> str:
    text = str(value)
    if re.fullmatch(r"[\w.,-]{1,60}", text, re.ASCII):
        return text
    short = re.sub(r"[^\w.,-]+", "_", text, flags=re.ASCII)[-40:]
    return f"{short}~{sha256(text.encode()).hexdigest()[:8]}"


def path_beside(source: str, results: Path, dataset: str) -> str:
    """The path from a run's folder to its dataset's, `source`, if that lies in the folder that
    holds `results`, or below; else ""."""
    run = results.resolve() / dataset / "run"
    if not source or not Path(source).is_relative_to(run.parents[2]):
        return ""
    return Path(os.path.relpath(source, run)).as_posix()
