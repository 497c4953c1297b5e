"""The conformance suite: what every tracker must do, whatever its quality.

Each case runs a tracker over small rendered sequences, through the session that real runs use.

Example, as a test of a plugin:

    import pytest
    from my_plugin import SPEC
    from vosbench.testing import check_tracker, conformance_cases

    @pytest.mark.parametrize("case", conformance_cases(), ids=str)
    def test_conformance(case):
        outcome = check_tracker(SPEC, case)
        assert outcome.ok, outcome.reason
"""

from __future__ import annotations

import hashlib
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from vosbench.backports import dataclass
from vosbench.specs import TrackerSpec
from vosbench.testing.bench import Bench, NonConformance
from vosbench.testing.cases import Case, Size
from vosbench.tracking.session import TrackerFailure


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one case.

    Attributes:
        case: which.
        status: "passed", "failed" or "skipped" (it declares to lack what the case needs).
        reason: why it failed or was skipped.
        traceback: the tracker's own, if it raised.
        seconds: what it took.
    """

    case: Case
    status: Literal["passed", "failed", "skipped"]
    reason: str = ""
    traceback: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.status != "failed"


def check_tracker(
    spec: TrackerSpec,
    case: Case,
    *,
    options: Mapping[str, str] | None = None,
    device: str = "cpu",
    seed: int = 0,
    size: Size = (96, 128),
    untrained: bool = False,
) -> Outcome:
    """Run one case on one tracker.

    Args:
        spec: the tracker as it is registered.
        case: one of `conformance_cases()`.
        options: as given by `-o`, texts.
        device: torch device string.
        seed: of every run.
        size: (height, width) in pixels of most sequences; small ones are quick.
        untrained: its weights are random, so that nothing is asked of what it finds.

    Raises:
        UsageError: an option that the tracker does not take.
        PluginError: the tracker cannot be built.
    """
    if missing := _missing(spec, case, device, untrained=untrained):
        return Outcome(case, "skipped", missing)
    started = time.perf_counter()
    status: Literal["passed", "failed"] = "failed"
    reason = trace = ""
    with tempfile.TemporaryDirectory(prefix="vosbench-conformance-") as folder:
        bench = Bench(spec, Path(folder), options=options or {}, device=device, seed=seed)
        try:
            case.check(bench, case.sequences(size))
            status = "passed"
        except NonConformance as error:
            reason = str(error)
        except TrackerFailure as error:
            reason = error.message
            trace = "".join(traceback.format_exception(error.__cause__ or error))
    return Outcome(case, status, reason, trace, time.perf_counter() - started)


def answers_digest(
    spec: TrackerSpec, case: Case, *, options: Mapping[str, str], device: str, seed: int, size: Size
) -> str:
    """SHA-256 over all that a tracker answers on the sequences of a case, to be compared with that
    of another process. Raises what `Bench.run` raises."""
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory(prefix="vosbench-conformance-") as folder:
        bench = Bench(spec, Path(folder), options=options, device=device, seed=seed)
        for outputs in bench.run(*case.sequences(size)):
            for labels in outputs:
                digest.update(labels.tobytes())
    return digest.hexdigest()


def _missing(spec: TrackerSpec, case: Case, device: str, *, untrained: bool) -> str:
    if "processes" in case.needs:
        return "it takes two processes: `vosbench test-tracker` has them"
    if "sighted" in case.needs and (untrained or spec.capabilities.blind):
        return "its weights are random" if untrained else "it declares to be blind"
    if "deterministic" in case.needs and not spec.capabilities.deterministic_on(device):
        return f"it declares not to be deterministic on {device}"
    if "streaming" in case.needs and spec.capabilities.access == "video":
        return "it declares to see the whole video from the start"
    return ""
