"""The trackers of this plugin, one line each: options, and which of them a variant fixes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from vosbench.errors import UsageError
from vosbench.specs import Capabilities, Option, OptionValue, TrackerSpec


def _option(default: OptionValue, help: str, choices: tuple[OptionValue, ...] = ()) -> Any:
    return field(default=default, metadata={"help": help, "choices": choices})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set with `-o name=value`; the fields are the options."""

    weights: str = _option("eosvos-lite", "shipped weights by name, or a safetensors file")
    iterations: int = _option(10, "fine-tuning steps on an object's first frame")
    learn_from: str = _option(
        "views",
        "what steps see of the first frame: the frame, the frame and a new view of the object in "
        "turn (of an object that is alone), or `batch` new transformed copies each",
        ("frame", "views", "copies"),
    )
    average: float = _option(
        0.4,
        "share of the steps, the last ones, whose parameters are averaged (of an object that is "
        "alone); 0: the last step's",
    )
    batch: int = _option(1, "images that a step learns from at once, of copies or online")
    online: bool = _option(False, "adapt online to the tracker's own predictions")
    online_every: int = _option(5, "frames between two online adaptations")
    online_iterations: int = _option(10, "steps of an online adaptation")
    online_frames: str = _option(
        "confident",
        "frames it learns from besides the first: the last two sure ones, the last four, the last "
        "one without its unsure pixels, or the third and fourth last",
        ("confident", "recent", "ignore", "lagged"),
    )
    box_propagation: bool = _option(True, "propose boxes around the object's last one")
    propagated_boxes: int = _option(32, "boxes that box propagation proposes")
    proposals: int = _option(100, "proposals of the region proposal network kept when tracking")
    proposals_alone: int = _option(
        0, "proposals kept where no boxes are propagated; 0: `proposals`"
    )
    min_score: float = _option(0.5, "detections below this score are no object")
    continuity: float = _option(
        0.5, "weight of the overlap with the last box in the choice of a detection; 0: score alone"
    )
    motion: bool = _option(True, "expect the object where optical flow carries its last mask")
    windows: bool = _option(
        True, "refuse boxes too large, too small or too far away for the last frames' boxes"
    )
    colours: bool = _option(True, "compare detections with the given object's colours")
    rivals: bool = _option(True, "let no two objects have one detection or one pixel")
    mask_window: int = _option(
        0, "side of the mask head's window, masks have twice that; 0: as the weights were trained"
    )
    mask_scale: int = _option(
        0, "box side from which masks are read at stride 16; 0: as the weights were trained"
    )
    mask_rois: int = _option(
        0, "boxes that the mask loss of a step looks at; 0: as the weights were trained"
    )
    sizes: bool = _option(True, "average the mask over three sizes of the detection's box")
    outline: str = _option(
        "outline-lite",
        "who draws the masks' outlines: a network (shipped weights by name, or a safetensors "
        "file) and the edges of the image, the `edges` alone, or the `mask` head alone",
    )
    short_side: int = _option(480, "shrink larger frames to this short side; 0 keeps native size")
    long_side: int = _option(0, "longest side of a frame, whatever `short_side` asks; 0: no limit")
    enlarge: bool = _option(True, "enlarge smaller frames to `short_side` too")
    crop: bool = _option(
        True,
        "look for an object around its expected box only, in the whole of every tenth frame and "
        "where it is not found for sure",
    )
    conventions: str = _option(
        "own",
        "losses, resizing, pasting, proposals and lost objects as in the reference implementation "
        "(paper), or own",
        ("own", "paper"),
    )
    bf16: bool = _option(True, "convolutions in bfloat16 where the processor has it")

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, int | float) and value < 0:
                raise UsageError(f"option {f.name}={value} is negative", f.metadata["help"])
        if self.average > 1:
            raise UsageError(f"option average={self.average} is no share", "It goes from 0 to 1.")

    @classmethod
    def options(cls) -> tuple[Option, ...]:
        """The fields as declared options."""
        return tuple(
            Option(f.name, f.default, f.metadata["help"], f.metadata["choices"])  # type: ignore[arg-type]
            for f in fields(cls)
        )

    @classmethod
    def from_options(cls, options: Mapping[str, OptionValue]) -> Settings:
        """From `ctx.options`."""
        names = {f.name for f in fields(cls)}
        return cls(**{k: v for k, v in options.items() if k in names})  # type: ignore[arg-type]


#: Values of `outline` that name no network.
WITHOUT_NETWORK = ("edges", "mask")

#: Without what the paper has not: detections are judged by score and last box alone.
ALONE: dict[str, OptionValue] = {
    "motion": False,
    "windows": False,
    "colours": False,
    "rivals": False,
    "crop": False,
}

#: The paper's method on one frame: no look at the last box, the mask as the network gives it.
PLAIN: dict[str, OptionValue] = {
    "learn_from": "frame",
    "average": 0.0,
    "box_propagation": False,
    "continuity": 0.0,
    **ALONE,
    "sizes": False,
    "outline": "mask",
}

