"""Today's trackers by name, in code that other libraries keep.

This module is imported whenever vosbench starts: it declares and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable

from vosbench import Option, TrackerSpec, hookimpl

#: Sizes of SAM 2.1 as users type them; the same words name the repositories of their weights.
SAM2_SIZES = ("tiny", "small", "base-plus", "large")

#: One entry a tracker; `vosbench trackers` shows them in this order.
TRACKERS = tuple(
    TrackerSpec(
        name=f"sam2.1-hiera-{size}",
        factory="vosbench_zoo.sam2:Sam2",
        summary=f"SAM 2.1 ({size}), prompted with masks, frame by frame (vosbench[zoo]).",
        options=(
            Option("weights", "", "folder of config.json and model.safetensors, or: random"),
            Option("size", size, "size of model that the weights must be of", SAM2_SIZES),
        ),
    )
    for size in SAM2_SIZES
)


@hookimpl
def vosbench_register_trackers(register: Callable[[TrackerSpec], None]) -> None:
    """Register every tracker of `TRACKERS`."""
    for spec in TRACKERS:
        register(spec)
