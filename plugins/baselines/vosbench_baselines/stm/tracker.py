"""STM as a tracker: the given frame, every fifth and the last one are remembered."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from vosbench.errors import UsageError
from vosbench.types import Context, Frame, LabelMap, Prediction, Targets
from vosbench_baselines.stm.network import Memory
from vosbench_baselines.stm.weights import WAY_OUT, load_weights
from vosbench_baselines.weights import find_weights
from vosbench_learning.working_size import bfloat16_pays, mask_to_size, to_working_size


class StmTracker:
    """STM (ICCV 2019): every frame reads from a memory of past frames; nothing is fine-tuned.

    Objects that appear later have a memory that begins with their own first frame.

    Options:
        weights: a safetensors file; must be given.
        memory_every: frames between two that stay remembered.
        memory_frames: frames remembered at most; the oldest go, the given one stays.
        short_side: larger frames are shrunk to it; 0 keeps native size.
        bf16: convolutions in bfloat16 where the processor has it.
    """

    def __init__(self, ctx: Context) -> None:
        options = ctx.options
        if not options["weights"]:
            raise UsageError("stm has no weights of its own: give -o weights=FILE", WAY_OUT)
        path = find_weights(str(options["weights"]))
        ctx.used_file(path)
        self.device = torch.device(ctx.device)
        self.net = load_weights(path).to(self.device)
        self.net.bf16 = bool(options["bf16"]) and bfloat16_pays(self.device)
        self.every = max(1, int(options["memory_every"]))
        self.limit = max(1, int(options["memory_frames"]))
        self.short_side = int(options["short_side"])
        self._forget()

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:  # noqa: ARG002
        """Remember the given frame."""
        self._forget()
        self._meet(frame, targets)

    @torch.no_grad()
    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:  # noqa: ARG002
        """Read the new frame from memory, then remember the frame with what was found."""
        ids = tuple(self.memories)
        labels = np.zeros(frame.size, np.uint8)
        if ids:
            image = self._tensor(frame)
            found = self.net.segment(image, [Memory.joined(m) for m in self.memories.values()])
            labels = self._labels(found, ids, frame.size)
            self._remember(frame.index, image, ids, found[1:])
        self._meet(frame, targets)
        for identity, mask in targets.items():
            labels[mask] = identity
        return Prediction.from_labels(labels)

    def close(self, ctx: Context) -> None:  # noqa: ARG002
        """Forget the sequence."""
        self._forget()

    def _forget(self) -> None:
        """`memories`: object id -> what each remembered frame left of it; the next frame replaces
        the last one unless that `stays`."""
        self.memories: dict[int, list[Memory]] = {}
        self.stays = True

    @torch.no_grad()
    def _meet(self, frame: Frame, targets: Targets) -> None:
        """Remember the frame in which objects are given."""
        known = {i: mask for i, mask in targets.items() if mask.any()}
        if not known:
            return
        image = self._tensor(frame)
        size = (int(image.shape[-2]), int(image.shape[-1]))
        masks = np.stack([mask_to_size(mask, size) for mask in known.values()])
        left = self.net.memorize(image, torch.from_numpy(masks).float().to(self.device))
        self.memories |= {identity: [memory] for identity, memory in zip(known, left, strict=True)}

    def _remember(self, index: int, image: Tensor, ids: tuple[int, ...], masks: Tensor) -> None:
        for identity, memory in zip(ids, self.net.memorize(image, masks), strict=True):
            frames = self.memories[identity]
            if not self.stays and len(frames) > 1:
                frames.pop()
            if len(frames) >= self.limit > 1:
                frames.pop(1)
            frames.append(memory)
        self.stays = index % self.every == 0

    def _tensor(self, frame: Frame) -> Tensor:
        image = to_working_size(frame.image, self.short_side)
        chw = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        return chw[None].to(self.device)

    def _labels(self, found: Tensor, ids: tuple[int, ...], size: tuple[int, int]) -> LabelMap:
        """The object of highest probability in each pixel, at native size."""
        maps = found.float().cpu().numpy()
        if maps.shape[1:] != size:
            maps = np.stack([cv2.resize(one, size[::-1]) for one in maps])
        labels: LabelMap = np.array([0, *ids], np.uint8)[maps.argmax(0)]
        return labels
