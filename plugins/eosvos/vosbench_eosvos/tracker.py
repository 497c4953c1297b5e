"""The tracker: one fine-tuned model for each object.

    init    theta_T for each object of the first frame, by fine-tuning from theta0
    track   frozen stages once a frame, then each object's own detector; what can be the object by
            motion, size, place and colours; no detection for two objects; masks of the chosen
    update  online adaptation, if asked for: every few frames from theta_T again

The objects' probabilities are fused by maximum (`Prediction.label_map`). Objects that appear late
are fine-tuned on their own first frame.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torchvision.ops import clip_boxes_to_image

from vosbench.types import Context, Frame, Image, LabelMap, Prediction, Scores, Targets
from vosbench_eosvos.boxprop import Box, propagate, scale_box, tight_box
from vosbench_eosvos.colours import Bins, Colours, colour_bins
from vosbench_eosvos.conventions import CONVENTIONS, tracking_config
from vosbench_eosvos.decide import Decision, decide
from vosbench_eosvos.detect import Candidates, near
from vosbench_eosvos.edges import follow_edges
from vosbench_eosvos.examples import Examples
from vosbench_eosvos.features import FrameFeatures
from vosbench_eosvos.finetune import cycle, fine_tune
from vosbench_eosvos.judge import HELD, judge
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import Detections, MaskRCNN, grow_boxes
from vosbench_eosvos.motion import Motion
from vosbench_eosvos.objects import ObjectState, TrackedObject
from vosbench_eosvos.online import Memory
from vosbench_eosvos.outline.draw import Outlines
from vosbench_eosvos.outline.sight import colour_table
from vosbench_eosvos.surroundings import SURE, Overview, Region, surroundings, whole_image
from vosbench_eosvos.variants import WITHOUT_NETWORK, Settings
from vosbench_eosvos.weights import find_outline, find_weights
from vosbench_eosvos.windows import Window
from vosbench_learning.backbone import padded
from vosbench_learning.seeds import derive_seed
from vosbench_learning.working_size import bfloat16_pays

# What a seed is for, so that no two draws share one.
_FINE_TUNING, _VIEWS, _PROPAGATION, _ONLINE = range(4)

#: Detections of a frame that are looked at for an object.
CANDIDATES = 8

#: Weight of the overlap with the expected box, besides `continuity`, where objects claim one thing.
CLAIM = 1.5

#: The mask is the mean over the detection's box grown by these shares on every side, where `sizes`
#: asks for it: the object's parts just outside of the box come in, and grids of cells differ.
MASK_GROWTHS = (-0.03, 0.02, 0.08)


class EosvosTracker:
    """e-OSVOS (NeurIPS 2020). Options: `vosbench_eosvos.variants.Settings`.

    Attributes:
        objects: the objects of the sequence by id.
        examples: makes of frames what the network sees and learns from.
        features: the present frame, at working size, as the stages that never learn see it.
    """

    def __init__(self, ctx: Context) -> None:
        self.settings = Settings.from_options(ctx.options)
        self.conventions = CONVENTIONS[self.settings.conventions]
        path = find_weights(self.settings.weights)
        ctx.used_file(path)
        learned = LearnedOptimiser.load(path)
        self.device = torch.device(ctx.device)
        self.learned = replace(
            learned,
            config=tracking_config(learned.config, self.settings),
            rates={name: rate.to(self.device) for name, rate in learned.rates.items()},
        )
        self.model: MaskRCNN = self.learned.build_model().to(self.device)
        self.model.bf16 = self.settings.bf16 and bfloat16_pays(self.device)
        # One copy of theta0 serves all: the model's own.
        self.learned = replace(self.learned, state=self.model.state_dict())
        names = self.learned.learning_names(drop_frozen=True)
        self.start = {name: self.learned.state[name] for name in names}
        self.depth = self.model.frozen_depth(self.start)
        self.examples = Examples(self.model, self.depth, self.settings)
        self._outlines: Outlines | None = None
        if self.settings.outline not in WITHOUT_NETWORK:
            drawn_by = find_outline(self.settings.outline)
            ctx.used_file(drawn_by)
            self._outlines = Outlines(drawn_by, self.device, bf16=self.model.bf16)
        self.objects: dict[int, TrackedObject] = {}

    def init(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Fine-tune one model for each object."""
        self.objects = {}
        self.features: FrameFeatures | None = self.examples.look(frame.image)
        self._colours: tuple[int, Bins] | None = None
        self._motion = Motion(frame.image) if self.settings.motion else None
        self._learn(frame, targets, ctx)

    def track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        """Probabilities of all objects, for every number of steps that is asked for."""
        self.features = self.examples.look(frame.image)
        if self._motion is not None:
            self._motion.see(frame.image)
        pasted: dict[tuple[int, int], Scores] = {}
        for steps in self._steps(ctx):
            known = {i: t.states[steps] for i, t in self.objects.items() if steps in t.states}
            for state in known.values():
                state.expect(self._motion, frame.size, self.features.size)
            found = {
                i: self._candidates(
                    frame, i, s, [o.box for j, o in known.items() if j != i and o.box], ctx.seed
                )
                for i, s in known.items()
            }
            for identity, answer in self._answer(frame, known, found).items():
                pasted[identity, steps] = answer
        self._learn(frame, targets, ctx)
        nothing = np.zeros(frame.size, np.float32)
        answers = {}
        for steps in self._steps(ctx):
            maps = [
                targets[i].astype(np.float32) if i in targets else pasted.get((i, steps), nothing)
                for i in self.objects
            ]
            stacked = np.stack(maps) if maps else np.zeros((0, *frame.size), np.float32)
            answers[steps] = Prediction.from_probabilities(tuple(self.objects), stacked)
        asked = ctx.snapshots.get("iterations", ())
        variants = {f"iterations={n}": answers[int(n)] for n in asked}
        return replace(answers[self.settings.iterations], variants=variants)

    def update(self, frame: Frame, prediction: LabelMap, ctx: Context) -> None:  # noqa: ARG002
        """Adapt online to own predictions, every `online_every` frames."""
        if not self.settings.online or self.features is None:
            return
        features, after_step = self.features, _counted(ctx)
        for tracked in self.objects.values():
            since = frame.index - tracked.first
            for state in tracked.states.values() if since else ():
                state.memory.observe(
                    state.probabilities,
                    state.score,
                    state.window.largest(),
                    lambda target: self.examples.example(features.whole(), target),
                )
                if since % self.settings.online_every == 0:
                    self._adapt(frame, tracked, state, ctx.seed, after_step)
                    seen = state.probabilities is not None and (state.probabilities >= 0.5).any()
                    state.began = state.box if seen else None
                    if self.conventions.forget_lost:
                        state.box = state.began

    def close(self, ctx: Context) -> None:  # noqa: ARG002
        """Forget the sequence."""
        self.objects = {}
        self.features = None

    def _steps(self, ctx: Context) -> list[int]:
        """Numbers of fine-tuning steps after which a model is kept."""
        asked = ctx.snapshots.get("iterations", ())
        return sorted({self.settings.iterations, *(int(n) for n in asked)})

    @property
    def _alone(self) -> bool:
        """Whether no other object is known: then steps learn from views, and are averaged."""
        return len(self.objects) == 1

    def _learn(self, frame: Frame, targets: Targets, ctx: Context) -> None:
        """Fine-tune on the objects that `targets` gives away, all to the first number of steps,
        then all to the next, so that the marks tell what each number alone would have taken."""
        runs = {}
        first_boxes, tables = {}, {}
        self.objects |= {i: TrackedObject(i, frame.index) for i in targets}
        after_step = _counted(ctx)
        for identity, mask in targets.items():
            tracked = self.objects[identity]
            if mask.any():
                assert self.features is not None
                given = self.examples.example(self.features.whole(), mask)
                if self._outlines is not None:
                    tables[identity] = colour_table(frame.image, mask)
                first_boxes[identity] = tuple(given.targets[0]["boxes"][0].tolist())
                tracked.given = given if self.settings.online else None
                seed = ctx.seed, _VIEWS, identity, frame.index
                batches = self.examples.batches(frame, mask, given, seed, alone=self._alone)
                runs[identity] = fine_tune(
                    self.model,
                    self.learned,
                    self.start,
                    batches,
                    at=self._steps(ctx),
                    seed=derive_seed(ctx.seed, _FINE_TUNING, identity, frame.index),
                    average=self.settings.average if self._alone else 0.0,
                    after_step=after_step,
                )
        for steps in self._steps(ctx):
            for identity, run in runs.items():
                _, params = next(run)
                tracked, box = self.objects[identity], first_boxes[identity]
                memory = Memory(self.settings.online_frames)
                mask = targets[identity]
                window = Window()
                window.observe(frame.index, box, int(mask.sum()))
                colours = Colours(self._bins(frame), mask) if self.settings.colours else None
                tracked.states[steps] = ObjectState(
                    params, params, box, memory, box, window, mask, colours, tables.get(identity)
                )
            if runs:
                ctx.snapshot_ready(f"iterations={steps}")

    @torch.no_grad()
    def _candidates(
        self, frame: Frame, identity: int, state: ObjectState, others: Sequence[Box], seed: int
    ) -> Candidates:
        """What the object's detector takes for it in this frame, and what can be it.

        Args:
            others: where other objects are expected.
        """
        assert self.features is not None
        size = self.features.size
        region = everywhere = whole_image(size)
        recent = state.overview is not None and state.overview.serves(frame.index)
        if recent and state.box and state.score >= SURE:
            region = surroundings(state.box, size)
        if any(region.meets(box) for box in others):  # alike ones are told apart by all boxes
            region = everywhere
        around = self._candidates_in(region, frame, identity, state, seed)
        if region == everywhere or around.are_enough(size):
            return around
        return self._candidates_in(everywhere, frame, identity, state, seed)

    def _candidates_in(
        self, region: Region, frame: Frame, identity: int, state: ObjectState, seed: int
    ) -> Candidates:
        """`_candidates` in a region of the frame; boxes are in the whole."""
        assert self.features is not None
        settings, size = self.settings, self.features.size
        options: dict[str, object] = {
            "max_detections": CANDIDATES,
            "growths": (),
            "kept_proposals": settings.proposals_alone or settings.proposals,
        }
        if settings.continuity > 0 and state.box:
            options["rank"] = near(region.inside(state.box), settings.continuity)
        if settings.box_propagation and state.box:
            generator = torch.Generator().manual_seed(
                derive_seed(seed, _PROPAGATION, identity, frame.index)
            )
            # Up to whole cells of the coarsest map, see `Backbone.start`.
            whole = padded(region.height), padded(region.width)
            boxes = propagate(
                region.inside(state.box),
                settings.propagated_boxes,
                whole if self.conventions.propose_in_padding else region.size,
                generator,
                itself=self.conventions.last_box_too,
            )
            options["proposals"] = [boxes.to(self.device)]
            # In a region they are enough: what they do not find for sure is looked for everywhere.
            options["kept_proposals"] = settings.proposals if region.size == size else 0
        found: Detections
        seen = self.features.within(region)
        if region.size != size and state.overview is not None:
            options["moments"] = state.overview.moments
        [found] = functional_call(self.model, dict(state.params), (seen,), options)
        if region.size == size and settings.crop:
            state.overview = Overview(frame.index, found.pyramid.moments)
        found = replace(found, boxes=found.boxes + region.offset(found.boxes))
        look = state.colours.look(self._bins(frame), size) if state.colours else None
        overlap, possible = judge(found, size, frame.index, state, look, self.settings)
        worth = found.scores + settings.continuity * overlap
        if look is not None:
            worth = worth + torch.from_numpy(look.of_boxes(found.boxes)).to(worth)
        worth = worth.masked_fill(~possible, -torch.inf)
        claim = worth + CLAIM * overlap
        return Candidates(
            found.boxes,
            found.scores,
            worth,
            claim,
            found.pyramid,
            region,
            overlap,
            state.window.gap(frame.index),
            state.window.largest(),
            look,
        )

    def _answer(
        self, frame: Frame, known: dict[int, ObjectState], found: dict[int, Candidates]
    ) -> dict[int, Scores]:
        """Probabilities (H, W) of all objects by id."""
        decided = decide(
            found,
            {i: state.carried for i, state in known.items()},
            lambda i, best: self._cut_out(frame, known[i], found[i], best),
            rivals=self.settings.rivals,
        )
        return {
            i: self._take_note(frame, state, found[i], decided[i]) for i, state in known.items()
        }

    @torch.no_grad()
    def _cut_out(
        self, frame: Frame, state: ObjectState, found: Candidates, best: int | None
    ) -> Scores:
        """Probabilities (H, W) of an object at native size, from the detection chosen for it; all 0
        where it is not to be seen.

        With `motion`, an object that no detection can be is read from its expected box: for a
        while, and as long as motion knows where it should be (`decide` asks for more then).
        """
        assert self.features is not None
        size = self.features.size
        if best is not None:
            box = found.boxes[best : best + 1]
        elif (
            self._motion is not None
            and state.box
            and (found.since <= HELD or state.carried is not None)
        ):
            box = found.boxes.new_tensor([state.box])
        else:
            return np.zeros(frame.size, np.float32)
        growths = MASK_GROWTHS if self.settings.sizes else (0.0,)
        offset = found.region.offset(box)
        inside = clip_boxes_to_image(grow_boxes(box, growths)[0] - offset, found.region.size)
        logits: Tensor = functional_call(
            self.model, dict(state.params), (found.pyramid,), {"boxes": inside}
        )
        boxes = inside + offset
        scale = torch.tensor([frame.size[1] / size[1], frame.size[0] / size[0]] * 2)
        return self.conventions.paste(logits, boxes.cpu() * scale, frame.size)

    def _take_note(
        self, frame: Frame, state: ObjectState, found: Candidates, decision: Decision
    ) -> Scores:
        """Remember where the object was seen; its probabilities (H, W) as they are answered."""
        assert self.features is not None
        native, best = decision.mask, decision.best
        mask = native > 0.5
        seen = tight_box(mask)
        if seen is None:
            state.score, state.probabilities, state.mask = 0.0, None, None
            if self.conventions.forget_lost:
                state.box = state.began
            return native
        state.score, state.probabilities, state.mask = 0.0, native, mask
        state.box = scale_box(seen, frame.size, self.features.size)
        if best is not None:
            state.score = float(found.scores[best])
            x1, y1, x2, y2 = found.boxes[best].tolist()
            state.window.observe(frame.index, (x1, y1, x2, y2), int(mask.sum()))
            if state.colours is not None:
                state.colours.observe(self._bins(frame), mask)
        return self.outline(frame.image, native, state)

    def outline(self, image: Image, probabilities: Scores, state: ObjectState) -> Scores:
        """Probabilities (H, W) of an object with its outline as it is answered."""
        if self.settings.outline == "mask":
            return probabilities
        if self._outlines is not None and state.table is not None:
            probabilities = self._outlines(image, probabilities, state.carried, state.table)
        return follow_edges(image, probabilities, self.device)

    def _bins(self, frame: Frame) -> Bins:
        """The colours of a frame, looked up once for all objects."""
        if self._colours is None or self._colours[0] != frame.index:
            self._colours = frame.index, colour_bins(frame.image)
        return self._colours[1]

    def _adapt(
        self,
        frame: Frame,
        tracked: TrackedObject,
        state: ObjectState,
        seed: int,
        after_step: Callable[[], object] = lambda: None,
    ) -> None:
        """`online_iterations` steps from theta_T on the given frame and the remembered ones."""
        assert tracked.given is not None
        examples = [tracked.given, *state.memory.examples]
        state.overview = None
        *_, (_, state.params) = fine_tune(
            self.model,
            self.learned,
            state.base,
            cycle(examples, self.settings.batch),
            at=(self.settings.online_iterations,),
            seed=derive_seed(seed, _ONLINE, tracked.identity, frame.index),
            average=self.settings.average if self._alone else 0.0,
            after_step=after_step,
        )


def _counted(ctx: Context) -> Callable[[], None]:
    """Tells the harness after each fine-tuning step of a call that it gets on."""
    steps = itertools.count(1)
    return lambda: ctx.progress(next(steps))
