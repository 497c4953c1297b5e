"""Volumetric J: an object's masks as one volume of space and time. Defined here."""

from __future__ import annotations

from vosbench.metrics.sequence import ObjectMetric, Track


class Volume(ObjectMetric):
    """Sum over frames of the intersection / sum of the union, the given frame left out.

    Frames count by their pixels, so an absent object that is rightly not predicted earns nothing,
    and a tracker that predicts nothing scores 0. An object that is neither annotated nor predicted
    anywhere has no value.
    """

    def values(self, track: Track) -> dict[str, float]:
        part = track.after
        common = int(track.common[part].sum())
        union = int(track.annotated[part].sum() + track.predicted[part].sum()) - common
        return {"J-Volume": common / union if union else float("nan")}
