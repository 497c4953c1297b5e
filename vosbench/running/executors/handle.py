"""A tracker's process, whatever it serves: started, asked, watched, ended."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from types import TracebackType
from typing import Any, Self

from vosbench.errors import PluginError
from vosbench.processes import Keeper, end_tree
from vosbench.running.executors import Plan
from vosbench.running.executors.launch import SERVE, how_it_ended, launch
from vosbench.running.executors.log import WorkerLog
from vosbench.running.executors.protocol import (
    Channel,
    ConnectionLost,
    MalformedMessage,
    ProcessPipe,
    typed,
)
from vosbench.specs import Capabilities, Option, TrackerSpec

_TICK = 0.05  # seconds between two looks at the process
_LONGEST_TICK = 1.0  # what is longer was no waiting: we were suspended, and so was the tracker


class ProcessEnded(Exception):
    """The process died or was ended; the message says why."""


class TrackerProcess:
    """One spawned process with one tracker. Use as a context manager.

    Args:
        plan: what it is to run.
        number: which of the run's workers it is, from 0; each has a log of its own.
        serve: the module whose `main` answers there.
    """

    def __init__(self, plan: Plan, number: int = 0, *, serve: str = SERVE) -> None:
        self._plan = plan
        self._number = number
        self._remote = bool(plan.python)
        self._timed_out = ""
        self._left = float("inf")
        self._advanced = float("-inf")
        self._stage = ""
        self._ended = threading.Event()
        self._killing = threading.Lock()
        log = plan.log
        self._log = WorkerLog(log.with_stem(f"{log.stem}-{number + 1}") if number else log)
        plan.scratch.mkdir(parents=True, exist_ok=True)
        self._keeper = Keeper.of_this_process()
        self._mark = self._keeper.new_mark()
        with self._log.open() as stream:
            self._process = launch(plan.python, plan.threads, self._mark, stream, serve)
        self._keeper.hold(self._process.pid)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._answers = ProcessPipe(self._process.stdout.fileno())
        self._channel = Channel(self._answers, self._process.stdin)  # type: ignore[arg-type]
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether it can take another sequence."""
        return self._process.poll() is None and not self._ended.is_set()

    def describe(self) -> TrackerSpec:
        """The declaration of the plan's tracker as its own environment sees it.

        Raises:
            PluginError: there is no such tracker there, or the environment cannot run us.
        """
        answer = self._ask_once_started({"type": "describe", **self.setup()}, "start")
        try:
            spec = answer["spec"]
            capabilities = spec["capabilities"]
            for name in ("devices", "snapshots", "deterministic"):
                if isinstance(capabilities[name], list):
                    capabilities[name] = tuple(capabilities[name])
            options = [Option(**{**o, "choices": tuple(o["choices"])}) for o in spec["options"]]
            return TrackerSpec(
                name=spec["name"],
                factory=spec["factory"],
                summary=spec["summary"],
                options=tuple(options),
                capabilities=Capabilities(**capabilities),
                settings=spec["settings"],
                code=typed(spec, "code", str),
                packages=typed(spec, "packages", dict),
            )
        except (KeyError, TypeError, AttributeError, MalformedMessage) as error:
            raise self._not_started(f"its description is malformed: {error!r}") from None

    def kill(self) -> None:
        """End the process and everything it started."""
        self._ended.set()
        with self._killing:
            if self._mark:
                end_tree(self._process.pid, self._mark)
                self._keeper.release(self._process.pid)
                self._mark = ""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        self._answers.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._answers.close()

    def setup(self) -> dict[str, Any]:
        """What a message says about the tracker and how it is to be loaded."""
        plan = self._plan
        return {
            "tracker": plan.tracker,
            "options": dict(plan.options),
            "seed": plan.seed,
            "device": plan.device,
            "worker": self._number,
            "warmup": plan.warmup,
            "snapshots": {name: list(values) for name, values in plan.snapshots.items()},
            "threads": plan.threads,
            "ours": not self._remote,
            "plugin_files": [str(path) for path in plan.plugin_files],
            "disabled": list(plan.disabled),
            "scratch": str(plan.scratch.resolve()),
        }

    def ask(self, message: dict[str, Any], stage: str) -> dict[str, Any]:
        """Send a message and wait for what it is answered.

        Args:
            stage: what the process is doing meanwhile, for messages.

        Raises:
            ProcessEnded: it died or took too long.
        """
        self._stage = stage
        self._expect_within()
        try:
            with contextlib.suppress(ConnectionLost):  # why it is gone is in what it sent before
                self._channel.send(message)
            while (answer := self._channel.receive()[0]).get("type") == "progress":
                self._note_progress(answer)
        except (ConnectionLost, MalformedMessage):
            raise ProcessEnded(self._why_it_ended()) from None
        finally:
            self._left = float("inf")
        return answer

    def printed(self) -> str:
        """What the process printed last."""
        return self._log.tail()

    def _ask_once_started(self, message: dict[str, Any], stage: str) -> dict[str, Any]:
        try:
            answer = self.ask(message, stage)
        except ProcessEnded as end:
            raise self._not_started(f"{stage}: {end}") from None
        if answer.get("type") == "failed":
            raise PluginError(
                f"tracker {self._plan.tracker} cannot be loaded: {answer.get('error')}",
                str(answer.get("hint") or f"The traceback is in {self._log.path}."),
            )
        return answer

    def _not_started(self, reason: str) -> PluginError:
        self.kill()
        printed = self._log.tail().splitlines()[-1:]
        problem = ": ".join([f"tracker {self._plan.tracker}: {reason}", *printed])
        if self._plan.python:
            return PluginError(
                f"--python {self._plan.python}: {problem}",
                "It must be Python 3.9 or later, with numpy, pluggy and the tracker installed.",
            )
        return PluginError(problem, f"All that it printed is in {self._log.path}.")

    def _note_progress(self, message: dict[str, Any]) -> None:
        """Renew the time limit of a call that advances; one that repeats itself has hung."""
        done = typed(message, "done", float)
        if done > self._advanced:
            self._left, self._advanced = self._plan.timeout, done

    def _expect_within(self) -> None:
        self._advanced = float("-inf")
        self._left = self._plan.timeout

    def _watch(self) -> None:
        """End what takes too long, and notice the end of the process, which a child that holds
        its pipe would hide."""
        before = time.monotonic()
        while not self._ended.wait(_TICK):
            now = time.monotonic()
            self._left -= min(now - before, _LONGEST_TICK)
            before = now
            if self._left < 0:
                self._timed_out = self._stage
                self.kill()
            elif self._process.poll() is not None:
                self._answers.end()
                return
            self._log.shorten()

    def _last_words(self) -> str:
        """Why the process is gone, and at what."""
        why = self._why_it_ended()
        return f"{self._timed_out or self._stage}: {why}"

    def _why_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0
        self.kill()
        if self._timed_out:
            seconds = f"{self._plan.timeout:g}"
            return f"no answer within {seconds} s (--timeout), so it was ended"
        return how_it_ended(code)
