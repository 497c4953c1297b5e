"""Whether a tracker's answer is valid. Wrong shapes, types, ids and values are never mended."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from vosbench.types import Prediction


class InvalidPrediction(ValueError):
    """A tracker's answer that cannot be used; the message says what is wrong with it."""


def check_prediction(
    prediction: Any, size: tuple[int, int], known: Iterable[int], variants: Iterable[str] = ()
) -> None:
    """Raise InvalidPrediction saying what is wrong with a tracker's answer.

    Args:
        prediction: what `track` returned.
        size: (height, width) of the frame.
        known: ids of the objects given so far.
        variants: names of the variants that were asked for.
    """
    if not isinstance(prediction, Prediction):
        raise InvalidPrediction(f"track returned {type(prediction).__name__}, not a Prediction")
    if (prediction.labels is None) == (prediction.scores is None):
        raise InvalidPrediction("a Prediction has either labels or scores")
    known = set(known)
    if prediction.labels is not None:
        _check_labels(prediction.labels, size, known)
    else:
        _check_scores(prediction.scores, prediction.ids, size, known)
    for name in variants:
        if name not in prediction.variants:
            raise InvalidPrediction(f"the prediction has no variant {name!r}, which was asked for")
        check_prediction(prediction.variants[name], size, known)


def _check_labels(labels: Any, size: tuple[int, int], known: set[int]) -> None:
    if not isinstance(labels, np.ndarray) or labels.dtype != np.uint8:
        kind = getattr(labels, "dtype", type(labels).__name__)
        raise InvalidPrediction(f"labels must be a numpy array of uint8, not {kind}")
    if labels.shape != size:
        raise InvalidPrediction(
            f"labels have shape {labels.shape}, the frame is {size} (height, width)"
        )
    if labels.max(initial=0) <= len(known) == max(known, default=0):
        return  # ids are 1..N, so that the cheap test is enough
    allowed = np.zeros(256, bool)
    allowed[[0, *known]] = True
    if not allowed[labels].all():
        unknown = sorted(set(np.unique(labels).tolist()) - {0, *known})
        raise InvalidPrediction(f"unknown object ids {unknown}; known are {sorted(known)}")


def _check_scores(
    scores: Any, ids: tuple[int, ...], size: tuple[int, int], known: set[int]
) -> None:
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float32:
        kind = getattr(scores, "dtype", type(scores).__name__)
        raise InvalidPrediction(f"scores must be a numpy array of float32, not {kind}")
    if scores.shape != (len(ids), *size):
        raise InvalidPrediction(
            f"scores have shape {scores.shape}, expected {(len(ids), *size)} for {len(ids)} ids"
        )
    if len(set(ids)) != len(ids):
        raise InvalidPrediction(f"object ids {list(ids)} repeat")
    if unknown := sorted(set(ids) - known):
        raise InvalidPrediction(f"unknown object ids {unknown}; known are {sorted(known)}")
    low, high = scores.min(initial=0.0), scores.max(initial=0.0)
    if np.isnan(low) or np.isnan(high):
        raise InvalidPrediction("scores contain NaN")
    # A softmax in float32 may exceed 1 by rounding.
    if low < -1e-4 or high > 1 + 1e-4:
        raise InvalidPrediction(f"scores must lie in [0, 1], not {low:.3g}..{high:.3g}")
