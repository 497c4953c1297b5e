"""The sequence metrics that ship with vosbench, registered like those of any plugin."""

from __future__ import annotations

from collections.abc import Callable

from vosbench.hookspecs import hookimpl
from vosbench.metrics import Column, SequenceMetricSpec

_MEASURES = "vosbench.metrics.sequence"

SPECS = (
    SequenceMetricSpec(
        name="vots",
        metric=f"{_MEASURES}.vots:Vots",
        summary="those of the VOTS challenge, mean over objects, then over sequences",
        columns=(
            Column(name="VOTS-Q", summary="quality: mean overlap, absent frames included"),
            Column(name="VOTS-Accuracy", summary="mean overlap where the object is hit"),
            Column(name="VOTS-Robustness", summary="share of its frames in which it is hit"),
            Column(name="NRE", summary="share of its frames with no prediction", better="lower"),
            Column(name="DRE", summary="share of its frames predicted elsewhere", better="lower"),
            Column(name="ADQ", summary="share of absent frames without prediction"),
        ),
    ),
    SequenceMetricSpec(
        name="success",
        metric=f"{_MEASURES}.vots:Success",
        summary="area under the success curve",
        columns=(Column(name="Success-AUC", summary="mean share of frames above an overlap"),),
    ),
    SequenceMetricSpec(
        name="presence",
        metric=f"{_MEASURES}.presence:Presence",
        summary="frames in which the object is there, and those in which it is not, apart",
        columns=(
            Column(name="J-Present", summary="J where the object is annotated"),
            Column(name="F-Present", summary="F where the object is annotated"),
            Column(name="Silence", summary="share of absent frames without prediction"),
        ),
    ),
    SequenceMetricSpec(
        name="volume",
        metric=f"{_MEASURES}.volume:Volume",
        summary="J of an object's masks as one volume of space and time",
        columns=(Column(name="J-Volume", summary="volumetric J"),),
    ),
    SequenceMetricSpec(
        name="last-quarter",
        metric=f"{_MEASURES}.last_quarter:LastQuarter",
        summary="J over the last quarter of the frames, as VOST's J_tr",
        columns=(
            Column(name="J-last", summary="mean J over the last quarter of the frames"),
            Column(name="J-last-Recall", summary="share of these frames with J above 0.5"),
            Column(name="J-last-Decay", summary="how much J falls over them", better="lower"),
        ),
    ),
    SequenceMetricSpec(
        name="reacquisition",
        metric=f"{_MEASURES}.reacquisition:Reacquisition",
        summary="whether and how soon an object is found again that was gone",
        columns=(
            Column(name="Reacquired", summary="share of returns after which it is found"),
            Column(
                name="Reacquisition-Delay", summary="median frames until then",
                better="lower", unit="frames",
            ),
        ),
    ),
    SequenceMetricSpec(
        name="switches",
        metric=f"{_MEASURES}.switches:Switches",
        summary="predictions that lie on another object",
        columns=(Column(name="Switches", summary="share of frames on another", better="lower"),),
    ),
    SequenceMetricSpec(
        name="hota",
        metric=f"{_MEASURES}.hota:Hota",
        summary="higher order tracking accuracy of label maps, as BURST reports it",
        columns=(
            Column(name="HOTA", summary="geometric mean of detection and association"),
            Column(name="DetA", summary="detection accuracy"),
            Column(name="AssA", summary="association accuracy"),
        ),
    ),
    SequenceMetricSpec(
        name="boundary-iou",
        metric=f"{_MEASURES}.boundary_iou:BoundaryIou",
        summary="overlap of boundaries of 0.02 of the frame's diagonal",
        columns=(Column(name="Boundary-IoU", summary="overlap of the boundaries"),),
    ),
    SequenceMetricSpec(
        name="temporal-stability",
        metric=f"{_MEASURES}.stability:Stability",
        summary="T of DAVIS-2016, how much outlines change; unreliable under occlusion",
        columns=(Column(name="T", summary="5 times the mean cost", better="lower", unit=""),),
        slow=True,
    ),
)  # fmt: skip


@hookimpl
def vosbench_register_sequence_metrics(register: Callable[[SequenceMetricSpec], None]) -> None:
    """Add every sequence metric of this package by name."""
    for spec in SPECS:
        register(spec)
