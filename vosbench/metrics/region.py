"""Region similarity J: how much of two masks is common (Perazzi et al., CVPR 2016)."""

from __future__ import annotations

import numpy as np

from vosbench.types import Mask


def region_similarity(annotation: Mask, prediction: Mask) -> float:
    """Intersection over union of two masks, bool (H, W); 1 where both are empty.

    Raises:
        ValueError: the shapes differ.
    """
    if annotation.shape != prediction.shape:
        raise ValueError(f"masks differ in shape: {annotation.shape} and {prediction.shape}")
    intersection = int(np.count_nonzero(annotation & prediction))
    union = int(np.count_nonzero(annotation | prediction))
    return jaccard(intersection, union)


def jaccard(intersection: int, union: int) -> float:
    """J from counts of pixels; 1 where the union is empty."""
    return intersection / union if union else 1.0
