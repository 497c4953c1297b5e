"""One tracker over one sequence: init -> (track -> update)* -> close, timed, guarded, checked.

A tracker that lacks a capability is wrapped: one session per object or per group of objects that
appear together, each over the frames from their appearance on, fused by the highest probability.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pluggy

from vosbench.errors import DatasetError, PluginError, RunError
from vosbench.hookspecs import PROJECT, SessionHooks, hookimpl
from vosbench.plugins import has_hooks
from vosbench.specs import Capabilities, TrackerSpec, resolve_factory
from vosbench.tracking.canvas import Canvas
from vosbench.tracking.clip import Clip, FramesSoFar, UnclockedVideo, prefetched
from vosbench.tracking.generated import Generated
from vosbench.tracking.isolation import guarded
from vosbench.tracking.timing import Stopwatch, Timings
from vosbench.tracking.validation import InvalidPrediction, check_prediction
from vosbench.types import Context, Frame, LabelMap, Prediction, Targets

#: Called for each frame in order: frame index, its label map, and those of the variants by name.
Emit = Callable[[int, LabelMap, Mapping[str, LabelMap]], None]
#: Called before each call of the tracker with its name and the frame's index, and after it with "".
OnCall = Callable[[str, int], None]


class TrackerFailure(RunError):
    """A tracker raised, or its answer cannot be used.

    Attributes:
        call: "init", "track", "update" or "close".
        frame: name of the frame.
    """

    def __init__(self, call: str, frame: str, problem: str) -> None:
        super().__init__(f"{call}, frame {frame}: {problem}")
        self.call = call
        self.frame = frame


def make_tracker(spec: TrackerSpec, ctx: Context, threads: int | None = None) -> Any:
    """Build the tracker that `spec` declares, with the process's global state guarded.

    Raises:
        PluginError: the factory cannot be imported; whatever the factory itself raises passes.
    """
    with guarded(ctx.seed, threads):
        factory = resolve_factory(spec.factory)
    with guarded(ctx.seed, threads):  # anew: only now is torch imported, and can be seeded
        return factory(ctx)


class Session:
    """Drives one tracker over sequences, one after the other.

    Args:
        tracker: a plain object (`vosbench.types.Tracker`) or one with `tracker_*` hooks.
        capabilities: what it declares; the session compensates for what it lacks.
        observers: objects with `sequence_started` / `sequence_finished` hooks.
        threads: torch threads to restore before each sequence; None leaves torch its own choice.

    Raises:
        PluginError: the tracker has neither hooks nor `init` and `track`, nor `track_all`.

    Example:
        session = Session(tracker, spec.capabilities)
        timings = session.run(Clip.of(sequence), ctx, lambda index, labels, variants: ...)
    """

    def __init__(
        self,
        tracker: object,
        capabilities: Capabilities,
        *,
        observers: Iterable[object] = (),
        threads: int | None = None,
    ) -> None:
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(SessionHooks)
        if has_hooks(tracker):
            manager.register(tracker)
            self._updates = bool(manager.hook.tracker_update.get_hookimpls())
        else:
            whole = hasattr(tracker, "track_all")
            if whole and capabilities.access == "streaming":
                raise PluginError(
                    f"tracker {type(tracker).__name__} has track_all and declares to be streaming",
                    'It needs Capabilities(access="causal"), or "video" if it reads ahead.',
                )
            manager.register(_Adapted(Generated(tracker) if whole else tracker))
            self._updates = hasattr(tracker, "update")
        for observer in observers:
            manager.register(observer)
        self._hooks: Any = manager.hook
        self._capabilities = capabilities
        self._threads = threads

    def run(
        self,
        clip: Clip,
        ctx: Context,
        emit: Emit,
        on_call: OnCall | None = None,
    ) -> Timings:
        """Track `clip` and hand every frame's label map to `emit`, in order, from frame 0.

        Frames before the first object are background. Where an object's mask is given, that mask
        replaces whatever was predicted for it. Label maps are read-only.

        Raises:
            TrackerFailure: the tracker raised (the cause is chained) or answered with garbage.
            DatasetError: a frame cannot be read or a given mask does not fit its frame.
        """
        ctx.sequence = clip.name
        on_call = on_call or (lambda *_: None)
        groups = self._groups(clip)
        timings = Timings()
        with guarded(ctx.seed, self._threads):
            self._hooks.sequence_started(ctx=ctx)
            try:
                if len(groups) == 1:
                    self._run_alone(clip, ctx, timings, emit, on_call)
                else:
                    self._run_fused(clip, groups, ctx, timings, emit, on_call)
            finally:
                ctx.on_snapshot = None
                self._hooks.sequence_finished(ctx=ctx)
        return timings

    def wrapped(self, clip: Clip) -> str:
        """How missing capabilities are compensated for on this clip; "" if none is missing."""
        if len(self._groups(clip)) == 1:
            return ""
        if not self._capabilities.multi_object:
            return "one session per object"
        return "one session per group of objects that appear together"

    def _groups(self, clip: Clip) -> list[dict[int, Targets]]:
        """What each session is given: frame index -> targets."""
        if not self._capabilities.multi_object:
            return [
                {index: {obj: clip.given[index][obj]}}
                for index in sorted(clip.given)
                for obj in sorted(clip.given[index])
            ]
        if not self._capabilities.late_objects:
            return [{index: clip.given[index]} for index in sorted(clip.given)]
        return [dict(clip.given)]

    def _run_alone(
        self, clip: Clip, ctx: Context, timings: Timings, emit: Emit, on_call: OnCall
    ) -> None:
        start = min(clip.given)
        for index in range(start):
            empty = _frozen(np.zeros(clip.video[index].size, np.uint8))
            emit(index, empty, dict.fromkeys(_variant_names(ctx), empty))
        steps = self._steps(clip, clip.given, ctx, timings, on_call)
        with contextlib.closing(steps):
            for index, _, labels in steps:
                main = labels.pop("")
                emit(index, main, labels)

    def _run_fused(
        self,
        clip: Clip,
        groups: list[dict[int, Targets]],
        ctx: Context,
        timings: Timings,
        emit: Emit,
        on_call: OnCall,
    ) -> None:
        sizes: dict[int, tuple[int, int]] = {}
        with tempfile.TemporaryDirectory(prefix="fuse-", dir=ctx.scratch.parent) as folder:
            canvases = {}
            for number, name in enumerate(("", *_variant_names(ctx))):
                canvases[name] = Canvas(Path(folder, str(number)))
                canvases[name].folder.mkdir()
            for given in groups:
                steps = self._steps(clip, given, ctx, timings, on_call)
                with contextlib.closing(steps):
                    for index, prediction, maps in steps:
                        sizes[index] = _size(maps[""])
                        if prediction is None:
                            continue
                        for name, canvas in canvases.items():
                            part = prediction.variants[name] if name else prediction
                            canvas.add(index, part, sizes[index])
            for index in range(len(clip.video)):
                size = sizes.get(index) or clip.video[index].size
                given_here = clip.given.get(index, {})
                labels = {
                    name: _with_given(canvas.labels(index, size), given_here)
                    for name, canvas in canvases.items()
                }
                main = labels.pop("")
                emit(index, main, labels)

    def _steps(
        self,
        clip: Clip,
        given: Mapping[int, Targets],
        ctx: Context,
        timings: Timings,
        on_call: OnCall,
    ) -> Generator[tuple[int, Prediction | None, dict[str, LabelMap]]]:
        """One session: frame index, prediction (None in the first frame), label maps by variant
        ("" is the prediction itself)."""
        start = min(given)
        watch = Stopwatch(ctx.device)
        whole = UnclockedVideo(clip.video, watch)
        so_far = FramesSoFar(whole, start)
        access = self._capabilities.access
        ctx.video = {"streaming": None, "causal": so_far, "video": whole}[access]
        variants = _variant_names(ctx)
        known: set[int] = set()
        with prefetched(clip.video, start) as frames, self._closing(clip, ctx, on_call):
            for frame in frames:
                index = so_far.now = frame.index
                targets = given.get(index, {})
                _check_targets(clip, frame, targets)
                known |= set(targets)
                prediction: Prediction | None = None
                if index == start:
                    on_call("init", index)
                    ctx.on_snapshot = lambda name: _add(timings.marks, name, watch.elapsed())
                    with _blamed("init", frame.name):
                        watch.time(
                            partial(self._hooks.tracker_init, frame=frame, targets=targets, ctx=ctx)
                        )
                    ctx.on_snapshot = None
                    on_call("", index)
                    timings.init += watch.seconds
                    labels = dict.fromkeys(("", *variants), np.zeros(frame.size, np.uint8))
                else:
                    on_call("track", index)
                    if targets:
                        late = timings.late_marks.setdefault(index, {})
                        ctx.on_snapshot = lambda name, t=late: _add(t, name, watch.elapsed())
                    with _blamed("track", frame.name):
                        prediction = watch.time(
                            partial(
                                self._hooks.tracker_track, frame=frame, targets=targets, ctx=ctx
                            )
                        )
                        ctx.on_snapshot = None
                        _add(timings.track, index, watch.seconds)
                        check_prediction(prediction, frame.size, known, variants)
                        labels = watch.time(partial(_label_maps, prediction, variants))
                        _add(timings.track, index, watch.seconds)
                    on_call("", index)
                labels = {name: _with_given(part, targets) for name, part in labels.items()}
                if prediction is not None and self._updates:
                    on_call("update", index)
                    with _blamed("update", frame.name):
                        watch.time(
                            partial(
                                self._hooks.tracker_update,
                                frame=frame,
                                prediction=labels[""],
                                ctx=ctx,
                            )
                        )
                    _add(timings.update, index, watch.seconds)
                    on_call("", index)
                yield index, prediction, labels

    @contextlib.contextmanager
    def _closing(self, clip: Clip, ctx: Context, on_call: OnCall) -> Iterator[None]:
        """Let the tracker forget the sequence; an earlier failure is not hidden by one in close."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):
                self._hooks.tracker_close(ctx=ctx)
            raise
        on_call("close", len(clip.video) - 1)
        with _blamed("close", "after the last"):
            self._hooks.tracker_close(ctx=ctx)


