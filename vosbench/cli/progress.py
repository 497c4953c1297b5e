"""The live display of a run on standard error: one bar for all frames, one per sequence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from vosbench.running.recorder import Progress
from vosbench.store import Run, SequenceRecord


class Display(Progress):
    """Shows one run while `live`; says nothing where standard error is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Speed(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._all: TaskID | None = None
        self._label = ""
        self._to_do = 0
        self._ended = 0

    @contextlib.contextmanager
    def live(self) -> Iterator[Display]:
        """Draw until the end of the block."""
        with self._bars:
            yield self

    def begin(self, run: Run, sequences: Sequence[str], frames: int) -> None:
        self._label = f"[bold]{run.record.dataset} {run.name}[/]"
        self._to_do, self._ended = len(sequences), 0
        self._all = self._bars.add_task(self._heading(), total=frames)

    def started(self, sequence: str, frames: int) -> None:
        self._tasks[sequence] = self._bars.add_task(f"  {sequence}", total=frames)

    def called(self, sequence: str, call: str, frame: int) -> None:
        task = self._tasks[sequence]
        self._bars.update(task, completed=frame, description=f"  {sequence}: {call}")
        if call == "track" and self._all is not None:
            self._bars.advance(self._all)

    def finished(self, record: SequenceRecord) -> None:
        self._bars.remove_task(self._tasks.pop(record.sequence))
        self._ended += 1
        if self._all is not None:
            self._bars.update(self._all, description=self._heading())
        if record.status == "failed":
            self._bars.console.print(Text(f"failed: {record.sequence}: {record.error}", "red"))

    def _heading(self) -> str:
        return f"{self._label} {self._ended}/{self._to_do} sequences"


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} FPS" if speed else "", "cyan")
