"""Plans a run, carries it out by an executor, records what happens.

runs = run(plugins, dataset, "flow", RunSettings(jobs=2), results=Path("results"))
runs[0].timing()
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vosbench.datasets.base import Dataset
from vosbench.errors import DatasetError, PluginError, UsageError
from vosbench.running.environments import home_of
from vosbench.running.executors import Executor, Job, Plan
from vosbench.running.executors.process import WorkerProcess
from vosbench.running.load import cores, threads_of_worker
from vosbench.running.recorder import PERTURB, Progress, RunRecorder, RunState, changed_options
from vosbench.specs import OptionValue, TrackerSpec, resolve_factory
from vosbench.store import Run, check_name, run_name
from vosbench.tracking.perturbation import Perturbation, perturbed

if TYPE_CHECKING:
    from vosbench.plugins import Plugins


def find_tracker(plugins: Plugins, name: str, python: str = "") -> TrackerSpec:
    """The declaration of tracker `name`, asked for in the environment that it lives in: that of
    `python` if given, else what `environments.home_of` says.

    Raises:
        PluginError: there is no such tracker, or its environment is not there.
        UsageError: `python` is no usable interpreter.
    """
    home = home_of(plugins, name, python)
    if home.ours:
        spec = plugins.tracker(name)
        return replace(spec, code=plugins.digest(spec))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(
            tracker=name,
            options={},
            seed=0,
            device="cpu",
            python=home.python,
            plugin_files=(*plugins.files, *home.plugins),
            disabled=plugins.disabled,
            timeout=120,
            log=Path(folder, "log.txt"),
            scratch=Path(folder),
        )
        with WorkerProcess(plan) as worker:
            spec = worker.describe()
    here = plugins.trackers.get(name)
    return replace(spec, origin=here.origin if here else None)


def run_folder(
    results: Path, dataset: str, spec: TrackerSpec, options: Mapping[str, str], seed: int = 0
) -> Path:
    """Where `run` keeps the run of `spec` with the given options over the dataset of that name.

    Raises:
        UsageError: an option that the tracker does not have, or a value that does not fit.
    """
    changed = changed_options(spec, spec.resolve_options(options))
    return results / dataset / run_name(spec.name, changed, seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """How a tracker is run.

    Attributes:
        options: given options as text; what equals the default counts as not given.
        seed: of all generators, before each sequence.
        device: "cpu", "cuda", "cuda:1", ..., or "auto".
        jobs: sequences at once, each in its own process with its share of the cores; None is one,
            or as many as a cluster has room for.
        snapshots: option -> values answered in the same run, for options that the tracker lists in
            `Capabilities.snapshots`. Give the value that takes longest in `options`. Each further
            value becomes a run directory of its own, as if run with that option, its times derived.
        fresh: discard what is there.
        timeout: seconds that one call of the tracker may take without progress.
        warmup: frames of its first sequence that each worker tracks before anything is timed.
        isolate: a fresh process for each sequence.
        retries: times that a sequence is tried again whose worker's machine was lost.
        gpus: GPUs that each job takes of a cluster; a fraction shares one.
        runtime_env: what a cluster sets up for the trackers on each node (packages, modules,
            variables), as Ray's runtime_env.
        python: interpreter of another environment in which the tracker is installed; "" is that
            of the configuration or of `vosbench trackers install`, else our own.
        executor: name of a registered executor.
        perturb: makes a run of its own over frames and given masks that are worse on purpose.

    Raises:
        UsageError: `jobs`, `timeout` or `warmup` is out of range.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"
    jobs: int | None = None
    snapshots: Mapping[str, Sequence[str]] = field(default_factory=dict)
    fresh: bool = False
    timeout: float = 600.0
    warmup: int = 0
    isolate: bool = False
    retries: int = 1
    gpus: float | None = None
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    python: str = ""
    executor: str = "local"
    perturb: Perturbation | None = None

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise UsageError(f"--jobs must be at least 1, not {self.jobs}")
        if self.timeout <= 0:
            raise UsageError(f"--timeout must be above 0 seconds, not {self.timeout:g}")
        if self.warmup < 0:
            raise UsageError(f"--warmup must be at least 0 frames, not {self.warmup}")


