"""`osvos-T`: fine-tune the parent on each object's first frame, then segment frame by frame."""

# ruff: noqa: ARG002  (trackers are called with all that the harness has)

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from vosbench.types import Context, Frame, Mask, Prediction, Scores, Targets
from vosbench_baselines.osvos.fine_tune import (
    Example,
    FineTuned,
    first_frame_examples,
    learnable,
    look,
    probabilities,
)
from vosbench_baselines.osvos.network import OsvosNet, load_weights
from vosbench_baselines.weights import find_weights
from vosbench_learning.backbone import StageOutputs
from vosbench_learning.seeds import derive_seed
from vosbench_learning.working_size import bfloat16_pays, mask_to_size, to_working_size


@dataclass
class Tuned:
    """One object.

    Attributes:
        examples: its first frame and copies of it. network: fine-tuned on them.
        models: number of steps -> parameters. All are empty for an object without pixels.
    """

    examples: list[Example] = field(default_factory=list)
    network: FineTuned | None = None
    models: dict[int, dict[str, Tensor]] = field(default_factory=dict)


class OsvosTracker:
    """OSVOS (CVPR 2017): no notion of time, each frame is segmented by itself.

    Every object has a network of its own, for which the other objects are background; their
    probabilities are fused by maximum.

    Options:
        weights: of the parent, a shipped name or a safetensors file.
        iterations: fine-tuning steps. rate: learning rate of SGD with momentum 0.9.
        transforms: spatially transformed copies of the first frame that steps cycle through.
        short_side: larger frames are shrunk to it; 0 keeps native size.
        bf16: convolutions in bfloat16 where the processor has it.
    """

    def __init__(self, ctx: Context) -> None:
        options = ctx.options
        path = find_weights(str(options["weights"]))
        ctx.used_file(path)
        self.device = torch.device(ctx.device)
        self.net: OsvosNet = load_weights(path).to(self.device)
        self.net.bf16 = bool(options["bf16"]) and bfloat16_pays(self.device)
        self.start = learnable(self.net)
        self.iterations = int(options["iterations"])
        self.rate = float(options["rate"])
        self.transforms = int(options["transforms"])
        self.short_side = int(options["short_side"])
        self.objects: dict[int, Tuned] = {}

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Fine-tune one network for each object."""
        self.objects = {}
        self.learn(frame, targets, ctx)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Segment all known objects, then learn those that appear in this frame."""
        prefix = self.look(frame)
        answers = {
            steps: Prediction.from_probabilities(
                tuple(self.objects),
                np.stack([self.segment(frame, prefix, o, steps) for o in self.objects.values()])
                if self.objects
                else np.zeros((0, *frame.size), np.float32),
            )
            for steps in self._steps(ctx)
        }
        self.learn(frame, targets, ctx)
        asked = ctx.snapshots.get("iterations", ())
        variants = {f"iterations={n}": answers[int(n)] for n in asked}
        return replace(answers[self.iterations], variants=variants)

    def close(self, ctx: Context) -> None:
        """Forget the sequence."""
        self.objects = {}

    def look(self, frame: Frame) -> StageOutputs:
        """What the frozen stages make of a frame at working size."""
        return look(self.net, to_working_size(frame.image, self.short_side))

    def learn(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Fine-tune on the given objects, all to the first number of steps, then all to the next,
        so that the marks tell what each number alone would have taken."""
        new = {obj: self._start(frame, obj, mask, ctx.seed) for obj, mask in targets.items()}
        self.objects |= new
        done = taken = 0
        for steps in self._steps(ctx) if new else ():
            for tuned in new.values():
                if tuned.network is not None:
                    for step in range(done, steps):
                        tuned.network.step(tuned.examples[step % len(tuned.examples)])
                        ctx.progress(taken := taken + 1)
                    tuned.models[steps] = tuned.network.snapshot()
            ctx.snapshot_ready(f"iterations={steps}")
            done = steps

    def segment(self, frame: Frame, prefix: StageOutputs, tuned: Tuned, steps: int) -> Scores:
        """Probabilities (H, W) of one object at native size."""
        if steps not in tuned.models:
            return np.zeros(frame.size, np.float32)
        found: Scores = probabilities(self.net, tuned.models[steps], prefix).cpu().numpy()
        if found.shape != frame.size:
            found = np.asarray(cv2.resize(found, frame.size[::-1]), np.float32)
        return found

    def _start(self, frame: Frame, obj: int, mask: Mask, seed: int) -> Tuned:
        if not mask.any():
            return Tuned()
        image = to_working_size(frame.image, self.short_side)
        inside = mask_to_size(mask, image.shape[:2])
        rng = np.random.default_rng(derive_seed(seed, obj, frame.index))
        examples = first_frame_examples(self.net, image, inside, self.transforms, rng)
        return Tuned(examples, FineTuned(self.net, self.start, self.rate))

    def _steps(self, ctx: Context) -> list[int]:
        """Numbers of steps after which a model is kept, ascending."""
        return sorted({self.iterations, *(int(n) for n in ctx.snapshots.get("iterations", ()))})
