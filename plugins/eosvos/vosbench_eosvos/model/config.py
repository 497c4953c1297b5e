"""What a model is made of, as one dataclass: named configurations, any field replaceable."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from vosbench.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """A class-agnostic Mask R-CNN.

    Attributes:
        name: "lite", "r50" or "paper", the configuration this one was derived from.
        backbone: "efficientnet_lite0", any torchvision classifier with a residual layout
            ("resnet50", ...), or "timm/<name>" for any timm model with `features_only`.
        norm: "group" replaces every batch norm by GroupNorm(32), which takes over its scale and
            shift (NeurIPS 2020, sec. 3.2); "frozen_batch" keeps the original statistics, fixed.
        frozen_stages: leading backbone stages that never learn; the backward pass stops above
            them and their output can be cached (`MaskRCNN.forward(..., stop=)`).
        frozen_depthwise: depthwise filters never learn (their biases do): on a CPU the gradient
            of a 5x5 depthwise filter costs ten times the convolution, two thirds of a backward
            pass of the light backbone.
        fpn_channels: channels of every pyramid level.
        head_norm: GroupNorm in the pyramid and the mask head (heads trained from scratch).
        rpn_levels: pyramid levels (2 is stride 4, 6 is stride 64) that propose boxes.
        anchor_sizes: anchor sides in pixels, one tuple for each of `rpn_levels`.
        box_window, box_features: side of the box head's RoI, width of its two layers.
        mask_window: side of the mask head's RoI; masks come out at twice that (40 -> 80).
        mask_convs, mask_channels: 3x3 convolutions of the mask head and their width.
        mask_scale: box side in pixels from which the mask head reads stride 16, half of it stride
            8, and so on; 224 is torchvision's, a larger one keeps more detail.
        roi_sampling: bilinear samples a RoI bin and axis, for (box, mask).
        mask_loss: "lovasz" (binary Lovász hinge) or "cross_entropy".
        soft_targets: masks that the loss compares with keep the values that RoIAlign gives them at
            the outline; else they are rounded.
        target_sampling: bilinear samples a cell and axis of these masks; 0 takes as many as the
            cell has pixels.
        rpn_beta, box_beta: error of a box's coordinate from which smooth L1 is linear, in the RPN
            and in the box head; 0 is plain L1.
        coco_predictors: where an r50 starts from COCO weights, the last layers of the heads take
            the "mean" over COCO's classes, or stay "random".
        rpn_samples: anchors sampled an image for the RPN loss.
        roi_samples, roi_positive: RoIs sampled an image for the box loss, share of positives.
        mask_rois: most positive RoIs an image that the mask loss looks at.
        jittered_boxes: randomly moved copies of each true box among the training proposals, so
            that the mask loss has several positives even where the RPN has found none.
        pre_nms, post_nms: RPN proposals kept per level and per image, for (training, inference).
        box_nms: IoU above which the lower-scored of two detections goes.
        min_score, max_detections: detections returned an image.
    """

    name: str = "lite"
    backbone: str = "efficientnet_lite0"
    norm: Literal["group", "frozen_batch"] = "frozen_batch"
    frozen_stages: int = 3
    frozen_depthwise: bool = True
    fpn_channels: int = 128
    head_norm: bool = True
    rpn_levels: tuple[int, ...] = (3, 4, 5, 6)
    anchor_sizes: tuple[tuple[int, ...], ...] = ((32, 56), (80, 112), (160, 224), (320, 448))
    box_window: int = 7
    box_features: int = 512
    mask_window: int = 40
    mask_convs: int = 3
    mask_channels: int = 96
    mask_scale: int = 500
    roi_sampling: tuple[int, int] = (2, 1)
    mask_loss: Literal["lovasz", "cross_entropy"] = "lovasz"
    soft_targets: bool = False
    target_sampling: int = 2
    rpn_beta: float = 1 / 9
    box_beta: float = 1 / 9
    coco_predictors: Literal["mean", "random"] = "mean"
    rpn_samples: int = 128
    roi_samples: int = 64
    roi_positive: float = 0.25
    mask_rois: int = 4
    jittered_boxes: int = 8
    pre_nms: tuple[int, int] = (300, 300)
    post_nms: tuple[int, int] = (200, 100)
    box_nms: float = 0.5
    min_score: float = 0.05
    max_detections: int = 10

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, for a JSON header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """The inverse of `to_dict`. Raises UsageError on fields that do not exist."""
        unknown = set(values) - set(cls.__dataclass_fields__)
        if unknown:
            raise UsageError(f"unknown model settings: {', '.join(sorted(unknown))}")
        fixed = {k: _to_tuple(v) for k, v in values.items()}
        return cls(**fixed)


def _to_tuple(value: Any) -> Any:
    return tuple(_to_tuple(v) for v in value) if isinstance(value, list | tuple) else value


_R50 = ModelConfig(
    name="r50",
    backbone="resnet50",
    norm="group",
    frozen_stages=0,
    frozen_depthwise=False,
    fpn_channels=256,
    head_norm=False,
    rpn_levels=(2, 3, 4, 5, 6),
    anchor_sizes=((32,), (64,), (128,), (256,), (512,)),
    box_features=1024,
    mask_convs=4,
    mask_channels=256,
    mask_window=28,
    mask_scale=224,
    roi_sampling=(2, 2),
    rpn_samples=256,
    roi_samples=128,
    mask_rois=32,
    jittered_boxes=0,
    pre_nms=(2000, 1000),
    post_nms=(1000, 500),
    max_detections=100,
)

#: Losses of the reference implementation (torchvision 0.4) and how many boxes they look at.
PAPER_LOSSES: dict[str, Any] = {
    "soft_targets": True,
    "target_sampling": 0,
    "rpn_beta": 0.0,
    "box_beta": 1.0,
    "rpn_samples": 256,
    "roi_samples": 512,
    "mask_rois": 512,
    "jittered_boxes": 0,
    "pre_nms": (2000, 1000),
    "post_nms": (2000, 1000),
}

#: `lite` runs at native 480p on two CPU cores; `r50` is the paper's network with fewer boxes a
#: step; `paper` is all of the paper's model, its losses and sampling included.
CONFIGS: dict[str, ModelConfig] = {
    "lite": ModelConfig(),
    "r50": _R50,
    "paper": replace(_R50, name="paper", coco_predictors="random", **PAPER_LOSSES),
}


def get_config(name: str, **changes: Any) -> ModelConfig:
    """The configuration `name` with some fields replaced.

    Raises:
        UsageError: no such configuration or field.
    """
    if name not in CONFIGS:
        raise UsageError(f"no model {name!r}", f"Models: {', '.join(CONFIGS)}.")
    return changed(CONFIGS[name], **changes)


def changed(config: ModelConfig, **changes: Any) -> ModelConfig:
    """`config` with some fields replaced. Raises UsageError if there is no such field."""
    unknown = set(changes) - set(ModelConfig.__dataclass_fields__)
    if unknown:
        raise UsageError(f"model {config.name!r} has no setting {', '.join(sorted(unknown))}")
    return replace(config, **changes)
