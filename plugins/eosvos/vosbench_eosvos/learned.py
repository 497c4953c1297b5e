"""The learned optimisation g = {theta0, lambda} of e-OSVOS (NeurIPS 2020, sec. 3.1).

theta0 is where fine-tuning starts, lambda holds the learning rates of its plain SGD steps

    theta_{t+1} = theta_t - lambda * grad L(theta_t)

one for the whole model ("global"), one a neuron ("neuron": an output channel's filter, or one
entry of a bias or norm; the paper's) or one a parameter ("parameter": MVOS). Everything is an
explicit dict from parameter name to tensor; nothing is patched.

    learned = LearnedOptimiser.load(path)
    model = learned.build_model()
    params = learned.initial_parameters()
    for _ in range(10):
        losses = functional_call(model, params, (images, targets))
        grads = torch.autograd.grad(sum(losses.values()), list(params.values()))
        params = learned.step(params, dict(zip(params, grads)))
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vosbench.durable import whole_file
from vosbench.errors import UsageError
from vosbench_eosvos.model import MaskRCNN, ModelConfig, build_model

Level = Literal["global", "neuron", "parameter"]
_GLOBAL = "*"
_FORMAT = "vosbench-eosvos-1"


@dataclass
class LearnedOptimiser:
    """theta0 and lambda with all that is needed to use them.

    Attributes:
        config: the model they belong to.
        level: what one learning rate governs.
        state: the model's whole state dict at theta0, frozen tensors included.
        rates: learning rates >= 0. "neuron": name -> (shape[0],); "parameter": name -> the
            parameter's shape; "global": {"*": ()}.
        provenance: how they were trained (data, steps, losses, ...), plain JSON values.
        learning: names of the parameters that learn, in the model's order.
    """

    config: ModelConfig
    level: Level
    state: dict[str, Tensor]
    rates: dict[str, Tensor]
    provenance: dict[str, Any] = field(default_factory=dict)
    learning: tuple[str, ...] = ()

    @classmethod
    def create(
        cls, model: MaskRCNN, level: Level, rate: float, provenance: dict[str, Any] | None = None
    ) -> LearnedOptimiser:
        """theta0 is a copy of `model`'s weights; every learning rate is `rate`."""
        if level not in get_args(Level):
            raise UsageError(f"no learning-rate level {level!r}", "global, neuron or parameter")
        learnable = {n: p for n, p in model.named_parameters() if p.requires_grad}
        state = {n: t.detach().clone() for n, t in model.state_dict().items()}
        rates = {
            n: torch.full(_rate_shape(p, level), rate, device=p.device)
            for n, p in learnable.items()
        }
        if level == "global":
            device = next(iter(learnable.values())).device
            rates = {_GLOBAL: torch.tensor(rate, device=device)}
        return cls(model.config, level, state, rates, provenance or {}, tuple(learnable))

    def to(self, device: torch.device) -> LearnedOptimiser:
        """The same on `device`; what is there already is shared, not copied."""
        return replace(
            self,
            state={n: t.to(device) for n, t in self.state.items()},
            rates={n: r.to(device) for n, r in self.rates.items()},
        )

    def build_model(self) -> MaskRCNN:
        """A model with these weights (strictly loaded)."""
        model = build_model(self.config)
        model.load_state_dict(self.state, strict=True)
        return model

    def learning_names(self, *, drop_frozen: bool = False) -> tuple[str, ...]:
        """Names of the parameters that learn, in the model's order.

        Args:
            drop_frozen: leave out tensors all of whose rates are zero. They never change, and
                autograd then stops above them (see `MaskRCNN.frozen_depth`).
        """
        if not drop_frozen or self.level == "global":
            return self.learning
        return tuple(n for n in self.learning if bool((self.rates[n] > 0).any()))

    def initial_parameters(self, *, drop_frozen: bool = False) -> dict[str, Tensor]:
        """theta0 as leaves that require gradients, copied; `drop_frozen` as in `learning_names`."""
        names = self.learning_names(drop_frozen=drop_frozen)
        return {n: self.state[n].detach().clone().requires_grad_() for n in names}

    def rate(self, name: str) -> Tensor:
        """The learning rate of parameter `name`, in a shape that broadcasts against it."""
        if self.level == "global":
            return self.rates[_GLOBAL]
        rate = self.rates[name]
        if self.level == "parameter":
            return rate
        return rate.view(-1, *[1] * (self.state[name].dim() - 1))

    @torch.no_grad()
    def step(self, params: Mapping[str, Tensor], grads: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """theta_{t+1} as new leaves; `params` is left as it was."""
        return {n: (p - self.rate(n) * grads[n]).requires_grad_() for n, p in params.items()}

    def save(self, path: Path, *, half: bool = False) -> None:
        """Write a safetensors file whose header says what is inside, atomically.

        Args:
            half: store the weights (not the rates) as float16.
        """
        tensors = {f"state.{n}": _storable(t, half) for n, t in self.state.items()}
        tensors |= {f"rate.{n}": _storable(t, False) for n, t in self.rates.items()}
        header = {
            "format": _FORMAT,
            "config": json.dumps(self.config.to_dict()),
            "level": self.level,
            "learning": json.dumps(self.learning),
            "provenance": json.dumps(self.provenance),
        }
        with whole_file(path) as part:
            save_file(tensors, part, header)

    @classmethod
    def load(cls, path: Path) -> LearnedOptimiser:
        """Read a file of `save`; everything comes back as float32.

        Raises:
            UsageError: the file is missing, broken or not one of ours.
        """
        if not path.is_file():
            raise UsageError(f"no weights at {path}")
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UsageError(f"cannot read weights {path}: {error}") from None
        if header.get("format") != _FORMAT:
            raise UsageError(
                f"{path} holds no e-OSVOS weights", "Write them with `vosbench eosvos pretrain`."
            )
        floats = {k: t.float() if t.is_floating_point() else t for k, t in tensors.items()}
        return cls(
            ModelConfig.from_dict(json.loads(header["config"])),
            header["level"],
            {k.removeprefix("state."): t for k, t in floats.items() if k.startswith("state.")},
            {k.removeprefix("rate."): t for k, t in floats.items() if k.startswith("rate.")},
            json.loads(header["provenance"]),
            tuple(json.loads(header["learning"])),
        )


def _storable(tensor: Tensor, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if half and tensor.is_floating_point() else tensor


def _rate_shape(parameter: Tensor, level: Level) -> tuple[int, ...]:
    return tuple(parameter.shape) if level == "parameter" else tuple(parameter.shape[:1])


def outer_gradients(
    learned: LearnedOptimiser, inner: Mapping[str, Tensor], outer: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """First-order gradients of the outer loss with respect to theta0 and lambda, in closed form.

    With h the gradient of the test loss at theta_T and g_t the inner gradients, dropping second
    derivatives: dL/dtheta0 = h and dL/dlambda_n = -sum_t <g_t, h>_n over the parameters that
    rate n governs.

    Args:
        learned: its level decides the sums.
        inner: name -> sum over t of the inner gradients. outer: name -> h.

    Returns:
        (gradients of theta0 by name, gradients of `learned.rates` by name).
    """
    products = {n: -(inner[n] * h) for n, h in outer.items()}
    rates: dict[str, Tensor]
    if learned.level == "global":
        rates = {_GLOBAL: torch.stack([p.sum() for p in products.values()]).sum()}
    elif learned.level == "neuron":
        rates = {n: p.flatten(1).sum(1) if p.dim() > 1 else p for n, p in products.items()}
    else:
        rates = products
    return dict(outer), rates
