"""Today's trackers by name, in code that other libraries keep.

This module is imported whenever vosbench starts: it declares and imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable

from vosbench import Capabilities, Option, Origin, TrackerSpec, hookimpl

_WEIGHTS = Option("weights", "", "folder of config.json and model.safetensors, or: random")
_FILE = Option("weights", "", "the authors' checkpoint, or: random")
_SHRUNK = Option("short_side", 480, "to which larger frames are shrunk, in pixels")
_SHORT_SIDE = Option("short_side", 480, "to which all frames are brought, in pixels")
_APACHE = "Apache-2.0"
_TORCH = ("torch==2.14.1", "torchvision==0.29.1")

#: Sizes of SAM 2.1 as users type them; the same words name the repositories of their weights.
#: Their names in tables of published numbers, commits of the repositories, SHA-256 of the files.
SAM2_SIZES = {
    "tiny": (
        "tiny",
        "de431c4043854a71d8101e17995dfe596bf101a5",
        "48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
    ),
    "small": (
        "small",
        "ee5bba1d82bb8749febdf90f45e84b687142ba03",
        "0a4067b11ce1e23d5229203f11c718a823060d15a4b23fa2372a7d4b77cbbc60",
    ),
    "base-plus": (
        "base+",
        "b7320756a13354e7530a63935656d35b2f91a290",
        "2012733a0de5d03efd1bba550a2847c4551be9ef2e0d497c83074df66189f780",
    ),
    "large": (
        "large",
        "665f8e2ad61cf5f53d65644ff27c8ee525124610",
        "dc407dce21301fd94abb395c5099b4f2c455fdc8a8f261ac3d0ea6d4cd197230",
    ),
}
#: SHA-256 of the checkpoints that the package of SAM 2.1 reads.
_SAM2_CHECKPOINTS = {
    "sam2.1_hiera_tiny.pt": "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
    "sam2.1_hiera_small.pt": "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
    "sam2.1_hiera_base_plus.pt": "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
    "sam2.1_hiera_large.pt": "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
}

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
                revision=commit,
                digests={"model.safetensors": digest},
                licence=_APACHE,
                published=f"SAM 2.1 {published}",
            ),
        )
        for size, (published, commit, digest) in SAM2_SIZES.items()
    ),
    TrackerSpec(
        name="edgetam",
        factory="vosbench_zoo.sam:EdgeTam",
        summary="EdgeTAM, prompted with masks, frame by frame (vosbench[zoo]).",
        options=(_WEIGHTS,),
        origin=Origin(
            weights="https://huggingface.co/yonigozlan/EdgeTAM-hf",
            revision="c266ce53b3fc00f0f495b583f6a116c4e57f53bb",
            digests={
                "model.safetensors": (
                    "8858f8e4757b0b96dab8763f296ecffd845efbbbf698f64163cfa20a63d5fff4"
                )
            },
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
            revision="3c879f39826c281e95690f02c7821c4de09afae7",
            digests={
                "model.safetensors": (
                    "6d06f0a5f84e435071fe6603e61d0b4cc7b40e0d39d487cfd4d67d8cc11cc14a"
                )
            },
            licence="SAM License",
            published="SAM 3",
        ),
    ),
    *(
        TrackerSpec(
            name=name,
            factory="vosbench_zoo.deaot:DeAot",
            summary=f"DeAOT ({model}), by the package deaotpy.",
            options=(_FILE, _SHRUNK, Option("model", model, "of the package, e.g. r50_deaotl")),
            origin=Origin(
                requirements=_TORCH,
                bare=("deaotpy==1.11.0",),  # it asks for a compiled sampler that DeAOT does not use
                weights="https://github.com/yoxu515/aot-benchmark/blob/main/MODEL_ZOO.md",
                digests={
                    "R50_DeAOTL_PRE_YTB_DAV.pth": (
                        "7e8a8d83310739bac02817f6bf48b6bbe2bbd7d5325722f1084088eb3aee1e06"
                    )
                },
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
            summary=f"Cutie ({size}), by the package rf-cutie.",
            options=(_FILE, _SHORT_SIDE, Option("size", size, "of the model", ("small", "base"))),
            origin=Origin(
                requirements=(*_TORCH, "rf-cutie==1.0.1", "hydra-core==1.3.2"),
                weights="https://github.com/hkchengrex/Cutie/releases",
                digests={
                    "cutie-base-mega.pth": (
                        "9c05402ee36d3a356fb72715d263ba7e1ea06ad3bada48c1306491792da43023"
                    )
                },
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
            requirements=(*_TORCH, "rf-sam-2==1.0.3"),
            weights="https://github.com/facebookresearch/sam2#download-checkpoints",
            digests=_SAM2_CHECKPOINTS,
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