def run(
    plugins: Plugins,
    dataset: Dataset,
    tracker: str | TrackerSpec,
    settings: RunSettings | None = None,
    *,
    results: Path,
    sequences: Iterable[str] = (),
    progress: Progress | None = None,
) -> list[Run]:
    """Run one tracker over a dataset, or resume such a run; what is done is kept.

    Args:
        dataset: whole; `sequences` names the part to run (all if empty).

    Returns:
        The run, then one for each further value of `settings.snapshots`. Failed sequences are in
        `Run.sequences()`; `Run.complete` says whether there are none.

    Raises:
        UsageError: an option, device or snapshot that does not fit the tracker.
        PluginError: the tracker cannot be loaded.
        RunError: the run directory is in use, or holds a run of something else.
    """
    how = settings or RunSettings()
    spec = (
        tracker if isinstance(tracker, TrackerSpec) else find_tracker(plugins, tracker, how.python)
    )
    home = home_of(plugins, spec.name, how.python)
    if not spec.code and home.ours:
        spec = replace(spec, code=plugins.digest(plugins.tracker(spec.name)))
    _check_device(spec, how.device)
    backend = _make_executor(plugins, how.executor)
    values = spec.resolve_options({**home.options, **how.options})
    asked = _resolve_snapshots(spec, how.snapshots)
    wanted = _wanted(dataset, sequences)
    worse = {} if how.perturb is None else {PERTURB: str(how.perturb)}
    if how.perturb is not None:
        dataset = perturbed(dataset, how.perturb)
    states = {
        name: RunState.of(results, dataset, spec, values | change | worse, how.seed, home.python)
        for name, change in _variants(values, asked).items()
    }
    check_name(dataset.name, "dataset")
    for state in states.values():
        check_name(state.run.record.name, "run")
    with contextlib.ExitStack() as stack:
        for state in states.values():
            stack.enter_context(state.run.locked())
            state.begin(dataset, wanted, how.fresh)
        todo = [s for s in wanted if any(s not in state.done for state in states.values())]
        main = states[""].run
        scratch = main.folder.resolve() / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        plan = Plan(
            tracker=spec.name,
            options=values,
            seed=how.seed,
            device=how.device,
            snapshots=asked,
            jobs=how.jobs or 1,
            threads=threads_of_worker(how.jobs or 1 if how.executor == "local" else cores()),
            timeout=how.timeout,
            warmup=how.warmup,
            isolate=how.isolate,
            retries=how.retries,
            gpus=how.gpus,
            runtime_env=how.runtime_env,
            python=home.python,
            plugin_files=(*plugins.files, *home.plugins),
            disabled=plugins.disabled,
            log=main.folder.resolve() / "log.txt",
            scratch=scratch,
        )
        if todo:
            if how.jobs is None:
                plan = replace(plan, jobs=backend.capacity(plan))
            recorder = RunRecorder(states, plan.jobs, progress or Progress())
            todo_jobs = [_job(dataset, name, states) for name in todo]
            frames = sum(len(job.sequence) for job in todo_jobs)
            recorder.progress.begin(main, todo, frames)
            with recorder:
                backend.run(plan, todo_jobs, recorder)
        for state in states.values():
            state.finish(worked=bool(todo))
    return [state.run for state in states.values()]


def _job(dataset: Dataset, name: str, states: Mapping[str, RunState]) -> Job:
    masks = {
        variant: state.run.masks.resolve() / name
        for variant, state in states.items()
        if name not in state.done
    }
    return Job(sequence=dataset.sequence(name), masks=masks)


def _wanted(dataset: Dataset, sequences: Iterable[str]) -> list[str]:
    names = {dataset.sequence(name).name for name in sequences}
    wanted = [s.name for s in dataset.sequences if not names or s.name in names]
    for name in wanted:
        check_name(name, f"dataset {dataset.name}: sequence")
    if not wanted:
        raise DatasetError(f"dataset {dataset.name} has no sequences")
    return wanted


def _resolve_snapshots(
    spec: TrackerSpec, snapshots: Mapping[str, Sequence[str]]
) -> dict[str, tuple[OptionValue, ...]]:
    resolved = {}
    for name, texts in snapshots.items():
        if name not in spec.capabilities.snapshots:
            can = ", ".join(spec.capabilities.snapshots) or "no option"
            raise UsageError(
                f"tracker {spec.name} cannot answer several values of {name!r} in one run",
                f"It can for: {can}.",
            )
        parsed = [spec.resolve_options({name: text})[name] for text in texts]
        resolved[name] = tuple(dict.fromkeys(parsed))
    return resolved


def _variants(
    values: Mapping[str, OptionValue], snapshots: Mapping[str, tuple[OptionValue, ...]]
) -> dict[str, dict[str, OptionValue]]:
    """Variant name, as `Prediction.variants` has it -> the option that it changes."""
    variants: dict[str, dict[str, OptionValue]] = {"": {}}
    for option, wanted in snapshots.items():
        for value in wanted:
            if value != values[option]:
                variants[f"{option}={value}"] = {option: value}
    return variants


def _check_device(spec: TrackerSpec, device: str) -> None:
    kind = device.partition(":")[0]
    if kind not in ("auto", *spec.capabilities.devices):
        can = ", ".join(spec.capabilities.devices)
        raise UsageError(f"--device {device}: tracker {spec.name} runs on {can}")


def _make_executor(plugins: Plugins, name: str) -> Executor:
    if name not in plugins.executors:
        raise PluginError(
            f"there is no executor called {name!r}", f"There are: {', '.join(plugins.executors)}."
        )
    executor: Executor = resolve_factory(plugins.executors[name].factory)()
    return executor
