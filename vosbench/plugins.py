"""The plugin manager: entry points, plugin files, a disable list.

One broken plugin is reported and left out; it never stops the others. Entry points live in the
group `vosbench`; a file given by `--plugin` is imported from its path under a private name.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pluggy

from vosbench.backports import dataclass
from vosbench.backports import entry_points as entry_points_of
from vosbench.errors import PluginError
from vosbench.hookspecs import PROJECT, RegistrationHooks
from vosbench.provenance import source_digest

if TYPE_CHECKING:
    import click

    from vosbench.datasets.base import DatasetSpec
    from vosbench.export import ExporterSpec
    from vosbench.metrics import MetricSpec, ProtocolSpec, SequenceMetricSpec
    from vosbench.running.executors import ExecutorSpec
    from vosbench.specs import TrackerSpec

BUILT_INS = (
    "vosbench.datasets.builtin",
    "vosbench.metrics.builtin",
    "vosbench.running.executors.builtin",
    "vosbench.export.builtin",
)

#: Protocols of the plugins that this process loaded last: a stored run names its protocol, and
#: whoever scores it finds it by that name (`vosbench.metrics.protocols.find_protocol`).
PROTOCOLS_OF_PLUGINS: dict[str, ProtocolSpec] = {}

#: Measures besides J and F that this process knows, for stored scores name theirs, too.
KNOWN_METRICS: dict[str, MetricSpec | SequenceMetricSpec] = {}


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Spec = TypeVar("_Spec", bound=_Named)


@dataclass(slots=True)
class PluginInfo:
    """One plugin as `vosbench plugins` shows it.

    Attributes:
        name: entry point name or file stem.
        source: where it comes from: distribution name, or file path.
        module: name that it is imported as.
        version: of the distribution; for a file the start of its SHA-256.
        provides: kind ("trackers", "datasets", ...) -> names that it registered.
        problem: traceback text if it is broken, "disabled" if the user switched it off, else "".
        reason: the problem in one line, "" if there is none.
    """

    name: str
    source: str
    module: str
    version: str = ""
    provides: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""
    reason: str = ""


class Plugins:
    """All plugins that could be loaded and what they registered.

    Args:
        files: Python files, or folders of packages, to load as plugins (`--plugin`).
        disabled: names of plugins to leave out.
        entry_points: load those installed in the environment.
        trackers_only: collect nothing but trackers, which is all that a tracker's process needs;
            what plugins import to register the rest is not imported.

    Attributes:
        trackers, datasets, metrics, sequence_metrics, protocols, executors, exporters, commands:
            what is registered, by name.
        infos: one record per plugin, broken ones included.
        files, disabled: as given, so that a worker process can load the same.
    """

    def __init__(
        self,
        files: Iterable[Path] = (),
        disabled: Iterable[str] = (),
        *,
        entry_points: bool = True,
        trackers_only: bool = False,
    ) -> None:
        self.trackers: dict[str, TrackerSpec] = {}
        self.datasets: dict[str, DatasetSpec] = {}
        self.metrics: dict[str, MetricSpec] = {}
        self.sequence_metrics: dict[str, SequenceMetricSpec] = {}
        self.protocols: dict[str, ProtocolSpec] = {}
        self.executors: dict[str, ExecutorSpec] = {}
        self.exporters: dict[str, ExporterSpec] = {}
        self.commands: dict[str, click.Command] = {}
        self.infos: list[PluginInfo] = []
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(RegistrationHooks)
        self.files = tuple(Path(path).resolve() for path in files)
        self.disabled = tuple(disabled)
        self._trackers_only = trackers_only
        for module in () if trackers_only else BUILT_INS:
            info = PluginInfo(module, PROJECT, module)
            self._add(info, lambda m=module: importlib.import_module(m))  # type: ignore[misc]
        if entry_points:
            for entry in sorted(entry_points_of(group=PROJECT), key=lambda e: e.name):
                dist = entry.dist
                info = PluginInfo(
                    entry.name,
                    dist.name if dist else "?",
                    entry.module,
                    dist.version if dist else "",
                )
                self._add(info, entry.load)
        for path in self.files:
            info = PluginInfo(path.stem, str(path), _private_name(path), _file_version(path))
            self._add(info, lambda p=path: load_file(p))  # type: ignore[misc]
        PROTOCOLS_OF_PLUGINS.clear()
        PROTOCOLS_OF_PLUGINS.update(self.protocols)
        KNOWN_METRICS.clear()
        KNOWN_METRICS.update({**self.metrics, **self.sequence_metrics})

    def tracker(self, name: str) -> TrackerSpec:
        """The tracker called `name`. Raises PluginError listing near names if there is none."""
        return _lookup(self.trackers, name, "tracker", "vosbench trackers", self.broken)

    def provider(self, kind: str, name: str) -> PluginInfo:
        """The plugin that registered `name` among the `kind` ("trackers", ...)."""
        return next(info for info in self.infos if name in info.provides.get(kind, ()))

    def digest(self, spec: TrackerSpec) -> str:
        """SHA-256 of the source that `spec` is made of, see `vosbench.provenance`."""
        return source_digest(self.provider("trackers", spec.name).module, spec.factory)

    @property
    def packages(self) -> set[str]:
        """Top-level modules that plugins are made of."""
        return {PROJECT, *(info.module.partition(".")[0] for info in self.infos)}

    def observers(self) -> list[Any]:
        """Plugins with session hooks of their own: they watch every sequence."""
        hooks = ("sequence_started", "sequence_finished")
        return [p for p in self._manager.get_plugins() if any(hasattr(p, hook) for hook in hooks)]

    @property
    def broken(self) -> list[PluginInfo]:
        """Plugins that could not be loaded (disabled ones are not broken)."""
        return [info for info in self.infos if info.problem not in ("", "disabled")]

    def _add(self, info: PluginInfo, load: Callable[[], Any]) -> None:
        self.infos.append(info)
        if info.name in self.disabled:
            info.problem = info.reason = "disabled"
            return
        try:
            plugin = load()
            # A scratch manager first: what a half-broken plugin registered must not stay.
            self._manager.register(plugin, name=f"{info.name} ({info.source})")
            self._collect(plugin, info)
        except (Exception, SystemExit) as error:
            info.problem = traceback.format_exc()
            info.reason = _reason(error)
            info.provides = {}
            name = f"{info.name} ({info.source})"
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)

    def _collect(self, plugin: Any, info: PluginInfo) -> None:
        kinds: dict[str, dict[str, Any]] = {
            "trackers": self.trackers,
            "datasets": self.datasets,
            "metrics": self.metrics,
            "sequence_metrics": self.sequence_metrics,
            "protocols": self.protocols,
            "executors": self.executors,
            "exporters": self.exporters,
        }
        if self._trackers_only:
            kinds = {"trackers": self.trackers}
        others = [p for p in self._manager.get_plugins() if p is not plugin]
        new: dict[str, list[_Named]] = {}
        for kind, taken in kinds.items():
            specs: list[_Named] = []
            hook = f"vosbench_register_{kind}"
            self._manager.subset_hook_caller(hook, others)(register=specs.append)
            names = [spec.name for spec in specs]
            for spec in specs:
                if spec.name in taken or names.count(spec.name) > 1:
                    raise PluginError(
                        f"{kind[:-1].replace('_', ' ')} {spec.name!r} is registered twice"
                    )
            new[kind] = specs
        commands = {} if self._trackers_only else self._commands_of(others)
        for kind, specs in new.items():
            kinds[kind].update({spec.name: spec for spec in specs})
            if specs:
                info.provides[kind] = [spec.name for spec in specs]
        self.commands.update(commands)
        if commands:
            info.provides["commands"] = list(commands)

    def _commands_of(self, others: list[Any]) -> dict[str, click.Command]:
        hook = self._manager.subset_hook_caller("vosbench_register_commands", others)
        if not hook.get_hookimpls():
            return {}
        import click

        scratch = click.Group()
        hook(cli=scratch)
        for name in scratch.commands:
            if name in self.commands:
                raise PluginError(f"command {name!r} is registered twice")
        return dict(scratch.commands)


def load_file(path: Path) -> ModuleType:
    """Import a plugin: a file, or the folder of a package. Raises PluginError if it is not there or
    is not Python.

    A file is importable under its private name, so that a worker process that is given the same
    path can unpickle what it defines; a package under its own, so that its modules find each other.
    """
    path = path.resolve()
    inside = [str(path)] if path.is_dir() else None
    source = path / "__init__.py" if inside else path
    if not source.is_file():
        raise PluginError(
            "the folder is no package: it has no __init__.py"
            if inside
            else "the file does not exist"
        )
    name = _private_name(path)
    spec = importlib.util.spec_from_file_location(name, source, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise PluginError("it is not a Python file: the name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _private_name(path: Path) -> str:
    return path.name if path.is_dir() else f"vosbench_plugin_{path.stem}"


def _file_version(path: Path) -> str:
    path = path / "__init__.py" if path.is_dir() else path
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""


def _reason(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return error.message
    return " ".join(f"{type(error).__name__}: {error}".split())


def _lookup(
    table: dict[str, _Spec], name: str, kind: str, command: str, broken: list[PluginInfo]
) -> _Spec:
    if name in table:
        return table[name]
    import difflib

    near = difflib.get_close_matches(name, table, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    if broken:
        hint += f"{len(broken)} plugin(s) could not be loaded, see `vosbench plugins`. "
    raise PluginError(f"there is no {kind} called {name!r}", f"{hint}`{command}` lists all.")


def has_hooks(plugin: object) -> bool:
    """Whether `plugin` implements the `tracker_*` session hooks instead of plain methods."""
    return any(
        name.startswith("tracker_") for name, _ in inspect.getmembers(plugin, inspect.isroutine)
    )
