"""Scores on held-out sequences while training: region similarity J of a few frames of each.

This is a quick look with the plain IoU, for curves and for choosing a checkpoint. Results come
from `vosbench run` and `vosbench evaluate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call

from vosbench_eosvos.detect import choose, paste_all
from vosbench_eosvos.finetune import cycle, device_of, fine_tune, make_example, to_tensor
from vosbench_eosvos.learned import LearnedOptimiser
from vosbench_eosvos.model import MaskRCNN
from vosbench_eosvos.variants import Settings
from vosbench_learning import distributed
from vosbench_learning.corpus import Corpus


@dataclass(frozen=True, kw_only=True)
class ValidationSettings:
    """Attributes:
    stride: every so many frames are predicted.
    iterations: numbers of fine-tuning steps on the first frame that are scored; the last one
        selects.
    average: as the trackers' option of that name.
    min_score: detections below it count as an empty mask.
    """

    stride: int = 8
    iterations: tuple[int, ...] = (1, 10)
    average: float = Settings.average
    min_score: float = 0.3


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union, 1 where both are empty."""
    union = int((a | b).sum())
    return float((a & b).sum()) / union if union else 1.0


class FineTuneValidation:
    """Fine-tune on frame 0 of each sequence, predict later frames, mean J over sequences.

    Sequences are spread over processes. Returns {"score": J at the last number of iterations,
    "t<iterations>": J, "<sequence>": J at the last number}.
    """

    def __init__(self, corpus: Corpus, settings: ValidationSettings) -> None:
        self._corpus = corpus
        self._settings = settings
        self._sequences = corpus.sequences()

    def __call__(self, learned: LearnedOptimiser, model: MaskRCNN) -> dict[str, float]:
        at = self._settings.iterations
        device = device_of(model)
        table = torch.zeros(len(self._sequences), len(at), dtype=torch.float64, device=device)
        names = list(self._sequences)
        for unit in distributed.own_units(len(names)):
            frames = self._sequences[names[unit]]
            image, labels = self._corpus[frames[0]]
            start = learned.initial_parameters(drop_frozen=True)
            example = make_example(model, image, labels > 0, model.frozen_depth(start))
            runs = fine_tune(
                model,
                learned,
                start,
                cycle([example]),
                at=at,
                seed=0,
                average=self._settings.average,
            )
            for column, (_, params) in enumerate(runs):
                later = frames[:: self._settings.stride][1:]
                scores = [self._score(model, learned, params, i) for i in later]
                table[unit, column] = float(np.mean(scores))
        distributed.all_reduce_sum([table])
        last = table[:, -1]
        return {
            "score": float(last.mean()),
            **{f"t{t}": float(table[:, c].mean()) for c, t in enumerate(at)},
            **{n: float(v) for n, v in zip(names, last, strict=True)},
        }

    @torch.no_grad()
    def _score(
        self,
        model: MaskRCNN,
        learned: LearnedOptimiser,
        params: dict[str, torch.Tensor],
        index: int,
    ) -> float:
        image, labels = self._corpus[index]
        weights = {**{n: learned.state[n] for n in learned.learning}, **params}
        [found] = functional_call(
            model, weights, (to_tensor(image, device_of(model)),), {"max_detections": 1}
        )
        best = choose(found, min_score=self._settings.min_score)
        if best is None:
            return iou(np.zeros(labels.shape, bool), labels > 0)
        mask = paste_all(found.mask_logits[best], found.mask_boxes[best], labels.shape) > 0.5
        return iou(mask, labels > 0)


class DetectionValidation:
    """How well the pre-trained model finds the object without being told which one it is.

    {"top": mean J of the best-scored detection, "best": mean J of the best of all detections}.
    """

    def __init__(self, corpus: Corpus, stride: int = 12) -> None:
        self._corpus = corpus
        self._frames: Sequence[int] = [
            i for frames in corpus.sequences().values() for i in frames[::stride]
        ]

    @torch.no_grad()
    def __call__(self, model: MaskRCNN) -> dict[str, float]:
        top, best = [], []
        for index in self._frames:
            image, labels = self._corpus[index]
            [found] = model(to_tensor(image, device_of(model)))
            scores = [
                iou(paste_all(m, b, labels.shape) > 0.5, labels > 0)
                for m, b in zip(found.mask_logits, found.mask_boxes, strict=True)
            ]
            top.append(scores[0] if scores else 0.0)
            best.append(max(scores, default=0.0))
        return {"top": float(np.mean(top)), "best": float(np.mean(best))}
