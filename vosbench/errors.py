"""Errors that a user can act on, and the exit code each one ends the program with.

Anything raised as a `VosbenchError` reaches the terminal as its message and hint, without a
traceback. Any other exception is a bug in vosbench and keeps its traceback (exit code 1).
"""

from __future__ import annotations

import errno
import os


def printable(text: str) -> str:
    """`text` for a terminal: control characters and bytes that are no UTF-8 are shown, not sent."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


class VosbenchError(Exception):
    """Base of all errors that name what is wrong and the way out.

    Args:
        message: what is wrong, naming the file or option.
        hint: what to do about it, one sentence; shown on a line of its own.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        message, hint = printable(message), printable(hint)
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class UsageError(VosbenchError):
    """An option or argument that cannot be used (exit code 2)."""

    exit_code = 2


class DatasetError(VosbenchError):
    """A dataset that is missing, incomplete or broken (exit code 3)."""

    exit_code = 3


class PluginError(VosbenchError):
    """A plugin or tracker that cannot be loaded (exit code 4)."""

    exit_code = 4


class RunError(VosbenchError):
    """A run that ended with failed sequences, or a run directory that cannot be used (exit 5)."""

    exit_code = 5


class EvaluationError(VosbenchError):
    """Masks that cannot be scored under the protocol (exit code 6).

    Args:
        problems: every problem found, not only the first.
    """

    exit_code = 6

    def __init__(self, message: str, hint: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.problems = problems


class FileError(VosbenchError):
    """A file that cannot be read or written, as on a full disk (exit code 7)."""

    exit_code = 7

    @classmethod
    def of(cls, error: OSError, doing: str = "") -> FileError:
        """What the system says, in a sentence, with the way out where there is one."""
        name = error.filename2 or error.filename
        where = f"{os.fsdecode(name)}: " if isinstance(name, (str, bytes)) else ""
        hint = ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "Make room, or choose another folder; then run the same command to resume."
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "Choose a folder that can be written."
        return cls(f"{doing}{where}{error.strerror or error}", hint)
