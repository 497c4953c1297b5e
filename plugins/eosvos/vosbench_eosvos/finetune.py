"""Fine-tuning: T steps of plain SGD from the learned initialisation with the learned rates.

    start = learned.initial_parameters(drop_frozen=True)
    depth = model.frozen_depth(start)
    batches = cycle([make_example(model, image, mask, depth)])
    for steps, params in fine_tune(model, learned, start, batches, at=(1, 10), seed=0):
        ...  # the parameters after 1 and after 10 steps

Whatever of the network does not learn sees an image once and for all: the leading stages without
learning rates run only when an `Example` is made, and neither forward nor backward passes of the
steps enter them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from vosbench.types import Mask, Scores
from vosbench_eosvos.boxprop import Box, tight_box
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import MaskRCNN
from vosbench_learning.backbone import StageOutputs
from vosbench_learning.seeds import derive_seed
from vosbench_learning.views import Target
from vosbench_learning.working_size import NetworkImage

#: Parameter name -> tensor.
Params = Mapping[str, Tensor]


@dataclass(frozen=True)
class Example:
    """Images to learn from: what the frozen stages make of them, and the object in each."""

    features: StageOutputs
    targets: tuple[Target, ...]


#: What each step learns from, by its number.
Batches = Callable[[int], Example]


def to_tensor(image: NetworkImage, device: torch.device) -> Tensor:
    """(H, W, 3) -> (1, 3, H, W) of the same type on `device`, channels last in memory."""
    return torch.tensor(image, device=device).permute(2, 0, 1)[None]


def device_of(model: MaskRCNN) -> torch.device:
    """Where the model's parameters live."""
    return next(model.parameters()).device


@torch.no_grad()
def make_example(
    model: MaskRCNN,
    image: NetworkImage | StageOutputs,
    mask: Mask | Scores,
    depth: int,
    box: Box | None = None,
) -> Example:
    """An image and the object in it, ready for any number of steps.

    Args:
        model: only its leading `depth` stages are used.
        image: RGB (H, W, 3), or the result of those stages if it is known already.
        mask: (H, W) bool; or float32 in 0..1 where NaN marks pixels that no loss may look at.
        depth: number of leading backbone stages that do not learn.
        box: x1, y1, x2, y2 around the object, where it is known better than by the mask.
    """
    device = device_of(model)
    features = (
        image if isinstance(image, StageOutputs) else model(to_tensor(image, device), stop=depth)
    )
    truth = mask.astype(np.float32)
    box = box or tight_box(truth >= 0.5)
    boxes = torch.tensor([box] if box else [], dtype=torch.float32, device=device).reshape(-1, 4)
    masks = torch.from_numpy(truth[None]).to(device)[: len(boxes)]
    return Example(features, ({"boxes": boxes, "masks": masks},))


def join(examples: Sequence[Example]) -> Example:
    """One batch of all images, which must be of one size. Its loss is normalised over all boxes of
    the batch, not image by image."""
    if len(examples) == 1:
        return examples[0]
    outputs = [example.features for example in examples]
    maps = {k: torch.cat([o.maps[k] for o in outputs]) for k in outputs[0].maps}
    features = StageOutputs(maps, outputs[0].depth, outputs[0].size)
    return Example(features, tuple(t for example in examples for t in example.targets))


def cycle(examples: Sequence[Example], batch: int = 1) -> Batches:
    """Steps go through `examples` in turn, `batch` (or all, if there are fewer) at a time."""
    batch = min(batch, len(examples))
    return lambda step: join([examples[(step * batch + i) % len(examples)] for i in range(batch)])


def loss_of(model: MaskRCNN, params: Params, example: Example) -> Tensor:
    """L_seg = L_RPN + L_box + L_mask of one example."""
    losses: dict[str, Tensor] = functional_call(
        model, dict(params), (example.features, example.targets)
    )
    return torch.stack(list(losses.values())).sum()


def fine_tune(
    model: MaskRCNN,
    learned: LearnedOptimiser,
    start: Params,
    batches: Batches,
    *,
    at: Sequence[int],
    seed: int,
    average: float = 0.0,
    after_step: Callable[[], object] = lambda: None,
) -> Iterator[tuple[int, dict[str, Tensor]]]:
    """Yield the parameters after each number of steps in `at`, or their mean over the last steps.

    Step t draws its RoIs with a generator of its own, from (`seed`, t): the parameters after 10
    steps depend neither on whether 100 were asked for, nor on what runs between two steps.

    Args:
        model: its own parameters are used where `start` has none, and are never changed.
        learned: the learning rates.
        start: the parameters that learn, at step 0.
        batches: what step t learns from.
        at: ascending numbers of steps; 0 is `start` itself.
        seed: of the RoIs that the losses look at.
        average: share of a number of steps, its last ones, after each of which the parameters count
            alike, see `uncounted`.
        after_step: called after each step.

    Yields:
        (steps, name -> tensor).
    """
    params = dict(start)
    before_mean = {goal: uncounted(goal, average) for goal in at}
    means: dict[int, dict[str, Tensor]] = {}
    step = 0
    for goal in at:
        while step < goal:
            grads = _gradients(model, params, batches(step), derive_seed(seed, step))
            params = learned.step(params, grads)
            step += 1
            for asked, first in before_mean.items():
                if first < step <= asked:
                    means[asked] = _joined(means.get(asked, params), params, step - first)
            after_step()
        yield goal, means.pop(goal, {name: value.detach() for name, value in start.items()})


def uncounted(steps: int, average: float) -> int:
    """How many of `steps` go by before parameters count in the mean of the last ones.

    The mean goes over a share `average` of them (0..1), and the last at least. Iterates swing about
    what they approach, by more the larger the learning rates are; their mean does less (Polyak and
    Juditsky, "Acceleration of stochastic approximation by averaging", 1992).
    """
    return min(steps - 1, round((1 - average) * steps))


def _joined(mean: Params, params: Params, count: int) -> dict[str, Tensor]:
    """The mean of `count` parameters, the last of which are `params`, from that of the others."""
    return {name: mean[name].detach().lerp(p.detach(), 1 / count) for name, p in params.items()}


def _gradients(model: MaskRCNN, params: Params, example: Example, seed: int) -> dict[str, Tensor]:
    free = {name: value.detach().requires_grad_() for name, value in params.items()}
    device = device_of(model)
    with (
        torch.enable_grad(),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
    ):
        torch.manual_seed(seed)
        grads = torch.autograd.grad(
            loss_of(model, free, example),
            list(free.values()),
            allow_unused=True,
            materialize_grads=True,
        )
    return dict(zip(free, grads, strict=True))
