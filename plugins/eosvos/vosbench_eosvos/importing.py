"""The authors' released weights, read into our format: every tensor accounted for, nothing run.

The reference implementation (github.com/dvl-tum/e-osvos) stores a meta-optimiser's state dict:
for every parameter of its Mask R-CNN, in the model's order, learning rates `log_init_lr_<name>`
(plain, not logarithms) and then initial values `model_init_<name>`, dots written as dashes.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vosbench.errors import UsageError
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import build_model, get_config

#: Beginnings of names: ours, theirs. What follows is the same.
PREFIXES = (
    ("backbone.stages.0.0.", "backbone.body.conv1."),
    ("backbone.stages.0.1.", "backbone.body.bn1."),
    *((f"backbone.stages.{k}.", f"backbone.body.layer{k}.") for k in (1, 2, 3, 4)),
    *(
        (f"fpn.{blocks}.{i}.0.", f"backbone.fpn.{blocks}.{i}.")
        for blocks in ("inner_blocks", "layer_blocks")
        for i in range(4)
    ),
    ("rpn.head.conv.0.0.", "rpn.head.conv."),
    ("rpn.head.", "rpn.head."),
    ("box_head.", "roi_heads.box_head."),
    ("box_score.", "roi_heads.box_predictor.cls_score."),
    ("box_delta.", "roi_heads.box_predictor.bbox_pred."),
    *((f"mask_head.{2 * i}.", f"roi_heads.mask_head.mask_fcn{i + 1}.") for i in range(4)),
    ("mask_head.8.", "roi_heads.mask_predictor.conv5_mask."),
    ("mask_head.10.", "roi_heads.mask_predictor.mask_fcn_logits."),
)

#: Leading rows of theirs that belong to the background, which neither outputs nor gradients see.
BACKGROUND = {"box_delta.": 4, "mask_head.10.": 1}

_ENTRY, _RATE, _VALUE = "meta_optim_state_dict", "log_init_lr_", "model_init_"
_WAY_OUT = (
    "Expected one of the files *.model in the authors' e-osvos_models.zip, which "
    "github.com/dvl-tum/e-osvos links to."
)


def import_reference(path: Path) -> LearnedOptimiser:
    """theta0 and lambda of a checkpoint of the reference implementation.

    Raises:
        UsageError: the file cannot be read as tensors and numbers alone, or does not hold exactly
            the paper's model: names, shapes, finite values, learning rates >= 0.
    """
    content = _read(path)
    state = content.get(_ENTRY)
    if not isinstance(state, Mapping) or not all(isinstance(t, Tensor) for t in state.values()):
        raise UsageError(f"{path} holds no {_ENTRY}", _WAY_OUT)
    left = dict(state)
    config = get_config("paper")
    theta: dict[str, Tensor] = {}
    rates: dict[str, Tensor] = {}
    problems: list[str] = []
    with torch.device("meta"):  # names and shapes only
        model = build_model(config)
    for name, parameter in model.named_parameters():
        shape = (parameter.shape[0] + _background(name), *parameter.shape[1:])
        flat = (shape[0], *(1 for _ in shape[1:]))
        for prefix, wanted, found in ((_VALUE, shape, theta), (_RATE, flat, rates)):
            key = prefix + their_name(name).replace(".", "-")
            value = left.pop(key, None)
            if value is None:
                problems.append(f"no {key}")
            elif tuple(value.shape) != wanted:
                problems.append(f"{key} has shape {tuple(value.shape)}, not {wanted}")
            elif not value.is_floating_point() or not value.isfinite().all():
                problems.append(f"{key} holds values that are no finite numbers")
            elif prefix == _RATE and bool((value < 0).any()):
                problems.append(f"{key} holds learning rates below 0")
            else:
                found[name] = value[_background(name) :].float().contiguous()
    problems += [f"unknown tensor {key}" for key in left]
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise UsageError(
            f"{path} is not the paper's model: {'; '.join(problems[:3])}{more}", _WAY_OUT
        )
    provenance = {
        "training": "by the authors (github.com/dvl-tum/e-osvos), imported",
        "file": path.name,
        "sha256": _sha256(path),
        **{k: content[k] for k in ("meta_iter", "meta_epoch") if isinstance(content.get(k), int)},
    }
    flat_rates = {name: rate.flatten() for name, rate in rates.items()}
    return LearnedOptimiser(config, "neuron", theta, flat_rates, provenance, tuple(theta))


def their_name(ours: str) -> str:
    """The reference implementation's name of a parameter of ours."""
    for mine, theirs in PREFIXES:
        if ours.startswith(mine):
            return theirs + ours.removeprefix(mine)
    raise KeyError(ours)


def _background(name: str) -> int:
    return next((rows for prefix, rows in BACKGROUND.items() if name.startswith(prefix)), 0)


def _read(path: Path) -> Mapping[str, Any]:
    """What torch's restricted reader makes of the file: tensors and plain values, or an error."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            models = [name for name in archive.namelist() if name.endswith(".model")]
        if models:
            raise UsageError(
                f"{path} is an archive",
                f"Unpack it and import one of its files: {', '.join(models)}",
            )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).strip().split("\n")[-1]
        raise UsageError(
            f"{path} is no checkpoint, or holds more than tensors and is not opened: {reason}",
            _WAY_OUT,
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, IndexError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UsageError(f"cannot read {path}: {reason}", _WAY_OUT) from None
    if not isinstance(content, Mapping):
        raise UsageError(f"{path} holds no {_ENTRY}", _WAY_OUT)
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
