"""A device that only pretends: tensors there are on the CPU but may not meet the CPU's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

from vosbench_learning import distributed

#: A name that torch knows and never initialises.
AWAY = torch.device("xla", 0)

#: What torch's own code takes these tensors to be on; it cannot choose devices as AWAY.
BENEATH = "meta"

_aten = torch.ops.aten


class MixedDevicesError(Exception):
    """An operation was given tensors of the pretended device and of the CPU."""


class Away(torch.Tensor):
    """A tensor that says it is on the pretended device."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Away:
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=BENEATH,
        )

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    @property
    def device(self) -> torch.device:
        return AWAY

    def tolist(self) -> Any:
        return self.inner.detach().tolist()

    def new_tensor(self, data: Any, *, dtype: torch.dtype | None = None) -> torch.Tensor:
        return torch.tensor(data, dtype=dtype or self.dtype, device=AWAY)

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"can't convert a tensor on {AWAY} to numpy")

    def __array__(self, *_: Any) -> Any:
        return self.numpy()

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["inner"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, torch.Tensor], *_: Any) -> Away:
        return Away(parts["inner"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})

    def __repr__(self) -> str:
        return f"Away({tuple(self.shape)})"


def compute(func, args, kwargs):
    """`func` on what is inside, with the checks of a device."""
    tensors = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, torch.Tensor)]
    away = [t for t in tensors if isinstance(t, Away)]
    wanted = kwargs.get("device")
    moves = func in (_aten._to_copy.default, _aten.copy_.default)
    if away and not moves:
        here = [t for t in tensors if not isinstance(t, Away) and t.dim() > 0]
        if here:
            shapes = [tuple(t.shape) for t in tensors]
            raise MixedDevicesError(f"{func} got tensors of both devices, of shapes {shapes}")
    if wanted is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    inside = tree_map(lambda x: x.inner if isinstance(x, Away) else x, (args, kwargs))
    out = func(*inside[0], **inside[1])
    if func is _aten.copy_.default:
        return args[0]
    stays = bool(away) if wanted is None else torch.device(wanted).type in (AWAY.type, BENEATH)
    if not stays:
        return out
    out = tree_map(lambda x: Away(x) if type(x) is torch.Tensor else x, out)
    return return_and_correct_aliasing(func, args, kwargs, out) if away else out


class PretendedDevice(TorchDispatchMode):
    """Catches what makes tensors on the device out of nothing."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


@pytest.fixture
def away():
    """The pretended device, for as long as the test takes."""
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)  # torch.tensor(..., device=) goes by way of the CPU
    with PretendedDevice():
        yield AWAY
    torch._C._set_only_lift_cpu_tensors(before)


@pytest.fixture
def visited(monkeypatch):
    """The devices of all tensors that any module is called with, or that processes would exchange:
    these stay where they were made, for NCCL moves nothing."""
    devices = set()
    exchange = distributed.all_reduce_sum

    def note_exchanged(tensors):
        devices.update(x.device for x in tensors)
        exchange(tensors)

    monkeypatch.setattr(distributed, "all_reduce_sum", note_exchanged)

    def note(_module, inputs):
        devices.update(x.device for x in inputs if isinstance(x, torch.Tensor))

    hook = torch.nn.modules.module.register_module_forward_pre_hook(note)
    yield devices
    hook.remove()
