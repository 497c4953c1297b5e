"""The trackers that others are measured against.

This module is imported whenever vosbench starts: it declares and imports nothing heavy. Each
tracker lives in a module of its own, which is imported in the tracker's process only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vosbench import Capabilities, Option, TrackerSpec, hookimpl

if TYPE_CHECKING:
    import click

_CPU = Capabilities(devices=("cpu",))

_OSVOS_OPTIONS = (
    Option("weights", "osvos-lite", "the parent: shipped weights by name, or a safetensors file"),
    Option("iterations", 50, "fine-tuning steps on an object's first frame"),
    Option("rate", 1e-2, "learning rate of fine-tuning (SGD with momentum 0.9)"),
    Option("transforms", 8, "transformed copies of the first frame that steps cycle through"),
    Option("short_side", 480, "shrink larger frames to this short side; 0 keeps native size"),
    Option("bf16", True, "convolutions in bfloat16 where the processor has it"),
)

#: One entry a tracker; `vosbench trackers` shows them in this order.
TRACKERS = (
    TrackerSpec(
        name="copy-first",
        factory="vosbench_baselines.copy_first:CopyFirst",
        summary="Repeats the given masks in every frame: what a tracker must beat.",
        capabilities=_CPU,
    ),
    TrackerSpec(
        name="empty",
        factory="vosbench_baselines.empty:Empty",
        summary="Predicts nothing: a measure that it does well under rewards silence.",
        capabilities=Capabilities(devices=("cpu",), blind=True),
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
    TrackerSpec(
        name="matching",
        factory="vosbench_baselines.matching:Matching",
        summary="Carries labels to the nearest neighbours in ImageNet features; untrained.",
        options=(
            Option("layer", "4", "stages of the backbone that give the features, e.g. 4 or 4+5"),
            Option("frames", 5, "last frames that are references, besides the given ones"),
            Option("radius", 12, "of the neighbourhood, in cells of 8 pixels"),
            Option("top_k", 5, "nearest neighbours that vote"),
            Option("temperature", 0.1, "of the softmax over their similarities"),
        ),
    ),
    *(
        TrackerSpec(
            name=f"osvos-{steps}",
            factory="vosbench_baselines.osvos.tracker:OsvosTracker",
            summary=f"OSVOS: a foreground network, fine-tuned for {steps} steps.",
            options=_OSVOS_OPTIONS,
            capabilities=Capabilities(needs_grad=True, snapshots=("iterations",)),
            settings={"iterations": steps},
        )
        for steps in (10, 50, 100)
    ),
    TrackerSpec(
        name="onavos-50",
        factory="vosbench_baselines.onavos:OnavosTracker",
        summary="OnAVOS: osvos-50 that keeps learning from what it is sure of.",
        options=(
            *_OSVOS_OPTIONS,
            Option("online_every", 5, "frames between two adaptations"),
            Option("online_iterations", 10, "steps of an adaptation"),
            Option("online_rate", 1e-2, "learning rate of an adaptation"),
            Option("positive", 0.97, "probability above which a pixel is taken for the object"),
            Option("negative", 220.0, "pixels from the last mask beyond which it is background"),
        ),
        capabilities=Capabilities(needs_grad=True),
        settings={"iterations": 50},
    ),
    TrackerSpec(
        name="stm",
        factory="vosbench_baselines.stm.tracker:StmTracker",
        summary="STM: reads masks from a memory of past frames; nothing is fine-tuned.",
        options=(
            Option(
                "weights", "", "a safetensors file of `vosbench baselines stm-train|import-stm`"
            ),
            Option("memory_every", 5, "frames between two that stay remembered"),
            Option("memory_frames", 20, "frames remembered at most; the oldest go"),
            Option("short_side", 480, "shrink larger frames to this short side; 0: native size"),
            Option("bf16", True, "convolutions in bfloat16 where the processor has it"),
        ),
    ),
)


@hookimpl
def vosbench_register_commands(cli: click.Group) -> None:
    """Add `vosbench baselines`."""
    from vosbench_baselines.cli import baselines

    cli.add_command(baselines)


@hookimpl
def vosbench_register_trackers(register: Callable[[TrackerSpec], None]) -> None:
    """Register every tracker of `TRACKERS`."""
    for spec in TRACKERS:
        register(spec)
