"""Mask R-CNN for one-shot fine-tuning. Start with `build_model(get_config("lite"))`."""

from vosbench_eosvos.model.build import build_model
from vosbench_eosvos.model.config import (
    CONFIGS,
    PAPER_LOSSES,
    ModelConfig,
    changed,
    get_config,
)
from vosbench_eosvos.model.mask_rcnn import (
    Detections,
    MaskRCNN,
    Rank,
    grow_boxes,
    jitter_boxes,
    learnable_parameters,
)

__all__ = [
    "CONFIGS",
    "PAPER_LOSSES",
    "Detections",
    "MaskRCNN",
    "ModelConfig",
    "Rank",
    "build_model",
    "changed",
    "get_config",
    "grow_boxes",
    "jitter_boxes",
    "learnable_parameters",
]
