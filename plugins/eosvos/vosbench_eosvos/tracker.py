"""The tracker: one fine-tuned model for each object.

    init    theta_T for each object of the first frame, by fine-tuning from theta0
    track   frozen stages once a frame, then each object's own detector; the best detection's mask
    update  online adaptation, if asked for: every few frames from theta_T again

Objects know nothing of each other before their probabilities are fused, by maximum
(`Prediction.label_map`). Objects that appear late are fine-tuned on their own first frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.func import functional_call

from vosbench.types import Context, Frame, Image, LabelMap, Mask, Prediction, Scores, Targets
from vosbench_eosvos.boxprop import Box, propagate, tight_box
from vosbench_eosvos.conventions import CONVENTIONS
from vosbench_eosvos.detect import choose, near
from vosbench_eosvos.edges import follow_edges
from vosbench_eosvos.finetune import (
    Batches,
    Example,
    Params,
    cycle,
    fine_tune,
    join,
    make_example,
    to_tensor,
)
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import Detections, MaskRCNN
from vosbench_eosvos.online import Memory
from vosbench_eosvos.variants import Settings
from vosbench_eosvos.weights import find_weights
from vosbench_learning.backbone import StageOutputs
from vosbench_learning.copies import random_copy
from vosbench_learning.seeds import derive_seed
from vosbench_learning.working_size import bfloat16_pays, mask_to_size, to_size, working_size

# What a seed is for, so that no two draws share one.
_FINE_TUNING, _TRANSFORMS, _PROPAGATION, _ONLINE = range(4)

#: The mask is the mean over the detection's box grown by these shares on every side, where `sizes`
#: asks for it: the object's parts just outside of the box come in, and grids of cells differ.
MASK_GROWTHS = (-0.03, 0.02, 0.08)


@dataclass
class ObjectState:
    """What is known of one object after one number of fine-tuning steps.

    Attributes:
        base: theta_T. params: what predicts now; `base` until online adaptation changes it.
        box: where to look for it, in pixels of the working image: the last one in which it was
            seen; None: anywhere.
        memory: past frames for online adaptation.
        began: its box when the present range of frames began, see `Conventions.forget_lost`.
        score: of the detection in the last frame, 0 if there was none.
        probabilities: (H, W) in the last frame; None if there was no detection.
    """

    base: Params
    params: Params
    box: Box | None
    memory: Memory
    began: Box | None
    score: float = 0.0
    probabilities: Scores | None = None


@dataclass
class TrackedObject:
    """One object: its given frame, and its state for each number of steps that is asked for."""

    identity: int
    first: int
    given: list[Example]
    states: dict[int, ObjectState] = field(default_factory=dict)


class EosvosTracker:
    """e-OSVOS (NeurIPS 2020). Options: `vosbench_eosvos.variants.Settings`."""

    def __init__(self, ctx: Context) -> None:
        self.settings = Settings.from_options(ctx.options)
        self.conventions = CONVENTIONS[self.settings.conventions]
        path = find_weights(self.settings.weights)
        ctx.used_file(path)
        learned = LearnedOptimiser.load(path)
        kept = max(self.settings.proposals, self.settings.proposals_alone)
        asked = {n: getattr(self.settings, n) for n in ("mask_window", "mask_scale", "mask_rois")}
        changes = {**self.conventions.losses, **{n: value for n, value in asked.items() if value}}
        config = replace(learned.config, **changes)
        config = replace(
            config,
            pre_nms=(config.pre_nms[0], max(kept, config.pre_nms[1])),
            post_nms=(config.post_nms[0], kept),
            min_score=self.settings.min_score,
        )
        self.device = torch.device(ctx.device)
        self.learned = replace(
            learned,
            config=config,
            rates={name: rate.to(self.device) for name, rate in learned.rates.items()},
        )
        self.model: MaskRCNN = self.learned.build_model().to(self.device)
        self.model.bf16 = self.settings.bf16 and bfloat16_pays(self.device)
        start = self.learned.initial_parameters(drop_frozen=True)
        self.start = {name: value.detach().to(self.device) for name, value in start.items()}
        self.depth = self.model.frozen_depth(self.start)
        self._objects: dict[int, TrackedObject] = {}

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Fine-tune one model for each object."""
        self._objects = {}
        self._features: StageOutputs | None = None
        self._learn(frame, targets, ctx)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Probabilities of all objects, for every number of steps that is asked for."""
        self._features = self._look(frame.image)
        known = list(self._objects.values())
        pasted: dict[tuple[int, int], Scores] = {
            (tracked.identity, steps): self._find(frame, tracked.identity, state, ctx.seed)
            for tracked in known
            for steps, state in tracked.states.items()
        }
        self._learn(frame, targets, ctx)
        nothing = np.zeros(frame.size, np.float32)
        answers = {}
        for steps in self._steps(ctx):
            maps = [
                targets[i].astype(np.float32) if i in targets else pasted.get((i, steps), nothing)
                for i in self._objects
            ]
            stacked = np.stack(maps) if maps else np.zeros((0, *frame.size), np.float32)
            answers[steps] = Prediction.from_probabilities(tuple(self._objects), stacked)
        asked = ctx.snapshots.get("iterations", ())
        variants = {f"iterations={n}": answers[int(n)] for n in asked}
        return replace(answers[self.settings.iterations], variants=variants)

    def update(self, frame: Frame, prediction: LabelMap, ctx: Context) -> None:  # noqa: ARG002
        """Adapt online to own predictions, every `online_every` frames."""
        if not self.settings.online or self._features is None:
            return
        features, after_step = self._features, _counted(ctx)
        for tracked in self._objects.values():
            since = frame.index - tracked.first
            for state in tracked.states.values() if since else ():
                state.memory.observe(
                    state.probabilities, state.score, lambda target: self._example(features, target)
                )
                if since % self.settings.online_every == 0:
                    self._adapt(frame, tracked, state, ctx.seed, after_step)
                    seen = state.probabilities is not None and (state.probabilities >= 0.5).any()
                    state.began = state.box if seen else None
                    if self.conventions.forget_lost:
                        state.box = state.began

    def close(self, ctx: Context) -> None:  # noqa: ARG002
        """Forget the sequence."""
        self._objects = {}
        self._features = None

    def _steps(self, ctx: Context) -> list[int]:
        """Numbers of fine-tuning steps after which a model is kept."""
        asked = ctx.snapshots.get("iterations", ())
        return sorted({self.settings.iterations, *(int(n) for n in asked)})

    def _look(self, image: Image) -> StageOutputs:
        """What the stages that never learn see in a frame, at working size."""
        settings = self.settings
        size = working_size(
            (image.shape[0], image.shape[1]),
            settings.short_side,
            long_side=settings.long_side,
            enlarge=settings.enlarge,
        )
        working = to_size(image, size, interpolate=self.conventions.interpolate)
        with torch.no_grad():
            features: StageOutputs = self.model(to_tensor(working, self.device), stop=self.depth)
        return features

    def _learn(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Fine-tune on the objects that `targets` gives away, all to the first number of steps,
        then all to the next, so that the marks tell what each number alone would have taken."""
        runs = {}
        after_step = _counted(ctx)
        for identity, mask in targets.items():
            tracked = TrackedObject(identity, frame.index, [])
            self._objects[identity] = tracked
            if mask.any():
                tracked.given = self._inner_batch(frame, identity, mask, ctx.seed)
                batches = cycle(tracked.given, self.settings.batch)
                if self.settings.redraw:
                    batches = self._redrawn(frame, identity, mask, ctx.seed)
                runs[identity] = fine_tune(
                    self.model,
                    self.learned,
                    self.start,
                    batches,
                    at=self._steps(ctx),
                    seed=derive_seed(ctx.seed, _FINE_TUNING, identity, frame.index),
                    after_step=after_step,
                )
        for steps in self._steps(ctx):
            for identity, run in runs.items():
                _, params = next(run)
                tracked = self._objects[identity]
                box = tuple(tracked.given[0].targets[0]["boxes"][0].tolist())
                memory = Memory(self.settings.online_frames)
                tracked.states[steps] = ObjectState(params, params, box, memory, box)
            if runs:
                ctx.snapshot_ready(f"iterations={steps}")

    def _inner_batch(self, frame: Frame, identity: int, mask: Mask, seed: int) -> list[Example]:
        """The given frame as it is, then its transformed copies."""
        rng = np.random.default_rng(derive_seed(seed, _TRANSFORMS, identity, frame.index))
        pairs = [(frame.image, mask)]
        pairs += [random_copy(frame.image, mask, rng) for _ in range(self.settings.transforms)]
        return [self._example(self._look(image), inside) for image, inside in pairs]

    def _redrawn(self, frame: Frame, identity: int, mask: Mask, seed: int) -> Batches:
        """New transformed copies of the given frame in every step."""

        def draw(step: int) -> Example:
            parts = (seed, _TRANSFORMS, identity, frame.index, step)
            rng = np.random.default_rng(derive_seed(*parts))
            pairs = [random_copy(frame.image, mask, rng) for _ in range(self.settings.batch)]
            return join([self._example(self._look(image), inside) for image, inside in pairs])

        return draw

    def _example(self, features: StageOutputs, mask: Mask | Scores) -> Example:
        """A frame and the object in it, (H, W) at native size, NaN where no loss may look."""
        nearest = self.conventions.interpolate
        target = mask_to_size(mask >= 0.5, features.size, nearest=nearest).astype(np.float32)
        if (unsure := np.isnan(mask)).any():
            target[mask_to_size(unsure, features.size, nearest=nearest)] = np.nan
        box = tight_box(mask >= 0.5)
        scaled = _scale(box, mask.shape, features.size) if box else None
        return make_example(self.model, features, target, self.depth, scaled)

    @torch.no_grad()
    def _find(self, frame: Frame, identity: int, state: ObjectState, seed: int) -> Scores:
        """Probabilities (H, W) of one object at native size."""
        assert self._features is not None
        size = self._features.size
        options: dict[str, object] = {
            "max_detections": 1,
            "kept_proposals": self.settings.proposals_alone or self.settings.proposals,
        }
        if self.settings.sizes:
            options["growths"] = MASK_GROWTHS
        if self.settings.continuity > 0 and state.box:
            options["rank"] = near(state.box, self.settings.continuity)
        if self.settings.box_propagation and state.box:
            generator = torch.Generator().manual_seed(
                derive_seed(seed, _PROPAGATION, identity, frame.index)
            )
            # Up to whole cells of the coarsest map, see `Backbone.start`.
            padded = size[0] + -size[0] % 32, size[1] + -size[1] % 32
            boxes = propagate(
                state.box,
                self.settings.propagated_boxes,
                padded if self.conventions.propose_in_padding else size,
                generator,
                itself=self.conventions.last_box_too,
            )
            options["proposals"] = [boxes.to(self.device)]
            options["kept_proposals"] = self.settings.proposals
        found: Detections
        [found] = functional_call(self.model, dict(state.params), (self._features,), options)
        best = choose(found, min_score=self.settings.min_score)
        if best is None:
            state.score, state.probabilities = 0.0, None
            if self.conventions.forget_lost:
                state.box = state.began
            return np.zeros(frame.size, np.float32)
        logits, boxes = found.mask_logits[best], found.mask_boxes[best]
        state.score = float(found.scores[best])
        scale = torch.tensor([frame.size[1] / size[1], frame.size[0] / size[0]] * 2)
        native = self.conventions.paste(logits, boxes.cpu() * scale, frame.size)
        state.probabilities = native
        seen = tight_box(native > 0.5)
        if seen is not None:
            state.box = _scale(seen, frame.size, size)
        elif self.conventions.forget_lost:
            state.box = state.began
        return follow_edges(frame.image, native) if self.settings.edges else native

    def _adapt(
        self,
        frame: Frame,
        tracked: TrackedObject,
        state: ObjectState,
        seed: int,
        after_step: Callable[[], object] = lambda: None,
    ) -> None:
        """`online_iterations` steps from theta_T on the given frame and the remembered ones."""
        examples = [tracked.given[0], *state.memory.examples]
        *_, (_, state.params) = fine_tune(
            self.model,
            self.learned,
            state.base,
            cycle(examples, self.settings.batch),
            at=(self.settings.online_iterations,),
            seed=derive_seed(seed, _ONLINE, tracked.identity, frame.index),
            after_step=after_step,
        )


def _counted(ctx: Context) -> Callable[[], None]:
    """Tells the harness after each fine-tuning step of a call that it gets on."""
    steps = itertools.count(1)
    return lambda: ctx.progress(next(steps))


def _scale(box: Box, size: tuple[int, ...], to: tuple[int, int]) -> Box:
    """A box of an image of `size` (height, width) in one of size `to`."""
    down, across = to[0] / size[0], to[1] / size[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down
