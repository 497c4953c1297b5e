"""The conformance suite in a process of the tracker's own, which may crash or hang, in whatever
environment the tracker lives.

Example:
    for outcome in check_apart(Plugins(), "flow", conformance_cases()):
        print(outcome.case, outcome.status, outcome.reason)
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vosbench.errors import PluginError, UsageError
from vosbench.plugins import Plugins
from vosbench.running.environments import home_of
from vosbench.running.executors import Plan
from vosbench.running.executors.handle import ProcessEnded, TrackerProcess
from vosbench.running.load import threads_of_worker
from vosbench.testing.cases import Case, Size
from vosbench.testing.conformance import Outcome


def check_apart(
    plugins: Plugins,
    tracker: str,
    cases: Sequence[Case],
    *,
    options: Mapping[str, str] | None = None,
    device: str = "cpu",
    seed: int = 0,
    size: Size = (96, 128),
    untrained: bool = False,
    timeout: float = 600.0,
) -> Iterator[Outcome]:
    """Run cases of `conformance_cases()` on one tracker, one after the other.

    Cases that need two processes are answered in two, and compared.

    A case in which the process dies or gives no answer within `timeout` seconds has failed; a fresh
    process takes the next. `options`, `device`, `seed`, `size` and `untrained` are those of
    `check_tracker`.

    Raises:
        PluginError: there is no such tracker, its environment is not there, or it cannot be built.
        UsageError: it cannot be built with these options.
    """
    home = home_of(plugins, tracker)
    settings = {
        "options": {**home.options, **(options or {})},
        "device": device,
        "seed": seed,
        "size": size,
        "untrained": untrained,
    }
    waiting = list(cases)
    digests: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="vosbench-conformance-") as folder:
        plan = Plan(
            tracker=tracker,
            options={},
            seed=seed,
            device=device,
            threads=threads_of_worker(1),
            timeout=timeout,
            python=home.python,
            plugin_files=(*plugins.files, *home.plugins),
            disabled=plugins.disabled,
            log=Path(folder, "log.txt"),
            scratch=Path(folder),
        )
        while waiting:
            with TrackerProcess(plan, serve="vosbench.testing.examiner") as process:
                while waiting and process.alive:
                    case, began = waiting.pop(0), time.perf_counter()
                    answer = _ask(process, case, settings)
                    if digest := answer.pop("digest", ""):
                        if case.name not in digests:
                            digests[case.name] = digest
                            waiting.insert(0, case)
                            break  # the other process is a fresh one
                        if digests[case.name] != digest:
                            answer |= {"status": "failed", "reason": "two processes differ"}
                    yield Outcome(case, **{"seconds": time.perf_counter() - began, **answer})


def _ask(process: TrackerProcess, case: Case, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What came of a case."""
    try:
        answer = process.ask(process.setup() | {"case": case.name, "settings": settings}, case.name)
    except ProcessEnded as end:
        return {"status": "failed", "reason": str(end), "traceback": process.printed()}
    if "problem" in answer:
        kind = UsageError if answer["usage"] else PluginError
        raise kind(answer["problem"], answer["hint"])
    return answer
