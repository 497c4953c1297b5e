"""Today's trackers by name, in code that other libraries keep.

This module is imported whenever vosbench starts: it declares and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable

from vosbench import Capabilities, Option, Origin, TrackerSpec, hookimpl

_WEIGHTS = Option("weights", "", "folder of config.json and model.safetensors, or: random")
_FILE = Option("weights", "", "the authors' checkpoint, or: random")
_SHORT_SIDE = Option("short_side", 480, "to which larger frames are shrunk, in pixels")
_APACHE = "Apache-2.0"
_TORCH = ("torch==2.14.1", "torchvision==0.29.1")

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
    *(
        TrackerSpec(
            name=name,
            factory="vosbench_zoo.deaot:DeAot",
            summary=f"DeAOT ({model}), by the package deaotpy.",
            options=(_FILE, _SHORT_SIDE, Option("model", model, "of the package, e.g. r50_deaotl")),
            origin=Origin(
                requirements=_TORCH,
                bare=("deaotpy==1.11.0",),  # it asks for a compiled sampler that DeAOT does not use
                weights="https://github.com/yoxu515/aot-benchmark/blob/main/MODEL_ZOO.md",
                licence="BSD-3-Clause",
                published=published,
            ),
        )
        for name, model, published in (
            ("deaot-t", "deaott", ""),
            ("deaot-s", "deaots", ""),
            ("deaot-b", "deaotb", ""),
            ("deaot-l", "deaotl", "DeAOT-L"),
            ("r50-deaot-l", "r50_deaotl", "R50-DeAOT-L"),
        )
    ),
    *(
        TrackerSpec(
            name=f"cutie-{size}",
            factory="vosbench_zoo.cutie:Cutie",
            summary=f"Cutie ({size}), by its repository.",
            options=(_FILE, _SHORT_SIDE, Option("size", size, "of the model", ("small", "base"))),
            origin=Origin(
                requirements=(*_TORCH, "hydra-core==1.3.2", "einops==0.8.1", "tqdm==4.67.1"),
                repositories=(
                    "https://github.com/hkchengrex/Cutie@6a45eceff8fb1f6e3d0241382c383e2d14da39df",
                ),
                weights="https://github.com/hkchengrex/Cutie/releases",
                licence="MIT",
                published=f"Cutie-{size}",
            ),
        )
        for size in ("small", "base")
    ),
    TrackerSpec(
        name="xmem",
        factory="vosbench_zoo.xmem:XMem",
        summary="XMem, by its repository.",
        options=(_FILE, _SHORT_SIDE),
        origin=Origin(
            requirements=_TORCH,
            repositories=(
                "https://github.com/hkchengrex/XMem@65abb7ded9879a11419434fbf3e50df4bc1abff4",
            ),
            weights="https://github.com/hkchengrex/XMem/releases",
            licence="MIT",
            published="XMem",
        ),
    ),
    TrackerSpec(
        name="sam2",
        factory="vosbench_zoo.sam2:Sam2",
        summary="SAM 2.1 by its authors' package, which sees the whole video from the start.",
        options=(
            _FILE,
            Option("size", "t", "tiny, small, base-plus or large", ("t", "s", "b+", "l")),
        ),
        capabilities=Capabilities(access="video"),
        origin=Origin(
            requirements=(*_TORCH, "hydra-core==1.3.2", "iopath==0.1.10", "tqdm==4.67.1", "pillow"),
            repositories=(
                "https://github.com/facebookresearch/sam2@2b90b9f5ceec907a1c18123530e92e794ad901a4",
            ),
            weights="https://github.com/facebookresearch/sam2#download-checkpoints",
            licence=_APACHE,
            published="SAM 2.1 tiny",
        ),
    ),
    *(
        TrackerSpec(
            name=kind.lower(),
            factory="vosbench_zoo.boxes:Boxes",
            summary=f"OpenCV's box tracker {kind}, GrabCut inside the box.",
            options=(
                Option("kind", kind, "of box tracker", ("CSRT", "KCF")),
                Option("rounds", 1, "of GrabCut"),
            ),
            capabilities=Capabilities(multi_object=False, late_objects=False, devices=("cpu",)),
            origin=Origin(requirements=("opencv-contrib-python-headless==5.0.0.93",)),
        )
        for kind in ("CSRT", "KCF")
    ),
    TrackerSpec(
        name="histogram",
        factory="vosbench_zoo.histogram:Histogram",
        summary="Colour histograms, looked up near the last mask: what needs no learning.",
        options=(Option("reach", 7, "pixels around the last mask that are looked at"),),
        capabilities=Capabilities(devices=("cpu",)),
    ),
)


@hookimpl
def vosbench_register_trackers(register: Callable[[TrackerSpec], None]) -> None:
    """Register every tracker of `TRACKERS`."""
    for spec in TRACKERS:
        register(spec)
