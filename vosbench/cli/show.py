"""`vosbench show`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.cli.names import DATASET, RUN
from vosbench.cli.options import (
    data_root_option,
    json_option,
    output_option,
    plugin_options,
    results_option,
    sequences_option,
)

if TYPE_CHECKING:
    from vosbench.cli.locate import Source
    from vosbench.datasets.base import VideoSequence
    from vosbench.datasets.predictions import Predictions
    from vosbench.types import Image, LabelMap

_SHEET_FRAMES = 12


@click.command(short_help="Overlays of runs as pictures or video.")
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=click.Path(path_type=Path))
@click.option("--dataset", metavar="NAME", type=DATASET, help="Dataset of the runs or of --masks.")
@click.option(
    "--tracker", "trackers", multiple=True, metavar="NAME", type=RUN,
    help="Tracker or run name. May be repeated: they stand side by side.",
)  # fmt: skip
@click.option(
    "--masks", multiple=True, metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder of masks, <sequence>/<frame>.png, instead of a run. May be repeated.",
)  # fmt: skip
@sequences_option
@click.option(
    "--what", type=click.Choice(["overlay", "contour", "error", "both", "difference"]),
    default="overlay", show_default=True,
    help="Masks or contours over the frame, error map, masks above errors, or where only one of "
    "two runs is right.",
)  # fmt: skip
@click.option("--annotation", is_flag=True, help="Draw the annotation's contour in white.")
@click.option(
    "--format", "kind", type=click.Choice(["sheet", "png", "mp4", "webm", "gif"]), default="sheet",
    show_default=True, help="One sheet of small pictures, a picture a frame, or a film.",
)  # fmt: skip
@click.option(
    "--frames", type=click.IntRange(min=1), metavar="N",
    help=f"Frames shown, evenly spread; default: {_SHEET_FRAMES} in a sheet, else all.",
)  # fmt: skip
@click.option("--fps", type=click.FloatRange(min=0.5, max=120), default=12.0, show_default=True,
              metavar="N", help="Frames per second of films.")  # fmt: skip
@output_option("the pictures", "`show` in the folder of the first run", folder=True)
@results_option
@data_root_option
@plugin_options
@json_option
def show(
    runs: tuple[Path, ...],
    dataset: str | None,
    trackers: tuple[str, ...],
    masks: tuple[Path, ...],
    sequences: tuple[str, ...],
    what: str,
    annotation: bool,
    kind: str,
    frames: int | None,
    fps: float,
    output: Path | None,
    results: Path,
    data_root: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Draw what trackers did, one of them or several side by side.

    Give RUN folders, or --dataset with --tracker or --masks.

    \b
    Examples:
      vosbench show --dataset demo --tracker flow --annotation
      vosbench show --dataset demo --tracker flow --tracker eosvos-10 --format webm
    """
    from vosbench import overlay
    from vosbench.cli.locate import locate
    from vosbench.datasets.registry import select
    from vosbench.errors import UsageError

    where = (results, data_root)
    sources = [
        *(locate(run, dataset, None, None, *where) for run in runs),
        *(locate(None, dataset, name, None, *where) for name in trackers),
        *(locate(None, dataset, None, folder, *where) for folder in masks),
    ] or [locate(None, dataset, None, None, *where)]  # which says what is missing
    first = sources[0]
    strange = [s.title for s in sources if s.dataset.root != first.dataset.root]
    if strange:
        raise UsageError(f"{strange[0]} is over another dataset than {first.title}")
    if what in ("error", "both") and not first.dataset.annotated:
        raise UsageError(f"--what {what}: the annotations of {first.dataset.name} are not public")
    if what == "difference" and len(sources) != 2:
        raise UsageError("--what difference needs two runs", "Give --tracker twice.")
    count = frames or (_SHEET_FRAMES if kind == "sheet" else None)
    names = "+".join(source.name for source in sources[1:])
    folder = output or first.folder / "show" / (f"beside {names}" if names else "")
    folder = folder / (f"{what}+annotation" if annotation else what)
    legend = {"overlay": (), "contour": (), "difference": overlay.DIFFERENCE_LEGEND}
    shown = sequences or tuple(n for n in first.sequences if all(n in s.sequences for s in sources))
    if not shown:
        raise UsageError("these runs have no sequence in common")
    written: list[Path] = []
    for one in select(first.dataset, shown, None).sequences:
        indices = _spread(_shown(one, sources, errors=what in ("error", "both")), count)
        pictures = _pictures(one, sources, indices, what, annotation)
        target = folder / one.name
        written.append(target)
        if kind == "png":
            for name, text, picture in pictures:
                overlay.write_image(target / f"{name}.png", overlay.caption(picture, text))
            if not as_json:
                click.echo(f"{target}  ({len(indices)} pictures)")
            continue
        target = target.with_name(f"{one.name}.{'png' if kind == 'sheet' else kind}")
        written[-1] = target
        if kind == "sheet":
            _, texts, tiles = zip(*pictures, strict=True)
            title = f"{', '.join(s.title for s in sources)}  {one.name}  {len(one)} frames"
            keys = legend.get(what, overlay.LEGEND)
            overlay.write_image(target, overlay.contact_sheet(tiles, texts, title, legend=keys))
        else:
            write = overlay.write_gif if kind == "gif" else overlay.write_video
            write(target, (overlay.caption(picture, text) for _, text, picture in pictures), fps)
        if not as_json:
            click.echo(str(target))
    if as_json:
        import json

        click.echo(json.dumps([str(path) for path in written], indent=1))


