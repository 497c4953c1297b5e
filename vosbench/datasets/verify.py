"""Look at every file of a dataset and name all that is wrong."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from vosbench.datasets.base import VideoSequence
from vosbench.datasets.listing import list_files
from vosbench.datasets.masks import MASK_SUFFIXES, read_layers
from vosbench.datasets.reading import read_image, read_labels
from vosbench.datasets.values import grey_levels, values_of
from vosbench.errors import DatasetError
from vosbench.types import VOID


def verify(sequences: list[VideoSequence], advance: Callable[[], None] = lambda: None) -> list[str]:
    """Everything that is wrong with the files of `sequences`, one line a problem, in their order.

    Args:
        advance: called after each sequence, from several threads.
    """

    def check(sequence: VideoSequence) -> list[str]:
        problems = [f"{sequence.name}: {problem}" for problem in _problems(sequence)]
        advance()
        return problems

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return [problem for found in pool.map(check, sequences) for problem in found]


def _problems(sequence: VideoSequence) -> Iterator[str]:
    yield from _missing_frames(sequence)
    yield from _missing_masks(sequence)
    yield from _stray_masks(sequence)
    sizes: dict[int, tuple[int, int]] = {}
    for index, path in enumerate(sequence.frames):
        try:
            height, width = read_image(path).shape[:2]
            sizes[index] = height, width
        except DatasetError as error:
            yield error.message
    if len(set(sizes.values())) > 1:
        yield f"frames differ in size: {', '.join(sorted(map(_text, set(sizes.values()))))}"
    shown: dict[int, set[int]] = {}
    for index, path in sorted(sequence.annotations.items()):
        try:
            ids, size = _look_at(sequence, index)
        except DatasetError as error:
            yield error.message
            continue
        if index in sizes and size != sizes[index]:
            yield f"{path} is {_text(size)}, but its frame is {_text(sizes[index])}"
        shown[index] = ids
        if unknown := sorted(shown[index] - set(sequence.objects)):
            yield f"{path} shows unknown objects: {', '.join(map(str, unknown))}"
    for obj, start in sequence.objects.items():
        if start in shown and obj not in shown[start]:
            yield f"{sequence.annotations[start]} should show object {obj}, but does not"


def _look_at(sequence: VideoSequence, index: int) -> tuple[set[int], tuple[int, ...]]:
    """Object ids that the annotation of a frame shows, and its size. Raises DatasetError if it
    cannot be read, or holds grey levels instead of ids."""
    path = sequence.annotations[index]
    if sequence.layers:
        layers = read_layers(sequence.layers[index])
        return {obj for obj, mask in layers.masks.items() if mask.any()}, layers.shape
    labels = read_labels(path, sequence.binary)
    values = values_of(labels)
    if levels := grey_levels(labels, values):
        raise DatasetError(f"{path} holds {levels} grey levels, no object ids")
    return values - {VOID}, labels.shape


def _missing_frames(sequence: VideoSequence) -> Iterator[str]:
    """Numbers that the frames' even numbering leaves out."""
    stems = [path.stem for path in sequence.frames]
    if len(stems) < 3 or not all(stem.isdecimal() for stem in stems):
        return
    numbers = [int(stem) for stem in stems]
    step = statistics.mode(b - a for a, b in pairwise(numbers))
    expected = range(numbers[0], numbers[-1] + 1, step)
    if len(expected) > 2 * len(numbers):
        return  # no even numbering
    for number in sorted(set(expected).difference(numbers)):
        path = sequence.frames[0]
        yield f"{path.with_name(f'{number:0{len(path.stem)}d}{path.suffix}')} is missing"


def _missing_masks(sequence: VideoSequence) -> Iterator[str]:
    """Frames without a mask where most others have one; sparse annotations are no fault."""
    masks = sequence.annotations
    if len(masks) * 2 > len(sequence.frames):
        folder = next(iter(masks.values())).parent
        for index, path in enumerate(sequence.frames):
            if index not in masks:
                yield f"{folder / path.stem}.png is missing"


def _stray_masks(sequence: VideoSequence) -> Iterator[str]:
    """Masks without a frame."""
    layers = [path for files in sequence.layers.values() for path in files.values()]
    known = {*sequence.annotations.values(), *layers}
    for folder in sorted({path.parent for path in known}):
        for path in list_files(folder, MASK_SUFFIXES):
            if path not in known:
                yield f"{path} has no frame"


def _text(size: tuple[int, ...]) -> str:
    return f"{size[1]}x{size[0]}"
