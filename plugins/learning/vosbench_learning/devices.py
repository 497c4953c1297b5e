"""The device that a training computes on, and how what is drawn gets there."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields, is_dataclass, replace
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

from vosbench.errors import UsageError
from vosbench_learning import distributed

T = TypeVar("T")


def training_device(name: str) -> torch.device:
    """The device called "cpu", "cuda", "cuda:1", or "auto" (cuda where there is one).

    Under torchrun, "cuda" is the card with the process's number on its host.

    Raises:
        UsageError: there is no such device, or fewer cards than processes on this host.
    """
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        name = "cuda" if cards else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name!r} is no torch device", "cpu, cuda, cuda:1") from None
    if device.type != "cuda":
        return device
    if not cards:
        raise UsageError("--device cuda: torch sees no CUDA device", "Leave --device out.")
    number = int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index
    if number >= cards:
        raise UsageError(
            f"cuda:{number} is asked for, and there are {cards} CUDA devices",
            "Start one process a device: torchrun --nproc-per-node.",
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def moved(value: T, device: torch.device) -> T:
    """`value` with every tensor on `device`: tensors, tuples, lists, dicts and dataclasses."""
    return cast(T, _each_tensor(value, lambda t: t.to(device, non_blocking=True)))


def pinned(value: T) -> T:
    """`value` with every tensor in memory from which a card can fetch it while it computes."""
    return cast(T, _each_tensor(value, Tensor.pin_memory))


def _each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {k: _each_tensor(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_each_tensor(v, change) for v in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: _each_tensor(getattr(value, f.name), change) for f in fields(value)}
        return replace(value, **changed)
    return value


class Loader(Generic[T]):
    """Draws the units of each step, ahead of time in threads where there are any.

    What a unit holds depends on its step and number alone, so threads change nothing but the time.

    Args:
        draw: step, unit -> what is needed to compute it, on the CPU.
        units: a step; this process draws its own (`distributed.own_units`).
        device: where they are wanted.
        threads: 0 draws each unit when it is asked for.
    """

    def __init__(
        self, draw: Callable[[int, int], T], units: int, device: torch.device, threads: int = 0
    ) -> None:
        self._draw = draw
        self._units = distributed.own_units(units)
        self._device = device
        self._pool = ThreadPoolExecutor(threads, "load") if threads else None
        self._ahead: deque[tuple[int, int, Future[T]]] = deque()

    def step(self, step: int) -> Iterator[tuple[int, T]]:
        """(number, unit on the device) for each unit of this process."""
        if self._pool is None:
            for unit in self._units:
                yield unit, moved(self._draw(step, unit), self._device)
            return
        drawn = {(s, u) for s, u, _ in self._ahead}
        for later in (step, step + 1):
            for unit in self._units:
                if (later, unit) not in drawn:
                    future = self._pool.submit(self._fetch, later, unit)
                    self._ahead.append((later, unit, future))
        for unit in self._units:
            _, _, future = self._ahead.popleft()
            yield unit, moved(future.result(), self._device)

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _fetch(self, step: int, unit: int) -> T:
        drawn = self._draw(step, unit)
        return pinned(drawn) if self._device.type == "cuda" else drawn
