"""Today's trackers by name, in code that other libraries keep.

This module is imported whenever vosbench starts: it declares and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable

from vosbench import Option, Origin, TrackerSpec, hookimpl

_WEIGHTS = Option("weights", "", "folder of config.json and model.safetensors, or: random")
_APACHE = "Apache-2.0"

#: Sizes of SAM 2.1 as users type them, with their names in tables of published numbers; the same
#: words name the repositories of their weights.
SAM2_SIZES = {"tiny": "tiny", "small": "small", "base-plus": "base+", "large": "large"}

#: One entry a tracker; `vosbench trackers` shows them in this order.
TRACKERS = (
    *(
        TrackerSpec(
            name=f"sam2.1-hiera-{size}",
            factory="vosbench_zoo.sam:Sam2",
            summary=f"SAM 2.1 ({size}), prompted with masks, frame by frame (vosbench[zoo]).",
            options=(
                _WEIGHTS,
                Option("size", size, "size of model that the weights must be of", (*SAM2_SIZES,)),
            ),
            origin=Origin(
                weights=f"https://huggingface.co/facebook/sam2.1-hiera-{size}",
                licence=_APACHE,
                published=f"SAM 2.1 {published}",
            ),
        )
        for size, published in SAM2_SIZES.items()
    ),
    TrackerSpec(
        name="edgetam",
        factory="vosbench_zoo.sam:EdgeTam",
        summary="EdgeTAM, prompted with masks, frame by frame (vosbench[zoo]).",
        options=(_WEIGHTS,),
        origin=Origin(
            weights="https://huggingface.co/yonigozlan/EdgeTAM-hf",
            licence=_APACHE,
            published="EdgeTAM",
        ),
    ),
    TrackerSpec(
        name="sam3",
        factory="vosbench_zoo.sam:Sam3",
        summary="The tracker of SAM 3, prompted with masks, frame by frame (vosbench[zoo]).",
        options=(_WEIGHTS,),
        origin=Origin(
            weights="https://huggingface.co/facebook/sam3",
            licence="SAM License",
            published="SAM 3",
        ),
    ),
)


@hookimpl
def vosbench_register_trackers(register: Callable[[TrackerSpec], None]) -> None:
    """Register every tracker of `TRACKERS`."""
    for spec in TRACKERS:
        register(spec)
