"""Fine-tuning: T steps of plain SGD from the learned initialisation with the learned rates.

    start = learned.initial_parameters(drop_frozen=True)
    depth = model.frozen_depth(start)
    examples = [make_example(model, image, mask, depth)]
    for steps, params in fine_tune(model, learned, start, examples, at=(1, 10), seed=0):
        ...  # the parameters after 1 and after 10 steps

The inner batch is drawn once and never changes: whatever of the network does not learn has seen
it once and for all, so the leading stages without learning rates run only when an `Example` is
made, and neither forward nor backward passes of the steps enter them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from vosbench.types import Image, Mask, Scores
from vosbench_eosvos.boxprop import tight_box
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import MaskRCNN
from vosbench_learning.backbone import StageOutputs
from vosbench_learning.seeds import derive_seed
from vosbench_learning.views import Target

#: Parameter name -> tensor.
Params = Mapping[str, Tensor]


@dataclass(frozen=True)
class Example:
    """One image of an inner batch: what the frozen stages make of it, and the object in it."""

    features: StageOutputs
    target: Target


def to_tensor(image: Image, device: torch.device) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) uint8 on `device`, channels last in memory."""
    return torch.tensor(image, device=device).permute(2, 0, 1)[None]


def device_of(model: MaskRCNN) -> torch.device:
    """Where the model's parameters live."""
    return next(model.parameters()).device


@torch.no_grad()
def make_example(
    model: MaskRCNN, image: Image | StageOutputs, mask: Mask | Scores, depth: int
) -> Example:
    """An image and the object in it, ready for any number of steps.

    Args:
        model: only its leading `depth` stages are used.
        image: RGB uint8 (H, W, 3), or the result of those stages if it is known already.
        mask: (H, W) bool; or float32 in 0..1 where NaN marks pixels that no loss may look at.
        depth: number of leading backbone stages that do not learn.
    """
    device = device_of(model)
    features = (
        image if isinstance(image, StageOutputs) else model(to_tensor(image, device), stop=depth)
    )
    truth = mask.astype(np.float32)
    box = tight_box(truth >= 0.5)
    boxes = torch.tensor([box] if box else [], dtype=torch.float32, device=device).reshape(-1, 4)
    masks = torch.from_numpy(truth[None]).to(device)[: len(boxes)]
    return Example(features, {"boxes": boxes, "masks": masks})


def loss_of(model: MaskRCNN, params: Params, example: Example) -> Tensor:
    """L_seg = L_RPN + L_box + L_mask of one example."""
    losses: dict[str, Tensor] = functional_call(
        model, dict(params), (example.features, [example.target])
    )
    return torch.stack(list(losses.values())).sum()


def fine_tune(
    model: MaskRCNN,
    learned: LearnedOptimiser,
    start: Params,
    examples: Sequence[Example],
    *,
    at: Sequence[int],
    seed: int,
    batch: int = 1,
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Yield the parameters after each number of steps in `at`.

    Step t draws its RoIs with a generator of its own, from (`seed`, t): the parameters after 10
    steps depend neither on whether 100 were asked for, nor on what runs between two steps.

    Args:
        model: its own parameters are used where `start` has none, and are never changed.
        learned: the learning rates.
        start: the parameters that learn, at step 0.
        examples: the inner batch. Steps cycle through it, `batch` examples at a time.
        at: ascending numbers of steps; 0 is `start` itself.
        seed: of the RoIs that the losses look at.

    Yields:
        (steps, name -> tensor).
    """
    params = dict(start)
    step = 0
    for goal in at:
        while step < goal:
            chosen = [examples[(step * batch + i) % len(examples)] for i in range(batch)]
            grads = _gradients(model, params, chosen, derive_seed(seed, step))
            params = learned.step(params, grads)
            step += 1
        yield goal, {name: value.detach() for name, value in params.items()}


def _gradients(
    model: MaskRCNN, params: Params, examples: Sequence[Example], seed: int
) -> dict[str, Tensor]:
    """Of the mean loss over `examples`, one after the other to bound memory."""
    free = {name: value.detach().requires_grad_() for name, value in params.items()}
    device = device_of(model)
    total: dict[str, Tensor] = {}
    with (
        torch.enable_grad(),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
    ):
        torch.manual_seed(seed)
        for example in examples:
            loss = loss_of(model, free, example) / len(examples)
            grads = torch.autograd.grad(
                loss, list(free.values()), allow_unused=True, materialize_grads=True
            )
            for name, grad in zip(free, grads, strict=True):
                total[name] = total[name] + grad if name in total else grad
    return total
