"""The trackers that others are measured against.

This module is imported whenever vosbench starts: it declares and imports nothing heavy. Each
tracker lives in a module of its own, which is imported in the tracker's process only.
"""

from __future__ import annotations

from collections.abc import Callable

from vosbench import Capabilities, Option, TrackerSpec, hookimpl

_CPU = Capabilities(devices=("cpu",))

#: One entry a tracker; `vosbench trackers` shows them in this order.
TRACKERS = (
    TrackerSpec(
        name="copy-first",
        factory="vosbench_baselines.copy_first:CopyFirst",
        summary="Repeats the given masks in every frame: what a tracker must beat.",
        capabilities=_CPU,
    ),
    TrackerSpec(
        name="flow",
        factory="vosbench_baselines.flow:Flow",
        summary="Carries the masks from frame to frame by dense optical flow (OpenCV DIS).",
        options=(
            Option("preset", "medium", "care taken over flow", ("ultrafast", "fast", "medium")),
        ),
        capabilities=_CPU,
    ),
    TrackerSpec(
        name="oracle-box",
        factory="vosbench_baselines.oracle:OracleBox",
        summary="UPPER BOUND that reads the annotations: each object's true box, filled.",
        options=(
            Option("annotations", "", "folder of the annotations, <sequence>/<frame>.png"),
            Option("fill", "box", "what the true box is filled with", ("box", "first-mask")),
        ),
        capabilities=_CPU,
    ),
)


@hookimpl
def vosbench_register_trackers(register: Callable[[TrackerSpec], None]) -> None:
    """Register every tracker of `TRACKERS`."""
    for spec in TRACKERS:
        register(spec)
