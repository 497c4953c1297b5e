"""The outlines of a mask as polygons, as the program of DAVIS-2016 draws them for its measure T.

Which polygon stands for a mask, where it begins and which of its points stay decides T to the
third digit. So the order in which outlines are followed, and the arithmetic of their
simplification, are those of davisvideochallenge/davis-matlab, `measures/t_stability.m`.

Points are corners of pixels, in doubled coordinates (row, column) until the end. An outline is made
of edges, which lie between a pixel of the object and one that is not; outside of the frame is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vosbench.metrics.packed import PackedMask

Floats = NDArray[np.float64]
Corner = tuple[int, int]

#: Steps along an outline: right, down, left, up.
_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))

#: How far simplification may move an outline, in doubled coordinates: half of that in pixels.
_TOLERANCES = (0.1, 3.0)


class _Piece(NamedTuple):
    """A stretch of outline between two junctions, which may be one.

    Attributes:
        ends: numbers of the junctions.
        corners: from end to end, both included.
    """

    ends: tuple[int, int]
    corners: list[Corner]

    def far(self, junction: int) -> int:
        """The other end."""
        return self.ends[1] if self.ends[0] == junction else self.ends[0]

    def from_end(self, junction: int) -> list[Corner]:
        """Corners, beginning at `junction`."""
        return self.corners if self.ends[0] == junction else self.corners[::-1]

    def upright(self, junction: int) -> bool:
        """Whether its edge at `junction` is a vertical one."""
        first, second = self.from_end(junction)[:2]
        return first[1] == second[1]


def main_outline(mask: PackedMask) -> Floats | None:
    """The simplified outline with the most vertices, holes included, the first of equals: float
    (N, 2), rows and columns in pixels, the last point being the first again. None where no outline
    has more than two vertices, as for a pixel or two."""
    loops = _loops(*_pieces(mask))
    best: Floats | None = None
    chosen = -1
    for number, loop in enumerate(loops):
        points = np.array(loop, dtype=np.float64) * 2
        for tolerance in _TOLERANCES:
            points = _simplified(points, tolerance)
        if len(points) > 3 and (best is None or len(points) > len(best)):
            best, chosen = points, number
    if best is None:
        return None
    following = np.roll(best, -1, axis=0)
    turn = ((following[:, 0] - best[:, 0]) * (following[:, 1] + best[:, 1])).sum()
    if (turn > 0) == _is_hole(chosen, loops):
        best = best[::-1]
    return best / 2


def _pieces(mask: PackedMask) -> tuple[list[_Piece], int]:
    """All pieces in their order, and the number of junctions.

    Junctions are corners in which four edges meet, row by row; pieces are followed from the last
    junction to the first. An outline without one gets a junction where it is met first.
    """
    bits, top, left = _cropped(mask)
    across = bits[:-1, 1:-1] != bits[1:, 1:-1]  # horizontal edges: (h + 1, w)
    upright = bits[1:-1, :-1] != bits[1:-1, 1:]  # vertical ones: (h, w + 1)
    checkered = (bits[:-1, :-1] == bits[1:, 1:]) & (bits[:-1, 1:] == bits[1:, :-1])
    checkered &= bits[:-1, :-1] != bits[:-1, 1:]
    junctions = {(int(y), int(x)): n for n, (y, x) in enumerate(np.argwhere(checkered).tolist())}
    edges = {(y, x, 0) for y, x in np.argwhere(across).tolist()}
    edges |= {(y, x, 1) for y, x in np.argwhere(upright).tolist()}

    def follow(start: Corner, direction: int) -> list[Corner]:
        corner, path = start, [start]
        while True:
            edges.discard(_edge(corner, direction))
            step = _STEPS[direction]
            corner = (corner[0] + step[0], corner[1] + step[1])
            path.append(corner)
            if corner in junctions:
                return path
            direction = next(
                turn
                for turn in (direction, (direction + 1) % 4, (direction + 3) % 4)
                if _edge(corner, turn) in edges
            )

    pieces = []
    starts = [(corner, direction) for corner in reversed(junctions) for direction in (3, 2, 1, 0)]
    for corner, direction in starts:
        if _edge(corner, direction) in edges:
            pieces.append(follow(corner, direction))
    for y, x in np.argwhere(upright).tolist():
        if (y, x, 1) in edges:
            junctions[(y, x)] = len(junctions)
            pieces.append(follow((y, x), 1))
    shifted = [
        _Piece((junctions[path[0]], junctions[path[-1]]), [(y + top, x + left) for y, x in path])
        for path in pieces
    ]
    return shifted, len(junctions)


def _edge(corner: Corner, direction: int) -> tuple[int, int, int]:
    """The edge that leaves `corner`: its upper or left end, and whether it is vertical."""
    y, x = corner
    if direction == 0:
        return y, x, 0
    if direction == 1:
        return y, x, 1
    return (y, x - 1, 0) if direction == 2 else (y - 1, x, 1)


def _cropped(mask: PackedMask) -> tuple[NDArray[np.bool_], int, int]:
    """The object with one pixel around it, and the row and column of its first pixel."""
    pixels = mask.unpacked()
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if rows.size == 0:
        return np.zeros((2, 2), np.bool_), 0, 0
    part = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(part, 1), int(rows[0]), int(columns[0])


def _loops(pieces: Sequence[_Piece], junctions: int) -> list[list[Corner]]:
    """Pieces joined to closed curves that cross nowhere, each with its first corner at both ends.

    One begins at the highest junction with a piece left, takes its lowest piece, and follows
    the lowest that is not straight ahead. Where it comes back to a junction it has passed, the part
    since then is a loop, and what came before it is continued.
    """
    left: list[set[int]] = [set() for _ in range(junctions)]
    for number, piece in enumerate(pieces):
        for end in piece.ends:
            left[end].add(number)

    def take(number: int) -> None:
        for end in pieces[number].ends:
            left[end].discard(number)

    loops = []
    for start in range(junctions - 1, -1, -1):
        while left[start]:
            chain = [(start, min(left[start]))]
            while chain:
                junction, number = chain[-1]
                take(number)
                here = pieces[number].far(junction)
                passed = [at for at, _ in chain]
                if here in passed:
                    closing = chain[passed.index(here) :]
                    del chain[passed.index(here) :]
                    loops.append(list(_joined(pieces, closing)))
                    if not chain:
                        break
                    number = chain[-1][1]
                choices = sorted(left[here])
                straight = pieces[choices[0]].upright(here) == pieces[number].upright(here)
                chain.append((here, choices[1] if straight else choices[0]))
    return loops


def _joined(pieces: Sequence[_Piece], chain: Sequence[tuple[int, int]]) -> Iterator[Corner]:
    yield pieces[chain[0][1]].from_end(chain[0][0])[0]
    for junction, number in chain:
        yield from pieces[number].from_end(junction)[1:]


def _is_hole(chosen: int, loops: Sequence[list[Corner]]) -> bool:
    """Whether loop `chosen` lies within an odd number of others."""
    first, second = loops[chosen][:2]
    y, x = first[0] + second[0], first[1] + second[1]  # the middle of its first edge, doubled
    around = 0
    for number, loop in enumerate(loops):
        if number != chosen:
            corners = np.array(loop, dtype=np.float64)
            middles = corners[:-1] + corners[1:]
            after = np.roll(middles, -1, axis=0)
            low, high = (f(middles[:, 1], after[:, 1]) for f in (np.minimum, np.maximum))
            beside = (low <= x) & (x < high)
            (y0, x0), (y1, x1) = middles[beside].T, after[beside].T
            around += int((y0 + (x - x0) / (x1 - x0) * (y1 - y0) > y).sum())
    return around % 2 == 1


def _simplified(points: Floats, tolerance: float) -> Floats:
    """Points (N, 2) less those nearer than `tolerance` to the last one kept, then less those that
    are within `tolerance` of the line through the others (Douglas and Peucker, 1973). Both ends
    stay."""
    if len(points) < 3:
        return points
    limit = tolerance * tolerance
    kept, (y, x) = [0], points[0]
    for n, (py, px) in enumerate(points[1:-1].tolist(), 1):
        if (py - y) ** 2 + (px - x) ** 2 >= limit:
            kept.append(n)
            y, x = py, px
    points = points[[*kept, len(points) - 1]]
    stay = np.zeros(len(points), np.bool_)
    stay[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        far = _squared_distances(points[first : last + 1])
        n = far.size - 1 - int(far[::-1].argmax())  # the last of equals
        if far[n] > limit:
            middle = first + 1 + n
            stay[middle] = True
            spans += [(first, middle), (middle, last)]
    return points[stay]


def _squared_distances(points: Floats) -> Floats:
    """Of all points but both ends to the segment between the ends, (N - 2,). Where along it the
    foot of a point lies is known in single precision only, which decides between equals."""
    (y0, x0), (y1, x1) = points[0], points[-1]
    y, x = points[1:-1, 0], points[1:-1, 1]
    dy, dx = y1 - y0, x1 - x0
    along = (y - y0) * dy + (x - x0) * dx
    length = dy * dy + dx * dx
    far: Floats = (y - y0) ** 2 + (x - x0) ** 2
    if length == 0:
        return far
    foot = (along.astype(np.float32) / np.float32(length)).astype(np.float64)
    far = (y - (y0 + foot * dy)) ** 2 + (x - (x0 + foot * dx)) ** 2
    beyond, before = along >= length, along <= 0
    if beyond.any():
        far[beyond] = (y[beyond] - y1) ** 2 + (x[beyond] - x1) ** 2
    if before.any():
        far[before] = (y[before] - y0) ** 2 + (x[before] - x0) ** 2
    return far
