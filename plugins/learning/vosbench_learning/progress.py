"""Losses to csv (and TensorBoard if it is installed), and a progress bar with the time left."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Log:
    """Rows of one table, appended to `<folder>/<name>.csv`; rows of later steps are cut off first.

    A resumed run thus writes the table that an uninterrupted run would have written.
    """

    def __init__(self, folder: Path, name: str, columns: Iterable[str], *, start: int) -> None:
        self.path = folder / f"{name}.csv"
        self._columns = ["step", *columns]
        kept: list[list[str]] = []
        if self.path.is_file():
            with self.path.open(newline="") as file:
                kept = [r for r in list(csv.reader(file))[1:] if r and int(r[0]) <= start]
        with self.path.open("w", newline="") as file:
            csv.writer(file).writerows([self._columns, *kept])
        self._board = _tensorboard(folder)
        self._name = name

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One row; columns without a value stay empty."""
        row = [step, *(f"{values[c]:.6g}" if c in values else "" for c in self._columns[1:])]
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow(row)
        for key, value in values.items():
            self._board.add_scalar(f"{self._name}/{key}", value, step)


class _Board(Protocol):
    def add_scalar(self, tag: str, value: float, step: int) -> None: ...


class _NoBoard:
    def add_scalar(self, tag: str, value: float, step: int) -> None:
        pass


def _tensorboard(folder: Path) -> _Board:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return _NoBoard()
    board: _Board = SummaryWriter(str(folder))
    return board


class Bar:
    """A progress bar on a terminal, a line every half minute in a log file."""

    def __init__(self, title: str, total: int, *, done: int, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._progress = Progress(
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total, completed=done, note="")
        self._start, self._first, self._total = time.monotonic(), done, total
        self._said = self._start

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, done: int, note: str) -> None:
        """`done` steps are behind us."""
        self._progress.update(self._task, completed=done, note=note)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said > 30:
            self._said = now
            left = (now - self._start) / max(done - self._first, 1) * (self._total - done)
            self._console.print(f"{done}/{self._total} {left / 60:.1f} min left {note}")
