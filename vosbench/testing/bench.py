"""Run fresh instances of a tracker and watch what they change and leave behind."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vosbench.errors import PluginError, VosbenchError
from vosbench.specs import TrackerSpec
from vosbench.testing.synthetic import Synthetic
from vosbench.tracking.session import Session, make_tracker
from vosbench.types import Context, LabelMap


class NonConformance(AssertionError):
    """What a tracker does wrong."""


class Bench:
    """Runs sequences through fresh instances of one tracker.

    Args:
        spec: the tracker.
        scratch: an existing folder.
        settings: `options`, `device` and `seed` of `make_context`.
    """

    def __init__(self, spec: TrackerSpec, scratch: Path, **settings: Any) -> None:
        self._spec = spec
        self._scratch = scratch
        self._settings = settings

    @property
    def deterministic(self) -> bool:
        """Whether the tracker declares to be."""
        return self._spec.capabilities.deterministic_on(self._settings.get("device", "cpu"))

    def run(self, *sequences: Synthetic) -> list[list[LabelMap]]:
        """The label maps (H, W) of every frame of each sequence, all tracked by one instance.

        Raises:
            NonConformance: images, given masks or options were changed, or files left behind.
            TrackerFailure: the tracker raised, or its answer cannot be used.
            PluginError: the tracker cannot be built.
        """
        scratch = Path(tempfile.mkdtemp(dir=self._scratch))
        ctx = make_context(self._spec, scratch, **self._settings)
        options, files = dict(ctx.options), _visible_files()
        session = Session(self._build(ctx), self._spec.capabilities)
        outputs = [self._track(session, sequence, ctx) for sequence in sequences]
        if dict(ctx.options) != options:
            raise NonConformance("its options were changed")
        if left := sorted(_visible_files() - files):
            raise NonConformance(
                f"it left files behind in the working directory: {', '.join(left)}; ctx.scratch is "
                "the place for them"
            )
        return outputs

    def _build(self, ctx: Context) -> object:
        try:
            tracker: object = make_tracker(self._spec, ctx)
        except VosbenchError:
            raise
        except Exception as error:
            raise PluginError(
                f"tracker {self._spec.name!r} cannot be built: {type(error).__name__}: {error}"
            ) from error
        return tracker

    def _track(self, session: Session, sequence: Synthetic, ctx: Context) -> list[LabelMap]:
        images, clip = sequence.images.copy(), sequence.clip()
        outputs: list[LabelMap] = []
        session.run(clip, ctx, lambda _index, labels, _variants: outputs.append(labels))
        if not np.array_equal(images, sequence.images):
            raise NonConformance("the images that it was given were changed")
        for start, targets in clip.given.items():
            for obj, mask in targets.items():
                if not np.array_equal(mask, sequence.labels[start] == obj):
                    raise NonConformance(f"the mask given for object {obj} was changed")
        return outputs


def make_context(
    spec: TrackerSpec,
    scratch: Path,
    *,
    options: Mapping[str, str] | None = None,
    device: str = "cpu",
    seed: int = 0,
) -> Context:
    """A context as the harness makes it, to call a tracker by hand.

    Args:
        spec: the tracker as it is registered.
        scratch: an existing, empty folder.
        options: as given by `-o`, texts; the others keep their defaults.
        device: torch device string.
        seed: recorded only; the session is what seeds generators.

    Raises:
        UsageError: an option that the tracker does not take.
    """
    return Context(
        device=device,
        seed=seed,
        options=spec.resolve_options(options or {}),
        scratch=scratch,
        logger=logging.getLogger(f"vosbench.tracker.{spec.name}"),
    )


def _visible_files() -> set[str]:
    return {path.name for path in Path().iterdir() if not path.name.startswith((".", "__"))}