class _Adapted:
    """A plain tracker as session hooks."""

    def __init__(self, tracker: Any) -> None:
        missing = [name for name in ("init", "track") if not hasattr(tracker, name)]
        if missing:
            raise PluginError(
                f"tracker {type(tracker).__name__} has no method {' and no '.join(missing)}",
                "A tracker has init and track, or the tracker_* hooks.",
            )
        self._tracker = tracker

    @hookimpl
    def tracker_init(self, frame: Frame, targets: Targets, ctx: Context) -> bool:
        self._tracker.init(frame, targets, ctx)
        return True

    @hookimpl
    def tracker_track(self, frame: Frame, targets: Targets, ctx: Context) -> Prediction:
        prediction: Prediction = self._tracker.track(frame, targets, ctx)
        return prediction

    @hookimpl
    def tracker_update(self, frame: Frame, prediction: LabelMap, ctx: Context) -> bool:
        self._tracker.update(frame, prediction, ctx)
        return True

    @hookimpl
    def tracker_close(self, ctx: Context) -> bool:
        if hasattr(self._tracker, "close"):
            self._tracker.close(ctx)
        return True


def _check_targets(clip: Clip, frame: Frame, targets: Targets) -> None:
    for obj, mask in targets.items():
        if mask.shape != frame.size:
            raise DatasetError(
                f"sequence {clip.name}, frame {frame.name}: the mask of object {obj} has size "
                f"{mask.shape}, the image {frame.size} (height, width)"
            )


