"""Processes that end with the one that started them, however it ends, along with all they started.

A tracker may start processes, in sessions of their own too. They are found in three ways: by
the process group; by descent (on Linux a worker adopts its orphans); and by the worker's mark in
the environment, which children inherit. A keeper, a small process beside the command, does the same
if the command itself was killed.

Needs the standard library only, and runs as a program: it is the keeper.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

#: Environment variable that marks what a command started: "COMMAND/WORKER".
MARK = "VOSBENCH_WORKER"

_PROC = Path("/proc")
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LATE = 2.0  # seconds until the keeper sees that its command is gone though its pipe is held


class Terminated(KeyboardInterrupt):
    """The command is asked to end by SIGTERM or SIGHUP, as schedulers do before they requeue it.

    Attributes:
        signal: which of them.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.signal = number


def interrupted_code(error: KeyboardInterrupt) -> int:
    """The exit code of a command that was interrupted: 130, or 143 and 129 for TERM and HUP."""
    return 128 + getattr(error, "signal", int(signal.SIGINT))


@contextlib.contextmanager
def signals_raised() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise `Terminated`, once, so that cleaning up is not disturbed.
    What the caller ignores (nohup) or handles stays as it is."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    taken: list[signal.Signals] = []

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        for other in taken:
            signal.signal(other, signal.SIG_IGN)
        raise Terminated(number)

    if threading.current_thread() is threading.main_thread():
        taken += [n for n in numbers if signal.getsignal(n) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def adopt_and_follow() -> None:
    """Make this process adopt the orphans among its descendants, and end at once when the thread
    that started it ends, even inside a call that never returns (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> None:
    """Make this process, one of `multiprocessing`, end as soon as its parent is gone."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is None:
        return

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def end_tree(pid: int, mark: str) -> None:
    """Kill the process `pid`, its group, its descendants, and what carries `mark`."""
    _kill(_descendants(pid))
    if mark:
        _sweep(mark)
    with contextlib.suppress(OSError):  # last, for it may be our own
        os.killpg(pid, signal.SIGKILL)


class Keeper:
    """A process beside this one that ends the process groups entrusted to it when this one is gone.

    One serves a whole command: `Keeper.of_this_process()`.
    """

    _ours: Keeper | None = None
    _starting = threading.Lock()

    def __init__(self) -> None:
        self._owner = os.getpid()
        self.mark = f"{self._owner}-{os.urandom(8).hex()}"
        self._workers = 0
        self._writing = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, self.mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )

    @classmethod
    def of_this_process(cls) -> Keeper:
        """The keeper of this process, started when it is first asked for."""
        with cls._starting:
            ours = cls._ours
            if ours is None or ours._owner != os.getpid() or ours._process.poll() is not None:
                ours = cls._ours = cls()
            return ours

    def new_mark(self) -> str:
        """A mark for one worker."""
        with self._writing:
            self._workers += 1
            return f"{self.mark}/{self._workers}"

    def hold(self, group: int) -> None:
        """End this process group when the command is gone."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """The group has ended; its id may belong to another one now."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._writing, contextlib.suppress(OSError):  # a keeper that was killed keeps nothing
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode())


def _sweep(mark: str) -> None:
    """Kill what carries the mark, until nothing does: a process may start another meanwhile."""
    for _ in range(50):
        found = _marked(mark)
        if not found:
            return
        _kill(found)
        time.sleep(0.01)


def _marked(mark: str) -> set[int]:
    """Processes whose environment holds the mark, or one below it ("MARK/1")."""
    entry = f"{MARK}={mark}".encode()
    found = set()
    for pid in _processes():
        with contextlib.suppress(OSError):
            environment = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
            if any(part == entry or part.startswith(entry + b"/") for part in environment):
                found.add(pid)
    return found - {os.getpid()}


def _descendants(pid: int) -> set[int]:
    children: dict[int, list[int]] = {}
    for other in _processes():
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (_PROC / str(other) / "stat").read_bytes().rpartition(b")")[2].split()
            children.setdefault(int(fields[1]), []).append(other)
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        below = [child for child in children.get(waiting.pop(), []) if child not in found]
        found.update(below)
        waiting += below
    return found


def _processes() -> list[int]:
    """Ids of all processes, where the system lists them (Linux)."""
    try:
        return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]  # noqa: PTH208
    except OSError:
        return []


def _kill(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _keep(mark: str) -> None:
    """Body of the keeper: hear what is entrusted until the command is gone, then end it."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    command, groups, heard = os.getppid(), set[int](), b""
    while os.getppid() == command:
        if not select.select([0], [], [], _LATE)[0]:
            continue
        part = os.read(0, 4096)
        if not part:
            break
        *lines, heard = (heard + part).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    _sweep(mark)


if __name__ == "__main__":
    _keep(sys.argv[1])
