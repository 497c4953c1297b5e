"""Meta-training of e-OSVOS (NeurIPS 2020, sec. 3.1): learn theta0 and lambda over tasks.

For each task: `inner_steps` SGD steps on one augmented frame, or on it and new views of it in turn,
then the loss on another frame; its first-order gradient in closed form; RAdam over batches of
tasks; learning rates clamped to >= 0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from vosbench_eosvos.finetune import device_of, uncounted
from vosbench_eosvos.learned import LearnedOptimiser, outer_gradients
from vosbench_eosvos.model import MaskRCNN
from vosbench_eosvos.training.pretrain import LOSSES
from vosbench_eosvos.training.tasks import Task, TaskSampler, TaskSettings
from vosbench_eosvos.variants import Settings
from vosbench_learning import distributed
from vosbench_learning.checkpoint import load_checkpoint, plain, save_checkpoint
from vosbench_learning.corpus import Corpus
from vosbench_learning.devices import Loader, moved
from vosbench_learning.progress import Bar, Log
from vosbench_learning.schedule import warmup_cosine

#: Scores of the present state on held-out sequences, by name; "score" is what selects.
Validation = Callable[[LearnedOptimiser, MaskRCNN], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class MetaSettings:
    """How meta-training runs.

    Attributes:
        steps: meta steps. tasks: tasks a step.
        inner_steps: SGD steps of the inner optimisation; each task draws one of these numbers. The
            paper's T is 5; several make weights that are good after few steps and after many.
        inner_average: what is tested is the mean of the parameters after this share of the inner
            steps, the last ones, as trackers take it.
        rate: RAdam's learning rate for theta0. lr_of_rates: for lambda, in units of the initial
            learning rate; 0 keeps lambda fixed (the per-dataset fine-tuning of theta0).
        memory: RAdam's beta2. Its rectification holds steps back over the first 2 / (1 - memory)
            steps, which with the usual .999 is longer than a short run.
        warmup: steps over which both rise; a cosine takes them to a tenth at the end.
        decay: decoupled weight decay of theta0.
        clip: largest norm of one task's gradient of theta0; its rates' gradient shrinks with it.
        average: what is validated and exported is the running mean of theta0 and lambda over about
            the last 1 / (1 - average) steps, which evens out what single batches of tasks do to
            them; 0 exports the last step's.
        second_order: differentiate through the inner steps instead (slow, for comparison).
        tasks_from: see `TaskSettings`.
        checkpoint_every, validate_every: in steps.
        seed: of every random draw.
    """

    steps: int = 400
    tasks: int = 4
    inner_steps: tuple[int, ...] = (5,)
    inner_average: float = Settings.average
    rate: float = 1.5e-4
    lr_of_rates: float = 0.08
    memory: float = 0.99
    warmup: int = 20
    decay: float = 0.0
    clip: float = 10.0
    average: float = 0.98
    second_order: bool = False
    tasks_from: TaskSettings = field(default_factory=TaskSettings)
    checkpoint_every: int = 10
    validate_every: int = 50
    seed: int = 0


@dataclass(frozen=True)
class TaskResult:
    """Gradients and losses of one task.

    Attributes:
        theta, rates: outer gradients by name.
        before, inner, outer: training loss at the first and last inner step (of the frame, and of
            whatever that step learned from), test loss (all its parts, in the order of `LOSSES`).
    """

    theta: dict[str, Tensor]
    rates: dict[str, Tensor]
    before: Tensor
    inner: Tensor
    outer: Tensor


def solve_task(
    model: MaskRCNN,
    learned: LearnedOptimiser,
    task: Task,
    steps: int,
    *,
    average: float = 0.0,
    second_order: bool = False,
) -> TaskResult:
    """Inner optimisation and outer gradient of one task. Draws RoIs from torch's generator.

    What is tested is the mean of the parameters after the last steps, a share `average` of them.
    """
    if second_order:
        return _solve_second_order(model, learned, task, steps, average)
    start = params = learned.initial_parameters()
    counted = steps - uncounted(steps, average)
    depth = model.frozen_depth(params)
    with torch.no_grad():
        train = [(model(image, stop=depth), target) for image, target in task.train]
    total = {n: torch.zeros_like(p) for n, p in params.items()}
    trace = [torch.zeros((), device=device_of(model))]
    for step in range(steps):
        features, target = train[task.turn(step)]
        loss = _sum(functional_call(model, params, (features, [target])))
        grads = _gradients(loss, params)
        for n, g in grads.items():  # by how many of the counted iterates hold it
            total[n] += g * min(1, (steps - step) / counted)
        params = learned.step(params, grads)
        trace.append(loss.detach())
    params = learned.step(start, total)
    losses = functional_call(model, params, (task.test[0], [task.test[1]]))
    outer = _gradients(_sum(losses), params)
    theta, rates = outer_gradients(learned, total, outer)
    parts = torch.stack([losses[k].detach() for k in LOSSES])
    return TaskResult(theta, rates, trace[min(1, steps)], trace[-1], parts)


def _solve_second_order(
    model: MaskRCNN, learned: LearnedOptimiser, task: Task, steps: int, average: float
) -> TaskResult:
    start = learned.initial_parameters()
    held = {n: r.detach().clone().requires_grad_() for n, r in learned.rates.items()}
    through = LearnedOptimiser(
        learned.config, learned.level, learned.state, held, {}, learned.learning
    )
    params: dict[str, Tensor] = dict(start)
    iterates = [params]
    trace = [torch.zeros((), device=device_of(model))]
    for step in range(steps):
        image, target = task.train[task.turn(step)]
        loss = _sum(functional_call(model, params, (image, [target])))
        grads = torch.autograd.grad(
            loss,
            list(params.values()),
            create_graph=True,
            materialize_grads=True,
            allow_unused=True,
        )
        params = {
            n: p - through.rate(n) * g for (n, p), g in zip(params.items(), grads, strict=True)
        }
        iterates.append(params)
        trace.append(loss.detach())
    last = iterates[uncounted(steps, average) + 1 :]
    params = {n: torch.stack([p[n] for p in last]).mean(0) for n in start}
    losses = functional_call(model, params, (task.test[0], [task.test[1]]))
    found = _gradients(_sum(losses), {**start, **{f"rate {n}": r for n, r in held.items()}})
    parts = torch.stack([losses[k].detach() for k in LOSSES])
    return TaskResult(
        {n: found[n] for n in start},
        {n: found[f"rate {n}"] for n in held},
        trace[min(1, steps)],
        trace[-1],
        parts,
    )


def _sum(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(losses.values())).sum()


def _gradients(loss: Tensor, params: dict[str, Tensor]) -> dict[str, Tensor]:
    grads = torch.autograd.grad(
        loss, list(params.values()), allow_unused=True, materialize_grads=True
    )
    return dict(zip(params, grads, strict=True))


def search_rate(
    model: MaskRCNN,
    learned: LearnedOptimiser,
    corpus: Corpus,
    settings: MetaSettings,
    candidates: Sequence[float],
    *,
    tasks: int = 12,
) -> dict[float, float]:
    """Mean test loss over `tasks` training tasks for each single learning rate.

    Rates whose loss is not finite get infinity.
    """
    sampler = TaskSampler(corpus, settings.tasks_from)
    device = device_of(model)
    steps = max(settings.inner_steps)
    sums = torch.zeros(len(candidates), device=device)
    for unit in distributed.own_units(tasks):
        seed = distributed.unit_seed(settings.seed + 1, 0, unit)
        task = moved(sampler.task(np.random.default_rng(seed), steps), device)
        for i, rate in enumerate(candidates):
            torch.manual_seed(seed)
            trial = LearnedOptimiser.create(model, "global", rate)
            trial.state = learned.state
            result = solve_task(model, trial, task, steps, average=settings.inner_average)
            sums[i] += result.outer.sum() / tasks
    distributed.all_reduce_sum([sums])
    return {
        r: float(v) if np.isfinite(v) else float("inf")
        for r, v in zip(candidates, sums.tolist(), strict=True)
    }


class MetaTraining:
    """A run in a folder: `checkpoint.pt`, `losses.csv`, `validation.csv`, the last and the best
    running mean as `last.safetensors` and `best.safetensors`.

    Attributes:
        learned: what is trained. mean: its running mean, see `MetaSettings.average`.
    """

    def __init__(
        self,
        learned: LearnedOptimiser,
        corpus: Corpus,
        settings: MetaSettings,
        folder: Path,
        *,
        validation: Validation | None = None,
        bf16: bool = False,
        device: torch.device | None = None,
        loaders: int = 0,
    ) -> None:
        """`device`: to train on, the CPU by default; `loaders`: threads that draw tasks ahead."""
        self.device = device or torch.device("cpu")
        learned = learned.to(self.device)
        self.learned = learned
        self.mean = replace(
            learned,
            state=learned.state | {n: learned.state[n].clone() for n in learned.learning},
            rates={n: r.clone() for n, r in learned.rates.items()},
        )
        self.settings = settings
        self.folder = folder
        self.model: MaskRCNN = learned.build_model().to(self.device)
        self.model.bf16 = bf16
        self.step = 0
        self.seconds = 0.0
        self.best = -np.inf
        self._validation = validation
        self._sampler = TaskSampler(corpus, settings.tasks_from)
        self._loader = Loader(self._draw, settings.tasks, self.device, loaders)
        self._theta = {n: learned.state[n] for n in learned.learning}
        typical = float(torch.cat([r.reshape(-1) for r in learned.rates.values()]).median())
        self._optimiser = torch.optim.RAdam(
            [
                {
                    "params": list(self._theta.values()),
                    "rate": settings.rate,
                    "weight_decay": settings.decay,
                },
                {"params": list(learned.rates.values()), "rate": settings.lr_of_rates * typical},
            ],
            lr=settings.rate,
            betas=(0.9, settings.memory),
            decoupled_weight_decay=True,
        )
        self._identity = plain(
            {
                "model": learned.config.to_dict(),
                "level": learned.level,
                **{k: v for k, v in asdict(settings).items() if not k.endswith("_every")},
            }
        )
        self._resume()

    def _resume(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        stored = load_checkpoint(self.folder / "checkpoint.pt", self._identity)
        if stored is None:
            return
        with torch.no_grad():
            for learned, theta, rates in (
                (self.learned, stored["theta"], stored["rates"]),
                (self.mean, stored["mean_theta"], stored["mean_rates"]),
            ):
                for name, value in theta.items():
                    learned.state[name].copy_(value)
                for name, value in rates.items():
                    learned.rates[name].copy_(value)
        self._optimiser.load_state_dict(stored["optimiser"])
        self.step, self.seconds, self.best = stored["step"], stored["seconds"], stored["best"]

    def run(self) -> None:
        """Train to the last step, from wherever the folder's checkpoint left off."""
        lead = distributed.rank() == 0
        columns = ("before", "inner", "outer", *LOSSES, "norm", "failed", "seconds")
        losses = Log(self.folder, "losses", columns, start=self.step) if lead else None
        self._scores: Log | None = None
        if self.step == 0:
            self._validate(lead)
        with Bar("metatrain", self.settings.steps, done=self.step, quiet=not lead) as bar:
            while self.step < self.settings.steps:
                start = time.monotonic()
                values = self.advance()
                self.seconds += time.monotonic() - start
                values["seconds"] = self.seconds
                if losses is not None:
                    losses.write(self.step, values)
                    bar.update(self.step, f"outer {values['outer']:.3f}")
                last = self.step == self.settings.steps
                if last or self.step % self.settings.validate_every == 0:
                    self._validate(lead)
                if lead and (last or self.step % self.settings.checkpoint_every == 0):
                    self.checkpoint()
        if lead and not self.settings.steps:  # what it started from
            self._export("last")
        self._loader.close()

    def _draw(self, step: int, unit: int) -> tuple[Task, int]:
        """A task and the number of its inner steps."""
        seed = distributed.unit_seed(self.settings.seed, step, unit)
        random = np.random.default_rng(seed)
        steps = int(random.choice(self.settings.inner_steps))
        return self._sampler.task(random, steps), steps

    def advance(self) -> dict[str, float]:
        """One meta step; returns the mean losses over its tasks."""
        count = self.settings.tasks
        theta = {n: torch.zeros_like(p) for n, p in self._theta.items()}
        rates = {n: torch.zeros_like(r) for n, r in self.learned.rates.items()}
        values = torch.zeros(5 + len(LOSSES), device=self.device)
        for unit, (task, steps) in self._loader.step(self.step):
            torch.manual_seed(distributed.unit_seed(self.settings.seed, self.step, unit))
            result = solve_task(
                self.model,
                self.learned,
                task,
                steps,
                average=self.settings.inner_average,
                second_order=self.settings.second_order,
            )
            norm = torch.cat([g.reshape(-1) for g in result.theta.values()]).norm()
            if not norm.isfinite() or not result.outer.isfinite().all():
                values[4] += 1  # a diverged task teaches nothing
                continue
            share = (self.settings.clip / norm.clamp(min=1e-12)).clamp(max=1) / count
            for n, g in result.theta.items():
                theta[n] += share * g
            for n, g in result.rates.items():
                rates[n] += share * g
            head = torch.stack(
                [result.before, result.inner, result.outer.sum(), norm, torch.zeros_like(norm)]
            )
            values += torch.cat([head, result.outer])
        distributed.all_reduce_sum([*theta.values(), *rates.values(), values])
        factor = warmup_cosine(self.step, self.settings.steps, self.settings.warmup, floor=0.1)
        for group in self._optimiser.param_groups:
            group["lr"] = group["rate"] * factor
        for tensors, grads in ((self._theta, theta), (self.learned.rates, rates)):
            for n, t in tensors.items():
                t.grad = grads[n]
        self._optimiser.step()
        for rate in self.learned.rates.values():
            rate.clamp_(min=0)
            rate.grad = None
        for t in self._theta.values():
            t.grad = None
        self.step += 1
        self._average()
        solved = max(1.0, count - float(values[4]))
        before, inner, outer, norm, failed, *parts = values.tolist()
        return {
            "before": before / solved,
            "inner": inner / solved,
            "outer": outer / solved,
            "norm": norm / solved,
            "failed": failed,
            **{k: v / solved for k, v in zip(LOSSES, parts, strict=True)},
        }

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running mean; in the beginning it spans a tenth of the steps so far."""
        weight = max(1 - self.settings.average, 1 / (1 + self.step / 10))
        for n, t in self._theta.items():
            self.mean.state[n].lerp_(t, weight)
        for n, rate in self.learned.rates.items():
            self.mean.rates[n].lerp_(rate, weight)

    def _validate(self, lead: bool) -> None:
        if self._validation is None:
            return
        start = time.monotonic()
        scores = self._validation(self.mean, self.model)
        if not lead:
            return
        if self._scores is None:
            self._scores = Log(
                self.folder, "validation", (*scores, "took", "seconds"), start=self.step
            )
        took = time.monotonic() - start
        self._scores.write(self.step, {**scores, "took": took, "seconds": self.seconds})
        if scores["score"] > self.best:
            self.best = scores["score"]
            self._export("best")

    def _export(self, name: str) -> None:
        self.mean.provenance = {
            **{k: v for k, v in self.learned.provenance.items() if k != "meta"},
            "meta": {
                "steps": self.step,
                "seconds": round(self.seconds),
                "validation": self.best if np.isfinite(self.best) else None,
                "settings": self._identity,
            },
        }
        self.mean.save(self.folder / f"{name}.safetensors", half=True)

    def checkpoint(self) -> None:
        """Write what a resumed run needs, and the weights."""
        content: dict[str, Any] = {
            "settings": self._identity,
            "theta": self._theta,
            "rates": self.learned.rates,
            "mean_theta": {n: self.mean.state[n] for n in self._theta},
            "mean_rates": self.mean.rates,
            "optimiser": self._optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best": float(self.best),
        }
        save_checkpoint(self.folder / "checkpoint.pt", content)
        self._export("last")
