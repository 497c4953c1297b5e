"""A training run in a folder: steps of AdamW, a checkpoint, curves, weights at the end.

    class MyTraining(TrainingRun):
        def backward(self): ...          # compute losses, call backward, return what is logged
        def export(self): ...            # write the weights
    MyTraining(net, groups, settings, folder, identity=..., columns=("loss",)).run()

It resumes from the folder's checkpoint as if it had never stopped.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from vosbench_learning.checkpoint import load_checkpoint, plain, save_checkpoint
from vosbench_learning.progress import Bar, Log
from vosbench_learning.schedule import warmup_cosine


class RunSettings(Protocol):
    """What a run's settings must say.

    Attributes:
        steps: optimiser steps. warmup: steps over which learning rates rise; then they fall to
            zero along a cosine.
        decay: weight decay. clip: largest norm of the gradient.
        checkpoint_every: in steps.
    """

    @property
    def steps(self) -> int: ...
    @property
    def warmup(self) -> int: ...
    @property
    def decay(self) -> float: ...
    @property
    def clip(self) -> float: ...
    @property
    def checkpoint_every(self) -> int: ...


class TrainingRun(ABC):
    """`checkpoint.pt` and `losses.csv` in `folder`, and whatever `export` writes.

    Args:
        title: of the progress bar.
        net: trained in place.
        groups: (parameters, their learning rate).
        identity: what must be equal for a run to be resumed.
        columns: what `backward` returns, beside the gradient's norm.

    Raises:
        RunError: the folder holds a run of another identity.
    """

    def __init__(
        self,
        title: str,
        net: nn.Module,
        groups: Sequence[tuple[Sequence[nn.Parameter], float]],
        settings: RunSettings,
        folder: Path,
        *,
        identity: Mapping[str, Any],
        columns: Sequence[str],
    ) -> None:
        self.folder = folder
        self.step = 0
        self.seconds = 0.0
        self._title = title
        self._net = net
        self._run = settings
        self._columns = tuple(columns)
        self._parameters = [p for parameters, _ in groups for p in parameters]
        self._optimiser = torch.optim.AdamW(
            [{"params": list(parameters), "rate": rate} for parameters, rate in groups],
            lr=max(rate for _, rate in groups),
            weight_decay=settings.decay,
        )
        self._identity = plain({k: v for k, v in identity.items() if k != "checkpoint_every"})
        folder.mkdir(parents=True, exist_ok=True)
        stored = load_checkpoint(folder / "checkpoint.pt", self._identity)
        if stored is not None:
            net.load_state_dict(stored["state"], strict=True)
            self._optimiser.load_state_dict(stored["optimiser"])
            self.step, self.seconds = stored["step"], stored["seconds"]

    @abstractmethod
    def backward(self) -> dict[str, float]:
        """Compute the losses of step number `step`, backpropagate, return what is logged."""

    @abstractmethod
    def export(self) -> None:
        """Write the weights as they are now."""

    def run(self, *, quiet: bool = False) -> None:
        """Train to the last step, from wherever the folder's checkpoint left off."""
        steps = self._run.steps
        log = Log(self.folder, "losses", (*self._columns, "norm", "seconds"), start=self.step)
        with Bar(self._title, steps, done=self.step, quiet=quiet) as bar:
            while self.step < steps:
                start = time.monotonic()
                values = self.advance()
                self.seconds += time.monotonic() - start
                log.write(self.step, {**values, "seconds": self.seconds})
                bar.update(self.step, " ".join(f"{k} {values[k]:.3f}" for k in self._columns))
                if self.step % self._run.checkpoint_every == 0 or self.step == steps:
                    self.checkpoint()

    def advance(self) -> dict[str, float]:
        """One optimiser step: what `backward` returned, and `norm` of the gradient."""
        self._optimiser.zero_grad()
        values = self.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._run.clip)
        factor = warmup_cosine(self.step, self._run.steps, self._run.warmup)
        for group in self._optimiser.param_groups:
            group["lr"] = group["rate"] * factor
        self._optimiser.step()
        self.step += 1
        return {**values, "norm": float(norm)}

    def checkpoint(self) -> None:
        """Write what a resumed run needs, and the weights."""
        save_checkpoint(
            self.folder / "checkpoint.pt",
            {
                "settings": self._identity,
                "state": self._net.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
        )
        self.export()