def _label_maps(prediction: Prediction, variants: Iterable[str]) -> dict[str, LabelMap]:
    """Label maps by variant; "" is the prediction itself."""
    return {
        "": prediction.label_map(),
        **{name: prediction.variants[name].label_map() for name in variants},
    }


def _with_given(labels: LabelMap, targets: Targets) -> LabelMap:
    """A read-only copy of `labels` in which each target is exactly its given mask."""
    labels = labels.copy()  # the tracker may go on writing into its own array
    for obj, mask in targets.items():
        labels[labels == obj] = 0
        labels[mask] = obj
    return _frozen(labels)


def _frozen(labels: LabelMap) -> LabelMap:
    labels.flags.writeable = False
    return labels


@contextlib.contextmanager
def _blamed(call: str, frame: str) -> Iterator[None]:
    """Raise whatever is raised inside as the tracker's failure in `call` for that frame."""
    try:
        yield
    except (Exception, SystemExit) as error:
        garbage = isinstance(error, InvalidPrediction)
        problem = str(error) if garbage else f"{type(error).__name__}: {error}"
        raise TrackerFailure(call, frame, problem) from error


def _size(labels: LabelMap) -> tuple[int, int]:
    return labels.shape[0], labels.shape[1]


def _variant_names(ctx: Context) -> tuple[str, ...]:
    """Names of the variants that this run answers besides its own options."""
    return tuple(
        f"{option}={value}"
        for option, values in ctx.snapshots.items()
        for value in values
        if value != ctx.options.get(option)
    )


def _add(table: dict[Any, float], key: Any, seconds: float) -> None:
    table[key] = table.get(key, 0.0) + seconds
