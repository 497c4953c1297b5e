"""The conformance suite in a process of the tracker's own, which may crash or hang.

Example:
    for outcome in check_apart(Plugins(), "flow", conformance_cases()):
        print(outcome.case, outcome.status, outcome.reason)
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

from vosbench.errors import PluginError, UsageError, VosbenchError
from vosbench.plugins import Plugins
from vosbench.processes import end_with_parent
from vosbench.running.executors.launch import how_it_ended
from vosbench.specs import TrackerSpec
from vosbench.testing.bench import NonConformance
from vosbench.testing.cases import Case, Size, conformance_cases
from vosbench.testing.conformance import Outcome, answers_digest, check_tracker
from vosbench.tracking.session import TrackerFailure


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
        PluginError: there is no such tracker, or it cannot be built.
        UsageError: it cannot be built with these options.
    """
    settings = {
        "options": dict(options or {}),
        "device": device,
        "seed": seed,
        "size": size,
        "untrained": untrained,
    }
    waiting = list(cases)
    digests: dict[str, str] = {}
    again: set[str] = set()
    while waiting:
        names = [case.name for case in waiting]
        with _process(plugins.files, plugins.disabled, tracker, names, settings) as (process, pipe):
            alive = True
            while waiting and alive:
                case, began = waiting.pop(0), time.perf_counter()
                try:
                    answer = json.loads(pipe.recv_bytes()) if pipe.poll(timeout) else None
                except EOFError:
                    process.join()
                    answer = {"reason": how_it_ended(process.exitcode or 0)}
                answer = answer or {"reason": f"no answer within {timeout:g} s (--timeout)"}
                if "problem" in answer:
                    kind = UsageError if answer["usage"] else PluginError
                    raise kind(answer["problem"], answer["hint"])
                alive = "status" in answer
                if digest := answer.pop("digest", ""):
                    first = digests.setdefault(case.name, digest)
                    if case.name not in again:
                        again.add(case.name)
                        waiting.insert(0, case)
                        alive = False  # the other process is a fresh one
                        continue
                    if first != digest:
                        answer |= {"status": "failed", "reason": "two processes differ"}
                lost = {"status": "failed", "seconds": time.perf_counter() - began}
                yield Outcome(case, **(lost | answer))


@contextlib.contextmanager
def _process(*arguments: Any) -> Iterator[tuple[multiprocessing.process.BaseProcess, Connection]]:
    """A process that serves, and where its answers arrive; both are gone afterwards."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_serve, args=(theirs, *arguments))
    with mock.patch.dict(os.environ):
        os.environ.setdefault("PYTHONHASHSEED", "0")  # as runs have it
        process.start()
    theirs.close()  # so that its end is seen here
    try:
        with ours:
            yield process, ours
    finally:
        process.kill()
        process.join()


def _serve(
    pipe: Connection,
    plugin_files: Sequence[Path],
    disabled: Sequence[str],
    tracker: str,
    names: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Body of the process. Answers are JSON, so that nothing of the tracker's is unpickled."""
    end_with_parent()
    os.dup2(2, 1)  # what trackers print must not garble the command's own output
    faulthandler.enable()
    cases = {case.name: case for case in conformance_cases()}
    try:
        spec = Plugins(plugin_files, disabled, trackers_only=True).tracker(tracker)
        for name in names:
            outcome = check_tracker(spec, cases[name], **settings)
            digest = ""
            if outcome.status == "skipped" and "processes" in cases[name].needs:
                outcome, digest = _digested(spec, cases[name], settings)
            _answer(
                pipe,
                status=outcome.status,
                reason=outcome.reason,
                traceback=outcome.traceback,
                seconds=outcome.seconds,
                digest=digest,
            )
    except VosbenchError as error:
        usage = isinstance(error, UsageError)
        _answer(pipe, problem=error.message, hint=error.hint, usage=usage)


def _digested(spec: TrackerSpec, case: Case, settings: Mapping[str, Any]) -> tuple[Outcome, str]:
    """What this process answers, as a digest."""
    if not spec.capabilities.deterministic_on(settings["device"]):
        return Outcome(case, "skipped", "it declares not to be deterministic"), ""
    began = time.perf_counter()
    bench = {name: value for name, value in settings.items() if name != "untrained"}
    try:
        digest = answers_digest(spec, case, **bench)
    except (NonConformance, TrackerFailure) as error:
        reason = getattr(error, "message", str(error))
        return Outcome(case, "failed", reason, seconds=time.perf_counter() - began), ""
    return Outcome(case, "passed", seconds=time.perf_counter() - began), digest


def _answer(pipe: Connection, **answer: str | float) -> None:
    pipe.send_bytes(json.dumps(answer).encode())
