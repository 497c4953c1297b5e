"""Identity switches: one object's mask on another. Defined here."""

from __future__ import annotations

import math

import numpy as np

from vosbench.metrics.sequence import Measured, SequenceMetric, SequenceTracks
from vosbench.metrics.tracks import intersection_over_union

#: A prediction that overlaps another object by at least the one, its own by less than the other.
ON_OTHER = 0.5
ON_OWN = 0.1


class Switches(SequenceMetric):
    """Share of the frames after its given one in which an object's prediction lies on another
    object; mean over objects. A lone object never switches."""

    def measure(self, tracks: SequenceTracks) -> Measured:
        found = list(tracks.tracks.values())
        annotated = np.stack([track.annotated for track in found], axis=1)
        predicted = np.stack([track.predicted for track in found], axis=1)
        count = len(found)
        common = tracks.crossings[:, :count, :count]
        overlaps = intersection_over_union(common, annotated[:, :, None], predicted[:, None, :])
        overlaps[common == 0] = 0.0  # both empty is no overlap here
        out = Measured()
        for j, (obj, track) in enumerate(tracks.tracks.items()):
            own = overlaps[:, j, j]
            other = np.delete(overlaps[:, :, j], j, axis=1).max(axis=1, initial=0.0)
            switched = (other >= ON_OTHER) & (own < ON_OWN)
            after = switched[track.after]
            out.objects[obj] = {"Switches": float(after.mean()) if after.size else math.nan}
        there = [row["Switches"] for row in out.objects.values()]
        there = [value for value in there if not math.isnan(value)]
        out.sequence = {"Switches": float(np.mean(there)) if there else math.nan}
        out.totals = {"Switches": np.array([sum(there), len(there)], dtype=np.float64)}
        return out