#: The paper's model and method as the reference implementation has them.
PAPER: dict[str, OptionValue] = {
    "weights": "eosvos-paper",
    **ALONE,
    "conventions": "paper",
    "average": 0.0,
    "batch": 3,
    "online_frames": "lagged",
    "propagated_boxes": 500,
    "proposals": 500,
    "proposals_alone": 1000,
    "min_score": 0.5,
    "continuity": 0.0,
    "sizes": False,
    "outline": "mask",
    "short_side": 800,
    "long_side": 1333,
    "bf16": False,
}

#: What distinguishes each variant; the rest are the defaults of `Settings`.
VARIANTS: dict[str, tuple[str, dict[str, OptionValue]]] = {
    "eosvos-1": ("one step", {"iterations": 1}),
    "eosvos-10": ("10 steps", {"iterations": 10}),
    "eosvos-50": ("50 steps", {"iterations": 50}),
    "eosvos-100": ("100 steps", {"iterations": 100}),
    "eosvos-10-ona": ("10 steps, online adaptation", {"iterations": 10, "online": True}),
    "eosvos-50-ona": ("50 steps, online adaptation", {"iterations": 50, "online": True}),
    "eosvos-100-ona": ("100 steps, online adaptation", {"iterations": 100, "online": True}),
    # The rows of the paper's ablation: each adds one thing to the one before; their weights
    # had equal budgets.
    "eosvos-10-single-lr": (
        "ablation: one learned rate, frozen batch norm, cross-entropy",
        {"weights": "eosvos-lite-single-lr", **PLAIN},
    ),
    "eosvos-10-neuron-lr": (
        "ablation: the same with a rate per neuron",
        {"weights": "eosvos-lite-neuron-lr", **PLAIN},
    ),
    "eosvos-10-gn-lovasz": (
        "ablation: the same with Lovász loss (group norm in pyramid and heads only)",
        {"weights": "eosvos-lite-lovasz", **PLAIN},
    ),
    "eosvos-10-boxprop": (
        "ablation: the same, looking where the object was last",
        {**PLAIN, "weights": "eosvos-lite-lovasz", "box_propagation": True, "continuity": 0.5},
    ),
    # Few steps learn from the given frame as it is, many from three new copies each.
    **{
        f"eosvos-paper-{steps}{suffix}": (
            f"the paper's own model, {steps} steps{summary}",
            {
                **PAPER,
                "iterations": steps,
                "learn_from": "copies" if steps > 10 else "frame",
                "online": bool(suffix),
            },
        )
        for steps in (10, 50, 100)
        for suffix, summary in (("", ""), ("-ona", ", online adaptation"))
    },
}


#: The rows of the paper's ablation with 10 steps (NeurIPS 2020, table 1) and, between its last two,
#: what is not in the paper: tracker+option=value -> place in the paper's table.
ABLATION: dict[str, int | None] = {
    "handcrafted-10": 0,
    "eosvos-10-single-lr": 1,
    "eosvos-10-neuron-lr": 2,
    "eosvos-10-gn-lovasz": 3,
    "eosvos-10-boxprop": 4,
    # Longer meta-training, finer masks; like the rows above without the development split.
    "eosvos-10+weights=eosvos-lite-24+sizes=no+outline=mask": None,
    "eosvos-10+weights=eosvos-lite-24": None,
    "eosvos-10-ona+weights=eosvos-lite-24": 5,
}


#: Weights of each tracker of the ablation, as `vosbench eosvos ablate --weights` looks for them.
ABLATION_WEIGHTS: dict[str, str] = {
    "handcrafted-10": "parent",
    "eosvos-10-single-lr": "single-lr",
    "eosvos-10-neuron-lr": "neuron-lr",
    "eosvos-10-gn-lovasz": "lovasz",
    "eosvos-10-boxprop": "lovasz",
    "eosvos-10": "full",
    "eosvos-10-ona": "full",
}

#: CUDA adds gradients of embedding_bag and index in any order: masks differ in single pixels.
_CAPABILITIES = Capabilities(needs_grad=True, deterministic=("cpu",), snapshots=("iterations",))


def specs() -> Iterator[TrackerSpec]:
    """The variants of e-OSVOS."""
    for name, (summary, settings) in VARIANTS.items():
        yield TrackerSpec(
            name=name,
            factory="vosbench_eosvos.tracker:EosvosTracker",
            summary=f"e-OSVOS: {summary}",
            options=Settings.options(),
            capabilities=_CAPABILITIES,
            settings=settings,
        )


def handcrafted_specs() -> Iterator[TrackerSpec]:
    """The baseline without anything learned about learning, see `vosbench_eosvos.handcrafted`."""
    for steps in (10, 50, 100, 1000):
        yield TrackerSpec(
            name=f"handcrafted-{steps}",
            factory="vosbench_eosvos.handcrafted:HandcraftedTracker",
            summary=f"e-OSVOS's network, parent-trained, {steps} steps at one searched rate.",
            options=(
                *Settings.options(),
                Option("rate", 3e-3, "the learning rate of all parameters (plain SGD)"),
            ),
            capabilities=_CAPABILITIES,
            # As eosvos-10-single-lr: what differs is where weights and rate come from.
            settings={**PLAIN, "weights": "parent-lite", "iterations": steps},
        )
