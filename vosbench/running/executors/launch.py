"""Start the process that a tracker lives in, in our own Python or in another environment's.

In another environment the vosbench package alone is made importable, by its location, so that
nothing else from here reaches it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from vosbench.errors import UsageError
from vosbench.processes import MARK

_BOOTSTRAP = """
import sys
if sys.version_info < (3, 9):
    sys.exit("vosbench: needs Python 3.9 or later, this is " + sys.version)
import importlib, importlib.util
sys.path[:] = [entry for entry in sys.path if entry]
init = sys.argv[1]
spec = importlib.util.spec_from_file_location("vosbench", init)
module = importlib.util.module_from_spec(spec)
sys.modules["vosbench"] = module
spec.loader.exec_module(module)
importlib.import_module(sys.argv[2]).main()
"""
#: What a tracker's process does unless told otherwise.
SERVE = "vosbench.running.executors.worker"

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
#: Iterations (microseconds) that GNU OpenMP's waiting threads spin before they sleep. By default
#: they spin for milliseconds and keep cores from who has work for them; see docs/timing.md.
SPIN = "5000"

#: What would lead a tracker to the annotations.
_WITHHELD = ("VOSBENCH_DATA", "VOSBENCH_CONFIG")


def launch(
    python: str, threads: int, mark: str, log: BinaryIO, serve: str = SERVE
) -> subprocess.Popen[bytes]:
    """A process that runs `main` of a module of ours, with pipes to its standard input and output.

    Args:
        python: interpreter of its environment; "" is our own.
        threads: how many threads the libraries of the tracker may use.
        mark: by which everything that it starts is recognized; see `vosbench.processes`.
        log: where what it prints goes.
        serve: the module.

    Raises:
        UsageError: there is no such interpreter.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _WITHHELD}
    environment |= dict.fromkeys(_THREAD_VARIABLES, str(threads))
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", SPIN)
    environment[MARK] = mark
    # Sets of strings would otherwise be ordered differently in each process.
    environment.setdefault("PYTHONHASHSEED", "0")
    init = Path(__file__).parents[2] / "__init__.py"
    try:
        return subprocess.Popen(
            [python or sys.executable, "-c", _BOOTSTRAP, str(init), serve],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us, who then end it
        )
    except OSError as error:
        raise UsageError(f"--python {python} cannot be started: {error.strerror}") from None


def how_it_ended(code: int) -> str:
    """What a process's exit code says; a negative one is the signal that killed it."""
    if code >= 0:
        return f"the process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal
        name = f"signal {-code}"
    why = " (systems do that when memory runs out)" if name == "SIGKILL" else ""
    return f"the process was killed by {name}{why}"