def _shown(sequence: VideoSequence, sources: Sequence[Source], errors: bool) -> list[int]:
    """Frames that every source has a mask of, and that have an annotation if `errors` are to be
    shown. Raises EvaluationError if there are none."""
    from vosbench.datasets.predictions import open_predictions
    from vosbench.errors import EvaluationError

    indices = list(sequence.annotations if errors else range(len(sequence)))
    for source in sources:
        found = open_predictions(source.masks, sequence)
        there = set(found.indices if found else ())
        indices = [i for i in indices if i in there]
        if not indices:
            raise EvaluationError(
                f"there are no masks to show of {sequence.name} in {source.masks}",
                "Choose other sequences by --sequence.",
            )
    return indices


def _spread(indices: list[int], count: int | None) -> list[int]:
    if count is None or count >= len(indices):
        return indices
    if count == 1:
        return indices[:1]
    step = (len(indices) - 1) / (count - 1)
    return [indices[round(i * step)] for i in range(count)]


def _pictures(
    sequence: VideoSequence,
    sources: Sequence[Source],
    indices: list[int],
    what: str,
    annotation: bool,
) -> Iterator[tuple[str, str, Image]]:
    """(frame name, caption, picture) of each frame; the caption names the frame and, where the
    frame is annotated, J in percent (mean over its objects)."""
    from vosbench import overlay
    from vosbench.datasets.predictions import open_predictions

    found = [open_predictions(source.masks, sequence) for source in sources]
    for index in indices:
        frame = sequence.frame(index)
        truth = sequence.labels(index)
        answers = [
            _answer(masks, index, sequence, s) for masks, s in zip(found, sources, strict=True)
        ]
        text = f"frame {frame.name}"
        # Test sets give away the first mask only: no score there.
        scores = [
            f"J {100 * _similarity(sequence, index, truth, answer):.0f}"
            if truth is not None and len(sequence.annotations) > 1
            else ""
            for answer in answers
        ]
        if what == "difference":
            picture = overlay.difference_map(frame.image, truth, *answers)
            if annotation and truth is not None:
                picture = overlay.draw_contours(picture, truth)
            names = [f"{s.name} {score}" for s, score in zip(sources, scores, strict=True)]
            yield frame.name, f"{text}   A: {names[0]}   B: {names[1]}", picture
            continue
        panels = [_panel(frame.image, truth, answer, what, annotation) for answer in answers]
        if len(panels) == 1:
            yield frame.name, f"{text}   {scores[0]}", panels[0]
            continue
        captions = [f"{s.name}   {score}" for s, score in zip(sources, scores, strict=True)]
        captioned = [overlay.caption(*pair) for pair in zip(panels, captions, strict=True)]
        yield frame.name, text, overlay.grid(captioned)


def _answer(
    masks: Predictions | None, index: int, sequence: VideoSequence, source: Source
) -> LabelMap:
    from vosbench.datasets.predictions import label_map
    from vosbench.errors import EvaluationError

    answer = label_map(masks, index, sequence) if masks else None
    name, size = sequence.frames[index].stem, sequence.size
    if answer is None:
        raise EvaluationError(f"{source.masks / sequence.name / name}.png is not there any more")
    if answer.shape != size:
        own = answer.shape[::-1]
        raise EvaluationError(
            f"{source.masks / sequence.name / name}.png is {own[0]}x{own[1]}, its frame "
            f"{size[1]}x{size[0]}"
        )
    return answer


def _panel(
    image: Image, truth: LabelMap | None, answer: LabelMap, what: str, annotation: bool
) -> Image:
    """What one tracker did in one frame."""
    import numpy as np

    from vosbench import overlay

    parts = []
    if what != "error":
        parts.append(overlay.blend(image, answer, 0.0 if what == "contour" else 0.5))
    if what in ("error", "both") and truth is not None:
        parts.append(overlay.error_map(image, truth, answer))
    if annotation and truth is not None:
        parts[0] = overlay.draw_contours(parts[0], truth)
    return np.vstack(parts)


def _similarity(
    sequence: VideoSequence, index: int, truth: LabelMap, prediction: LabelMap
) -> float:
    from vosbench.metrics import region_similarity

    objects = [obj for obj, start in sequence.objects.items() if start <= index]
    values = [region_similarity(truth == obj, prediction == obj) for obj in objects]
    return sum(values) / len(values) if values else float("nan")
