"""The harness's handle on a tracker's process: start it, give it sequences, watch it, end it.

The same worker serves our own Python and that of another environment. There, the vosbench package
alone is made importable, by its location, so that nothing else of ours reaches that environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vosbench.errors import PluginError, RunError, UsageError, VosbenchError
from vosbench.running.executors import Job, Plan
from vosbench.running.executors.protocol import Channel, ConnectionLost
from vosbench.specs import Capabilities, Option, TrackerSpec
from vosbench.store import SequenceRecord
from vosbench.tracking.clip import given_masks

_BOOTSTRAP = """
import sys
if sys.version_info < (3, 11):
    sys.exit("vosbench: needs Python 3.11 or later, this is " + sys.version)
import importlib.util
sys.path[:] = [entry for entry in sys.path if entry]
init = sys.argv[1]
spec = importlib.util.spec_from_file_location("vosbench", init)
module = importlib.util.module_from_spec(spec)
sys.modules["vosbench"] = module
spec.loader.exec_module(module)
from vosbench.running.executors.worker import main
main()
"""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


class WorkerProcess:
    """One spawned process with one tracker. Use as a context manager.

    Example:
        with WorkerProcess(plan) as worker:
            info = worker.start()
            record, info = worker.track(job)
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._remote = bool(plan.python)
        self._timed_out = ""
        self._deadline = float("inf")
        self._stage = ""
        self._ended = threading.Event()
        plan.log.parent.mkdir(parents=True, exist_ok=True)
        plan.scratch.mkdir(parents=True, exist_ok=True)
        python = plan.python or sys.executable
        init = Path(__file__).parents[2] / "__init__.py"
        environment = dict(os.environ)
        environment |= dict.fromkeys(_THREAD_VARIABLES, str(plan.threads))
        # Sets of strings would otherwise be ordered differently in each process.
        environment.setdefault("PYTHONHASHSEED", "0")
        with plan.log.open("ab") as log:
            self._log_start = log.tell()
            try:
                self._process = subprocess.Popen(
                    [python, "-c", _BOOTSTRAP, str(init)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    bufsize=0,
                    start_new_session=True,  # Ctrl-C is for us, who then end it
                )
            except OSError as error:
                raise UsageError(f"--python {python} cannot be started: {error.strerror}") from None
        assert self._process.stdin is not None and self._process.stdout is not None
        self._channel = Channel(self._process.stdout, self._process.stdin)  # type: ignore[arg-type]
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
        answer = self._ask({"type": "describe", **self._setup()}, "start")
        spec = answer["spec"]
        capabilities = spec["capabilities"]
        for name in ("devices", "snapshots"):
            capabilities[name] = tuple(capabilities[name])
        options = [Option(**{**o, "choices": tuple(o["choices"])}) for o in spec["options"]]
        return TrackerSpec(
            name=spec["name"],
            factory=spec["factory"],
            summary=spec["summary"],
            options=tuple(options),
            capabilities=Capabilities(**capabilities),
            settings=spec["settings"],
        )

    def start(self) -> Mapping[str, Any]:
        """Load the tracker; gives its device, versions, hardware and weight files.

        Raises:
            PluginError: its factory failed, died or took too long.
        """
        return self._ask({"type": "start", **self._setup()}, "loading the tracker")

    def track(
        self, job: Job, on_call: Callable[[str, int], None] | None = None
    ) -> tuple[SequenceRecord, Mapping[str, Any]]:
        """Track one sequence. Whatever goes wrong with it is in the record, not raised."""
        sequence = job.sequence
        self._log_start = self._log_size()
        try:
            given = given_masks(sequence)
        except VosbenchError as error:
            return SequenceRecord.failure(sequence.name, str(error)), {}
        message = {
            "type": "sequence",
            "name": sequence.name,
            "frames": [str(path.resolve()) for path in sequence.frames],
            "output": list(sequence.output),
            "given": [[index, sorted(targets)] for index, targets in given.items()],
            "masks": {name: str(folder.resolve()) for name, folder in job.masks.items()},
            "remote": self._remote,
        }
        arrays = [_label_map(targets) for targets in given.values()]
        try:
            self._stage = "start"
            self._expect_within()
            self._channel.send(message, arrays)
            answer = self._serve(job, on_call)
        except ConnectionLost:
            problem = self._last_words()
            return SequenceRecord.failure(sequence.name, problem, self._log_tail()), {}
        except VosbenchError as error:
            self.kill()
            return SequenceRecord.failure(sequence.name, str(error)), {}
        finally:
            self._deadline = float("inf")
        if answer["type"] == "failed":
            self.kill()  # what a failure leaves behind must not reach the next sequence
            return SequenceRecord.failure(sequence.name, answer["error"], answer["traceback"]), {}
        return SequenceRecord.success(sequence.name, answer), answer

    def kill(self) -> None:
        """End the process and everything it started."""
        self._ended.set()
        with contextlib.suppress(ProcessLookupError, PermissionError, AttributeError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> WorkerProcess:
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

    def _setup(self) -> dict[str, Any]:
        plan = self._plan
        return {
            "tracker": plan.tracker,
            "options": dict(plan.options),
            "seed": plan.seed,
            "device": plan.device,
            "snapshots": {name: list(values) for name, values in plan.snapshots.items()},
            "threads": plan.threads,
            "plugin_files": [str(path) for path in plan.plugin_files],
            "disabled": list(plan.disabled),
            "scratch": str(plan.scratch.resolve()),
        }

    def _ask(self, message: dict[str, Any], stage: str) -> dict[str, Any]:
        self._stage = stage
        self._expect_within()
        try:
            self._channel.send(message)
            answer, _ = self._channel.receive()
        except ConnectionLost:
            raise self._not_started() from None
        finally:
            self._deadline = float("inf")
        if answer["type"] == "failed":
            raise PluginError(
                f"tracker {self._plan.tracker} cannot be loaded: {answer['error']}",
                answer["hint"] or f"The traceback is in {self._plan.log}.",
            )
        return answer

    def _not_started(self) -> PluginError:
        reason = self._last_words()
        printed = self._log_tail().splitlines()[-1:]
        problem = ": ".join([f"tracker {self._plan.tracker}: {reason}", *printed])
        if self._plan.python:
            return PluginError(
                f"--python {self._plan.python}: {problem}",
                "It must be Python 3.11 or later, with numpy, pluggy and the tracker installed.",
            )
        return PluginError(problem, f"All that it printed is in {self._plan.log}.")

    def _serve(self, job: Job, on_call: Callable[[str, int], None] | None) -> dict[str, Any]:
        """Answer what the worker asks for until it is done with the sequence."""
        while True:
            message, arrays = self._channel.receive()
            kind = message["type"]
            if kind == "call":
                frame = message["frame"]
                self._stage = f"{message['call']}, frame {job.sequence.frames[frame].stem}"
                self._expect_within()
                if on_call is not None:
                    on_call(message["call"], frame)
            elif kind == "need":
                image = job.sequence.frame(message["frame"]).image
                self._channel.send({"type": "frame"}, [image])
            elif kind == "labels":
                self._write(job, Path(message["path"]), arrays[0])
            else:
                return message

    def _write(self, job: Job, path: Path, labels: NDArray[Any]) -> None:
        from vosbench.datasets.reading import write_labels

        if path.parent not in [folder.resolve() for folder in job.masks.values()]:
            raise RunError(f"the tracker's process wanted to write {path}")
        write_labels(path, labels)

    def _expect_within(self) -> None:
        self._deadline = time.monotonic() + self._plan.timeout

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            if time.monotonic() > self._deadline:
                self._timed_out = self._stage
                self.kill()

    def _last_words(self) -> str:
        """Why the process is gone."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = 0
        self.kill()
        if self._timed_out:
            seconds = f"{self._plan.timeout:g}"
            return f"{self._timed_out}: no answer within {seconds} s (--timeout), so it was ended"
        return f"{self._stage}: {how_it_ended(code)}"

    def _log_size(self) -> int:
        return self._plan.log.stat().st_size if self._plan.log.exists() else 0

    def _log_tail(self) -> str:
        """What the worker printed last, for the record of its failure."""
        if not self._plan.log.exists():
            return ""
        with self._plan.log.open("rb") as log:
            log.seek(max(self._log_start, self._log_size() - 4000))
            return log.read().decode(errors="replace").strip()


def how_it_ended(code: int) -> str:
    """What a process's exit code says; a negative one is the signal that killed it."""
    if code >= 0:
        return f"the process ended with exit code {code}"
    name = signal.Signals(-code).name
    why = " (systems do that when memory runs out)" if name == "SIGKILL" else ""
    return f"the process was killed by {name}{why}"


def _label_map(targets: Mapping[int, NDArray[np.bool_]]) -> NDArray[np.uint8]:
    labels = np.zeros(next(iter(targets.values())).shape, np.uint8)
    for obj, mask in targets.items():
        labels[mask] = obj
    return labels
