"""Units of work spread over the processes that torchrun started, gradients averaged.

A batch is a list of units (a few images, or a task). Unit i goes to rank i modulo the number of
ranks, and every random draw of a unit is seeded by its own number, so that any number of processes
computes the same gradient up to the order of additions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch import distributed as dist


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the group described by torchrun's environment, if there is one; leave it at the end.

    Tensors on `device` are what the processes exchange.
    """
    started = "RANK" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1
    if started:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        if started:
            dist.destroy_process_group()


def rank() -> int:
    """This process's number, 0 if it is alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes, 1 if alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def own_units(count: int) -> range:
    """Which of `count` units this process computes."""
    return range(rank(), count, world_size())


def all_reduce_sum(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over processes, in one message. No-op if alone."""
    if world_size() == 1 or not tensors:
        return
    flat = torch.cat([t.reshape(-1) for t in tensors])
    dist.all_reduce(flat)
    for tensor, part in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def unit_seed(seed: int, step: int, unit: int) -> int:
    """The seed of every draw for one unit of one step, numpy's and torch's."""
    return (seed * 1_000_003 + step) * 1_009 + unit
