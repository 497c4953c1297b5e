"""The live display of a run: bars on standard error in a terminal, one bar in a notebook."""

from __future__ import annotations

import contextlib
import html
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

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

_REDRAW_SECONDS = 0.2


class Display(Progress):
    """Shows one run while `live`; says nothing where standard error is no terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
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
        self._label = f"{run.record.dataset} {run.name}"
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


class NotebookBar:
    """One progress bar in the output of a notebook's cell; it vanishes when the work is done.

    Needs no widgets: the cell's HTML is replaced as the work proceeds.
    """

    def __init__(self, total: int) -> None:
        import IPython.display

        self._ipython: Any = IPython.display
        self._total = total
        self._done = 0
        self._drawn = 0.0
        self._handle = self._ipython.display(self._ipython.HTML(self._draw("")), display_id=True)

    def advance(self, count: int, text: str) -> None:
        """`count` more of the total are done; `text` says what happens now."""
        self._done += count
        now = time.monotonic()
        if now - self._drawn > _REDRAW_SECONDS:
            self._drawn = now
            self._handle.update(self._ipython.HTML(self._draw(text)))

    def end(self) -> None:
        """Remove the bar."""
        self._handle.update(self._ipython.HTML(""))

    def _draw(self, text: str) -> str:
        bar = f'<progress value="{self._done}" max="{max(1, self._total)}"></progress>'
        return f"{bar} {self._done} / {self._total} {html.escape(text)}"


class NotebookDisplay(Progress):
    """Shows one run in a notebook while `live`."""

    def __init__(self) -> None:
        self._bar: NotebookBar | None = None

    @contextlib.contextmanager
    def live(self) -> Iterator[NotebookDisplay]:
        """Draw until the end of the block."""
        try:
            yield self
        finally:
            if self._bar is not None:
                self._bar.end()

    def begin(self, run: Run, sequences: Sequence[str], frames: int) -> None:  # noqa: ARG002
        self._bar = NotebookBar(frames)

    def called(self, sequence: str, call: str, frame: int) -> None:  # noqa: ARG002
        if self._bar is not None:
            self._bar.advance(call == "track", f"{sequence}: {call}")


def display() -> Display | NotebookDisplay:
    """The display that suits where this program runs."""
    return NotebookDisplay() if in_notebook() else Display()


def in_notebook() -> bool:
    """Whether this program runs in a kernel whose output can show HTML."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
