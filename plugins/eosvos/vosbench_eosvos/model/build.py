"""From a configuration to a model, with weights from ImageNet, COCO, or none."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from vosbench.errors import UsageError
from vosbench_eosvos.model.config import ModelConfig
from vosbench_eosvos.model.mask_rcnn import MaskRCNN
from vosbench_learning.backbone import build_backbone
from vosbench_learning.convolution import replace_convolutions
from vosbench_learning.memory import keep_freed_memory


def build_model(
    config: ModelConfig, *, weights: str | Path | None = None, seed: int = 0
) -> MaskRCNN:
    """A `MaskRCNN` in eval mode and channels-last memory format.

    From here on the process keeps freed memory (`keep_freed_memory`): steps and frames allocate the
    same tensors again and again.

    Args:
        config: see `ModelConfig`.
        weights: None leaves everything random (the shipped weights are loaded over it);
            "imagenet" fills the backbone; "coco" fills an r50 from torchvision's Mask R-CNN
            (downloaded by torchvision), a path does so from a local copy of that file.
        seed: of the random initialisation; torch's global generator is left as it was.

    Raises:
        UsageError: the weights do not fit the configuration.
    """
    keep_freed_memory()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = build_backbone(config.backbone, config.norm, pretrained=weights == "imagenet")
        model = MaskRCNN(config, backbone)
    replace_convolutions(model)
    if weights is not None and weights != "imagenet":
        load_coco(model, weights)
    return model.eval().to(memory_format=torch.channels_last)


@torch.no_grad()
def load_coco(model: MaskRCNN, weights: str | Path) -> None:
    """Fill an r50 from torchvision's `maskrcnn_resnet50_fpn` weights, every tensor accounted for.

    The 91-class predictors become class-agnostic: background stays, the object takes the mean
    over COCO's classes, unless the configuration leaves them random. Group norms take over the
    batch norms' scale and shift; the running statistics are dropped.

    Raises:
        UsageError: tensors are missing, left over or of another shape.
    """
    if weights == "coco":
        from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

        source = dict(MaskRCNN_ResNet50_FPN_Weights.DEFAULT.get_state_dict(progress=True))
    else:
        source = torch.load(weights, map_location="cpu", weights_only=True)
    filled = _from_torchvision(source, keep_statistics=model.config.norm == "frozen_batch")
    if model.config.coco_predictors == "random":
        own = model.state_dict()
        filled |= {n: t for n, t in own.items() if n.startswith(_PREDICTORS)}
    try:
        model.load_state_dict(filled, strict=True)
    except RuntimeError as error:
        raise UsageError(
            f"COCO weights {weights} do not fit: {error}",
            "They need backbone=resnet50, fpn_channels=256, box_features=1024, mask_convs=4, "
            "mask_channels=256 and head_norm=False.",
        ) from None


#: The layers whose outputs are COCO's classes.
_PREDICTORS = ("box_score.", "box_delta.", "mask_head.10.")

_STATISTICS = (".running_mean", ".running_var", ".num_batches_tracked")


def _from_torchvision(source: dict[str, Tensor], *, keep_statistics: bool) -> dict[str, Tensor]:
    filled: dict[str, Tensor] = {}
    for key, value in source.items():
        if key.endswith(".num_batches_tracked"):
            continue
        if key.endswith(_STATISTICS) and not keep_statistics:
            continue
        if key.startswith("backbone.body."):
            name = key.removeprefix("backbone.body.")
            stem = {"conv1": "0.0", "bn1": "0.1"}
            head, _, rest = name.partition(".")
            stage = stem.get(head) or head.removeprefix("layer")
            filled[f"backbone.stages.{stage}.{rest}"] = value
        elif key.startswith("backbone.fpn."):
            filled[key.removeprefix("backbone.")] = value
        elif key.startswith("rpn."):
            filled[key] = value
        elif key.startswith("roi_heads.box_head."):
            filled[key.removeprefix("roi_heads.")] = value
        else:
            filled.update(_class_agnostic(key, value))
    return filled


def _class_agnostic(key: str, value: Tensor) -> dict[str, Tensor]:
    """A tensor of the 91-class predictors or of the mask head, under our name."""
    parts = key.removeprefix("roi_heads.").split(".")
    kind = parts[-1]
    if parts[:2] == ["box_predictor", "cls_score"]:
        return {f"box_score.{kind}": torch.stack([value[0], value[1:].mean(0)])}
    if parts[:2] == ["box_predictor", "bbox_pred"]:
        return {f"box_delta.{kind}": value.view(-1, 4, *value.shape[1:])[1:].mean(0)}
    if parts[0] == "mask_head":  # four convolutions, each followed by a ReLU
        index = int(parts[1]) if parts[1].isdigit() else int(parts[1].removeprefix("mask_fcn")) - 1
        return {f"mask_head.{2 * index}.{kind}": value}
    if parts[:2] == ["mask_predictor", "conv5_mask"]:
        return {f"mask_head.8.{kind}": value}
    if parts[:2] == ["mask_predictor", "mask_fcn_logits"]:
        return {f"mask_head.10.{kind}": value[1:].mean(0, keepdim=True)}
    raise UsageError(f"tensor {key!r} has no place in the model")
