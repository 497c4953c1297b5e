"""The process that a tracker is examined in. Started by `vosbench.testing.apart`, which see.

Needs the standard library, numpy and pluggy only, like `vosbench.running.executors.worker`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vosbench.errors import UsageError, VosbenchError
from vosbench.plugins import Plugins
from vosbench.processes import adopt_and_follow
from vosbench.running.executors.protocol import ConnectionLost
from vosbench.running.executors.worker import end_group, take_over_pipes
from vosbench.specs import TrackerSpec
from vosbench.testing.bench import NonConformance
from vosbench.testing.cases import Case, conformance_cases
from vosbench.testing.conformance import Outcome, answers_digest, check_tracker
from vosbench.tracking.session import TrackerFailure


def main() -> None:
    """Answer one case after the other, until the process that asks is gone."""
    channel = take_over_pipes()
    adopt_and_follow()
    cases = {case.name: case for case in conformance_cases()}
    try:
        message = channel.receive()[0]
        files = [Path(path) for path in message["plugin_files"]]
        plugins = Plugins(files, message["disabled"], trackers_only=True)
        while True:
            channel.send(_examine(plugins, cases[message["case"]], message))
            message = channel.receive()[0]
    except ConnectionLost:
        end_group()


def _examine(plugins: Plugins, case: Case, message: Mapping[str, Any]) -> dict[str, Any]:
    settings = {**message["settings"], "size": tuple(message["settings"]["size"])}
    try:
        spec, digest = plugins.tracker(message["tracker"]), ""
        outcome = check_tracker(spec, case, **settings)
        if outcome.status == "skipped" and "processes" in case.needs:
            outcome, digest = _digested(spec, case, settings)
    except VosbenchError as error:
        usage = isinstance(error, UsageError)
        return {"problem": error.message, "hint": error.hint, "usage": usage}
    return {
        "status": outcome.status,
        "reason": outcome.reason,
        "traceback": outcome.traceback,
        "seconds": outcome.seconds,
        "digest": digest,
    }


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
