"""Weights of STM on disk: our safetensors files, and the file that its authors offer."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from pathlib import Path

import torch
from torch import Tensor

from vosbench.errors import UsageError
from vosbench_baselines.stm.network import CONFIGS, StmConfig, StmNet
from vosbench_learning.stored import load_network, save_network

_FORMAT = "vosbench-stm-1"
WAY_OUT = (
    "Train them with `vosbench baselines stm-train`, or convert STM_weights.pth, which the authors "
    "offer, with `vosbench baselines import-stm`."
)

#: Module of ours -> module in the authors' file (repository seoungwugoh/STM).
_MODULES = {
    "query": "KV_Q_r4",
    "memory": "KV_M_r4",
    "decoder.project": "Decoder.convFM",
    "decoder.block": "Decoder.ResMM",
    "decoder.refine8.project": "Decoder.RF3.convFS",
    "decoder.refine8.skip": "Decoder.RF3.ResFS",
    "decoder.refine8.merge": "Decoder.RF3.ResMM",
    "decoder.refine4.project": "Decoder.RF2.convFS",
    "decoder.refine4.skip": "Decoder.RF2.ResFS",
    "decoder.refine4.merge": "Decoder.RF2.ResMM",
    "decoder.predict": "Decoder.pred2",
}
_ENCODERS = {"query_encoder": "Encoder_Q", "memory_encoder": "Encoder_M"}
#: What the authors' file holds and the network has no use for.
_LEFT_OVER = re.compile(r"Encoder_[QM]\.(mean|std)|.*\.num_batches_tracked")


def save_weights(net: StmNet, path: Path, provenance: dict[str, str]) -> None:
    """All tensors in half precision; `provenance` goes into the readable header."""
    save_network(net, path, _FORMAT, {"config": json.dumps(net.config.to_dict()), **provenance})


def load_weights(path: Path) -> StmNet:
    """The network with the weights that `save_weights` wrote, strictly loaded, in eval mode.

    Raises:
        UsageError: the file is none of ours, is broken or does not fit.
    """
    return load_network(
        path,
        _FORMAT,
        lambda header: StmNet(StmConfig(**json.loads(header["config"]))),
        what="weights of STM",
        way_out=WAY_OUT,
    )


def import_reference(path: Path) -> tuple[StmNet, str]:
    """The paper's network from the file `STM_weights.pth` of its authors, and the file's SHA-256.

    Nothing is unpickled but tensors, and every tensor must be accounted for.

    Raises:
        UsageError: the file is something else.
    """
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise UsageError(f"{path} cannot be read as the weights of STM: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise UsageError(f"{path} holds no table of tensors, as STM_weights.pth does")
    given = {str(name).removeprefix("module."): value for name, value in content.items()}
    net = StmNet(CONFIGS["r50"])
    state: dict[str, Tensor] = {}
    used: set[str] = set()
    for name, own in net.state_dict().items():
        names = _reference_names(name)
        missing = [n for n in names if n not in given]
        if missing:
            raise UsageError(f"{path}: there is no tensor {missing[0]}")
        value = torch.cat([given[n] for n in names], 1) if len(names) > 1 else given[names[0]]
        if value.shape != own.shape:
            raise UsageError(f"{path}: {names[0]} has shape {tuple(value.shape)}")
        state[name] = value
        used.update(names)
    rest = [name for name in given if name not in used and not _LEFT_OVER.fullmatch(name)]
    if rest:
        raise UsageError(f"{path}: nothing is known of the tensor {rest[0]}")
    net.load_state_dict(state, strict=True)
    return net.eval(), digest


def _reference_names(name: str) -> list[str]:
    """The tensors of the authors' file that make up a tensor of ours, joined along inputs."""
    module, _, rest = name.partition(".")
    if module in _ENCODERS:
        encoder = _ENCODERS[module]
        _, stage, inner = rest.split(".", 2)  # stages.<number>.<inner>
        if stage == "0":  # convolution, norm, ReLU, pooling
            layer, _, tensor = inner.partition(".")
            if layer == "1":
                return [f"{encoder}.bn1.{tensor}"]
            masks = ["conv1_m", "conv1_o"] if module == "memory_encoder" else []
            return [f"{encoder}.{conv}.{tensor}" for conv in ("conv1", *masks)]
        return [f"{encoder}.res{int(stage) + 1}.{inner}"]
    layer, _, tensor = name.rpartition(".")
    while layer not in _MODULES:
        layer, _, inner = layer.rpartition(".")
        tensor = f"{inner}.{tensor}"
    target = _MODULES[layer]
    if module in ("query", "memory"):
        tensor = tensor.replace("key.", "Key.").replace("value.", "Value.")
    return [f"{target}.{tensor}"]
