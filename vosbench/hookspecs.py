"""Every hook of vosbench, typed and documented; nothing else.

Registration hooks are called once, when plugins load, and must be quick: no torch, no I/O.
Session hooks are called in a tracker's own process. A plugin writes either the session hooks or a
plain class with `init`, `track`, `update` and `close` (see `vosbench.types.Tracker`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from vosbench.datasets.base import DatasetSpec
    from vosbench.export import ExporterSpec
    from vosbench.metrics import MetricSpec, ProtocolSpec, SequenceMetricSpec
    from vosbench.running.executors import ExecutorSpec
    from vosbench.specs import TrackerSpec
    from vosbench.types import Context, Frame, LabelMap, Prediction, Targets

PROJECT = "vosbench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class RegistrationHooks:
    """What a plugin adds to the harness."""

    @hookspec
    def vosbench_register_trackers(self, register: Callable[[TrackerSpec], None]) -> None:
        """Add trackers: `register(TrackerSpec(name=..., factory="package.module:Class", ...))`."""

    @hookspec
    def vosbench_register_datasets(self, register: Callable[[DatasetSpec], None]) -> None:
        """Add datasets: `register(DatasetSpec(name=..., load=..., ...))`."""

    @hookspec
    def vosbench_register_metrics(self, register: Callable[[MetricSpec], None]) -> None:
        """Add per-frame measures of (annotation, prediction) besides J and F."""

    @hookspec
    def vosbench_register_sequence_metrics(
        self, register: Callable[[SequenceMetricSpec], None]
    ) -> None:
        """Add measures of objects through all frames of a sequence."""

    @hookspec
    def vosbench_register_protocols(self, register: Callable[[ProtocolSpec], None]) -> None:
        """Add protocols: which objects count in which frames, and how scores are averaged."""

    @hookspec
    def vosbench_register_executors(self, register: Callable[[ExecutorSpec], None]) -> None:
        """Add ways to run sequences besides local processes."""

    @hookspec
    def vosbench_register_exporters(self, register: Callable[[ExporterSpec], None]) -> None:
        """Add formats for `vosbench compare --format`."""

    @hookspec
    def vosbench_register_commands(self, cli: click.Group) -> None:
        """Add commands or groups to the command line: `cli.add_command(...)`."""


class SessionHooks:
    """What happens to one tracker over one sequence, in its own process."""

    @hookspec
    def sequence_started(self, ctx: Context) -> None:
        """Observers: a sequence begins; `ctx.sequence` names it."""

    @hookspec(firstresult=True)
    def tracker_init(self, frame: Frame, targets: Targets, ctx: Context) -> bool | None:
        """Learn the objects in `targets` from the first frame. Return True (or nothing)."""

    @hookspec(firstresult=True)
    def tracker_track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction | None:
        """Predict all known objects in `frame`; `targets` holds objects that appear only now."""

    @hookspec(firstresult=True)
    def tracker_update(self, frame: Frame, prediction: LabelMap, ctx: Context) -> bool | None:
        """Learn from the final label map of the frame just tracked."""

    @hookspec(firstresult=True)
    def tracker_close(self, ctx: Context) -> bool | None:
        """The sequence is over: forget it."""

    @hookspec
    def sequence_finished(self, ctx: Context) -> None:
        """Observers: the sequence is done, whether it succeeded or failed."""
