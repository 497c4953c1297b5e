"""What trackers make of videos that their weights never saw, before outlines are drawn."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vosbench import open_dataset
from vosbench.durable import whole_file
from vosbench.errors import DatasetError
from vosbench.types import Context, Image, Scores
from vosbench_eosvos.objects import ObjectState
from vosbench_eosvos.outline.sight import as_bytes
from vosbench_eosvos.tracker import EosvosTracker
from vosbench_eosvos.variants import Settings
from vosbench_learning.progress import Bar

#: End of the name of a video's file.
SUFFIX = ".outline.npy"


class _Recorder(EosvosTracker):
    """The tracker, keeping what it would have outlines drawn from."""

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.seen: list[NDArray[np.uint8]] = []

    def outline(
        self,
        image: Image,  # noqa: ARG002
        probabilities: Scores,
        state: ObjectState,
    ) -> Scores:
        """Keep the mask head's probabilities and the carried mask: (2, H, W) in 0..255."""
        carried = np.zeros_like(probabilities) if state.carried is None else state.carried
        self.seen.append(np.stack([as_bytes(probabilities), as_bytes(carried)]))
        return probabilities


def record(
    weights: Path, davis: Path, sequences: Iterable[str], out: Path, *, device: str = "cpu"
) -> None:
    """Track videos of DAVIS-2016 train with ten steps; write `out`/SEQUENCE.outline.npy,
    (frames - 1, 2, H, W) uint8.

    Videos that were recorded since the weights were written are left as they are.

    Args:
        weights: of e-OSVOS, which must not have seen the videos. davis: DAVIS folder.

    Raises:
        DatasetError: the videos are not there.
    """
    settings = asdict(Settings(weights=str(weights), outline="mask"))
    dataset = open_dataset("davis16-train", data_root=davis)
    if not dataset.root.resolve().is_relative_to(davis.resolve()):
        raise DatasetError(f"no videos of DAVIS-2016 train in {davis}", "See `vosbench datasets`.")
    trained = weights.stat().st_mtime
    paths = {name: out / f"{name}{SUFFIX}" for name in sequences}
    names = [n for n, p in paths.items() if not (p.is_file() and p.stat().st_mtime >= trained)]
    out.mkdir(parents=True, exist_ok=True)
    with Bar("record", len(names), done=0, quiet=False) as bar:
        for done, name in enumerate(names):
            sequence = dataset.sequence(name)
            ctx = Context(device, 0, settings, out, logging.getLogger(__name__), name)
            tracker = _Recorder(ctx)
            tracker.init(sequence.frame(0), sequence.targets(0), ctx)
            for index in range(1, len(sequence)):
                frame = sequence.frame(index)
                tracker.track(frame, {}, ctx)
                if len(tracker.seen) < index:  # it was taken to be gone
                    tracker.seen.append(np.zeros((2, *frame.size), np.uint8))
            with whole_file(paths[name]) as part, part.open("wb") as file:
                np.save(file, np.stack(tracker.seen))
            bar.update(done + 1, name)


def recorded(folder: Path) -> dict[str, Path]:
    """Video -> what `record` wrote of it into `folder`."""
    return {p.name.removesuffix(SUFFIX): p for p in sorted(folder.glob(f"*{SUFFIX}"))}
