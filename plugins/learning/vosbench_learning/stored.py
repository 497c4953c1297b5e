"""Networks on disk: safetensors files in half precision whose header says what they hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from vosbench.durable import whole_file
from vosbench.errors import UsageError

Net = TypeVar("Net", bound=nn.Module)


def save_network(net: nn.Module, path: Path, form: str, facts: Mapping[str, str]) -> None:
    """All tensors in half precision; `form` and `facts` go into the readable header.

    Args:
        form: name of the file's format, which `load_network` asks for.
    """
    state = {k: v.detach().half().contiguous() for k, v in net.state_dict().items()}
    with whole_file(path) as part:
        save_file(state, part, {"format": form, **facts})


def load_network(
    path: Path, form: str, build: Callable[[Mapping[str, str]], Net], *, what: str, way_out: str
) -> Net:
    """The network with the weights that `save_network` wrote, strictly loaded, in eval mode.

    Args:
        build: the network without weights, from the file's header.
        what: the file ought to hold. way_out: where such files come from; both for the message.

    Raises:
        UsageError: the file is of another format, is broken or does not fit.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != form:
                raise UsageError(f"{path} holds no {what}", way_out)
            net = build(header)
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        net.load_state_dict(state, strict=True)
    except (SafetensorError, RuntimeError, OSError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"cannot load {path}: {error}") from None
    return net.eval().to(memory_format=torch.channels_last)
