"""`vosbench show`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.options import masks_options, plugin_options

if TYPE_CHECKING:
    from vosbench.datasets.base import VideoSequence
    from vosbench.types import Image, LabelMap

_SHEET_FRAMES = 12


@click.command(short_help="Overlays of a run as pictures or video.")
@masks_options
@click.option("--sequence", multiple=True, metavar="NAME", help="Only this one. Repeatable.")
@click.option(
    "--what", type=click.Choice(["overlay", "error", "both"]), default="overlay",
    show_default=True, help="Prediction over the frame, error map, or one above the other.",
)  # fmt: skip
@click.option("--annotation", is_flag=True, help="Draw the annotation's contour in white.")
@click.option(
    "--format", "kind", type=click.Choice(["sheet", "png", "mp4", "gif"]), default="sheet",
    show_default=True, help="One sheet of small pictures, a picture a frame, or a film.",
)  # fmt: skip
@click.option(
    "--frames", type=click.IntRange(min=1), metavar="N",
    help=f"Frames shown, evenly spread; default: {_SHEET_FRAMES} in a sheet, else all.",
)  # fmt: skip
@click.option("--fps", type=click.FloatRange(min=0.5, max=120), default=12.0, show_default=True,
              help="Speed of films.")  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Where the pictures go; default: `show` in the run's folder.",
)  # fmt: skip
@plugin_options
def show(
    sequence: tuple[str, ...],
    what: str,
    annotation: bool,
    kind: str,
    frames: int | None,
    fps: float,
    output: Path | None,
    **where: Any,
) -> None:
    """Draw what a tracker did, so that it can be looked at.

    Give a RUN folder, or --dataset and --tracker, or --dataset and --masks.
    """
    from vosbench import overlay
    from vosbench.cli.locate import locate
    from vosbench.datasets.registry import select
    from vosbench.errors import UsageError

    source = locate(**where)
    if what != "overlay" and not source.dataset.annotated:
        raise UsageError(f"--what {what}: the annotations of {source.dataset.name} are not public")
    count = frames or (_SHEET_FRAMES if kind == "sheet" else None)
    folder = (output or source.folder / "show") / (f"{what}+annotation" if annotation else what)
    for one in select(source.dataset, sequence or source.sequences, None).sequences:
        indices = _spread(_shown(one, source.masks, errors=what != "overlay"), count)
        pictures = _pictures(one, source.masks, indices, what, annotation)
        target = folder / one.name
        if kind == "png":
            for name, text, picture in pictures:
                overlay.write_image(target / f"{name}.png", overlay.caption(picture, text))
            click.echo(f"{target}  ({len(indices)} pictures)")
            continue
        target = target.with_name(f"{one.name}.{'png' if kind == 'sheet' else kind}")
        if kind == "sheet":
            _, texts, tiles = zip(*pictures, strict=True)
            legend = overlay.LEGEND if what != "overlay" else ()
            title = f"{source.title}  {one.name}  {len(one)} frames"
            overlay.write_image(target, overlay.contact_sheet(tiles, texts, title, legend=legend))
        else:
            write = overlay.write_video if kind == "mp4" else overlay.write_gif
            write(target, (overlay.caption(picture, text) for _, text, picture in pictures), fps)
        click.echo(str(target))


def _shown(sequence: VideoSequence, masks: Path, errors: bool) -> list[int]:
    """Frames that have a mask, and an annotation if `errors` are to be shown. Raises
    EvaluationError if there are none."""
    from vosbench.datasets.predictions import open_predictions
    from vosbench.errors import EvaluationError

    shown = sequence.annotations if errors else range(len(sequence))
    predictions = open_predictions(masks, sequence)
    indices = [i for i in (predictions.indices if predictions else ()) if i in shown]
    if not indices:
        raise EvaluationError(
            f"there are no masks to show of {sequence.name} in {masks}",
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
    sequence: VideoSequence, masks: Path, indices: list[int], what: str, annotation: bool
) -> Iterator[tuple[str, str, Image]]:
    """(frame name, caption, picture) of each frame; the caption names the frame and, where the
    frame is annotated, J in percent (mean over its objects)."""
    import numpy as np

    from vosbench import overlay
    from vosbench.datasets.predictions import label_map, open_predictions
    from vosbench.errors import EvaluationError

    predictions = open_predictions(masks, sequence)
    for index in indices:
        frame = sequence.frame(index)
        prediction = label_map(predictions, index, sequence) if predictions else None
        if prediction is None:
            continue
        if prediction.shape != frame.size:
            own, right = prediction.shape[::-1], frame.size[::-1]
            raise EvaluationError(
                f"{masks / sequence.name / frame.name}.png is {own[0]}x{own[1]}, its frame "
                f"{right[0]}x{right[1]}"
            )
        truth = sequence.labels(index)
        text = f"frame {frame.name}"
        # Test sets give away the first mask only: no score there.
        if truth is not None and len(sequence.annotations) > 1:
            text += f"   J {100 * _similarity(sequence, index, truth, prediction):.0f}"
        parts = []
        if what != "error":
            parts.append(overlay.blend(frame.image, prediction))
        if what != "overlay" and truth is not None:
            parts.append(overlay.error_map(frame.image, truth, prediction))
        if annotation and truth is not None:
            parts[0] = overlay.draw_contours(parts[0], truth)
        yield frame.name, text, np.vstack(parts)


def _similarity(
    sequence: VideoSequence, index: int, truth: LabelMap, prediction: LabelMap
) -> float:
    from vosbench.metrics import region_similarity

    objects = [obj for obj, start in sequence.objects.items() if start <= index]
    values = [region_similarity(truth == obj, prediction == obj) for obj in objects]
    return sum(values) / len(values) if values else float("nan")
