"""The protocol of VOST (Tokmakov et al., CVPR 2023): objects that are cut, peeled, broken."""

from __future__ import annotations

from vosbench.metrics.protocols.base import ObjectScores, Row
from vosbench.metrics.protocols.davis import Davis2017
from vosbench.metrics.sequence.last_quarter import last_quarter
from vosbench.metrics.series import statistics


class Vost(Davis2017):
    """J over all frames and over their last quarter, the paper's J_tr ("J_last" in its tables).
    Void is background, predictions on it are errors, as in its program."""

    name = "vost"
    summary = "as davis2017, with J over the last quarter of the frames (J_last, the paper's J_tr)"
    strict_ids = False
    global_columns = (
        "J-Mean", "J-Recall", "J-Decay", "J_last-Mean", "J_last-Recall", "J_last-Decay",
    )  # fmt: skip
    object_columns = ("J-Mean", "J_last-Mean")

    def summarise(self, scores: ObjectScores) -> Row:
        mean, recall, decay = statistics(last_quarter(scores.values["J"]))
        last = {"J_last-Mean": mean, "J_last-Recall": recall, "J_last-Decay": decay}
        return {**super().summarise(scores), **last}
