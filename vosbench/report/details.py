"""How each run was made, as pairs of text: options, seed, hardware, time, versions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vosbench.analysis.compare import FPS
from vosbench.analysis.scored import ScoredRun
from vosbench.store import Timing

#: Name and value; the value is text from anywhere.
Fact = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """One run's facts.

    Attributes:
        name: of the run.
        groups: heading -> facts.
        problems: sequences that failed, and warnings of the evaluation.
    """

    name: str
    groups: dict[str, list[Fact]]
    problems: list[str]


def details(scored: ScoredRun) -> Details:
    """What is known of a run; groups without facts are left out."""
    run, record = scored.run, scored.run.record
    timing = run.timing()
    hardware = record.hardware
    machine: list[Fact] = [
        (name, str(hardware[name]))
        for name in ("cpu", "cores", "threads", "accelerator", "system")
        if hardware.get(name)
    ]
    if hardware.get("memory_bytes"):
        machine.append(("memory", _bytes(int(hardware["memory_bytes"]))))
    machine += [("device", record.device), ("workers at once", str(record.jobs))]
    shared = "shared with other work: speed is not ranked" if record.shared_machine else "alone"
    machine.append(("machine", "" if record.imported else shared))
    run_facts: list[Fact] = [
        ("tracker", record.tracker),
        ("plugin", record.plugin),
        ("seed", str(record.seed)),
        ("protocol", scored.summary.protocol if scored.summary else record.protocol),
        ("status", record.status),
        ("sequences", f"{len(run.done())} of {len(record.sequences)} done"),
        ("adapted", record.wrapped),
        ("imported from", record.imported),
        ("started", record.started),
        ("finished", record.finished),
        ("data", record.fingerprint[:12]),
        ("plugin's code", record.code[:12]),
        ("vosbench's commit", record.commit),
    ]
    groups = {
        "Run": [fact for fact in run_facts if fact[1]],
        "Options": [
            (key, f"{value} (changed)" if key in record.changed else str(value))
            for key, value in sorted(record.options.items())
        ],
        "Time": _time(timing, record.derived_timing) if timing else [],
        "Machine": [fact for fact in machine if fact[1]],
        "Versions": sorted((record.packages | record.versions).items()),
        "Files (SHA-256)": [(name, digest[:16]) for name, digest in sorted(record.files.items())],
    }
    failed = [f"{s}: {r.error}" for s, r in run.sequences().items() if r.status != "done"]
    warnings = list(scored.evaluation.warnings) if scored.evaluation else []
    return Details(
        name=scored.name,
        groups={heading: facts for heading, facts in groups.items() if facts},
        problems=failed + warnings,
    )


def _time(timing: Timing, derived: bool) -> list[Fact]:
    facts = [
        ("initialisation, median", _seconds(timing.init_seconds)),
        ("frame, median", _seconds(timing.frame_median)),
        ("frame, 95th percentile", _seconds(timing.frame_p95)),
        ("update, median", _seconds(timing.update_seconds) if timing.update_seconds else ""),
        ("frames per second, all included", FPS.text(timing.fps)),
        ("object-frames per second", FPS.text(timing.object_fps)),
        ("peak memory", _bytes(timing.peak_memory_bytes)),
        ("peak memory of the accelerator", _bytes(timing.peak_device_memory_bytes)),
        ("origin", "one run gave several answers, its time was shared out" if derived else ""),
    ]
    return [fact for fact in facts if fact[1]]


def _seconds(seconds: float) -> str:
    """Three digits, in milliseconds below a second; never with an exponent."""
    value, unit = (seconds, "s") if seconds >= 1 else (1000 * seconds, "ms")
    if not value:
        return f"0 {unit}"
    decimals = max(0, 2 - math.floor(math.log10(value)))
    return f"{value:.{decimals}f} {unit}"


def _bytes(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count else ""
