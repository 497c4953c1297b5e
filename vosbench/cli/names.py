"""Types of options that are names: the shell completes them. Commands of plugins use them too.

eval "$(_VOSBENCH_COMPLETE=bash_source vosbench)"
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from vosbench.cli.loading import load_plugins
from vosbench.errors import VosbenchError

if TYPE_CHECKING:
    from vosbench.plugins import Plugins
    from vosbench.specs import TrackerSpec

#: (what is completed to, what it is).
Choice = tuple[str, str]


class Name(click.ParamType[str]):
    """A name as text; completion offers the names that begin with what was typed."""

    name = "name"

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:
        """All that may stand here."""
        raise NotImplementedError

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        found: list[Choice] = []
        with ctx, contextlib.suppress(VosbenchError, OSError):
            found = list(self.choices(ctx, incomplete, load_plugins(tolerant=True)))
        return [CompletionItem(n, help=text) for n, text in found if n.startswith(incomplete)]


class _Registered(Name):
    """Something that plugins register."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:  # noqa: ARG002
        return ((name, spec.summary) for name, spec in getattr(plugins, self._kind).items())


class _Tracker(_Registered):
    """A tracker of a plugin, or one that the configuration names."""

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:
        from vosbench.config import load_config

        yield from super().choices(ctx, text, plugins)
        for name in load_config().trackers.keys() - plugins.trackers.keys():
            yield name, "of the configuration"


class _Run(Name):
    """A run in `--results`, over `--dataset` if that is given, or a tracker that has one."""

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:  # noqa: ARG002
        from vosbench.store import find_runs

        runs = find_runs(Path(ctx.params.get("results") or "results"), ctx.params.get("dataset"))
        offered = {run.name: run.record.dataset for run in runs}
        return sorted((offered | {run.record.tracker: "all of its runs" for run in runs}).items())


class _Dataset(Name):
    """A dataset by name, or a folder."""

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:  # noqa: ARG002
        for name, spec in plugins.datasets.items():
            yield name, spec.summary
        start = Path(text or ".")
        for folder in sorted((start if text.endswith("/") else start.parent).glob("*/")):
            if not folder.name.startswith("."):
                yield f"{folder}/", "folder"


class _Sequence(Name):
    """A sequence of the dataset that is given."""

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:  # noqa: ARG002
        from vosbench.config import data_roots
        from vosbench.datasets.registry import open_dataset

        for name in _given(ctx, "dataset"):
            opened = open_dataset(name, plugins, data_roots(ctx.params.get("data_root") or ()))
            for video in opened.sequences:
                yield video.name, opened.name


class _Setting(Name):
    """KEY=VALUE for an option of the trackers that are given."""

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:
        given = [t for t in _given(ctx, "tracker") if t in plugins.trackers]
        trackers: list[TrackerSpec] = [plugins.trackers[t] for t in given or plugins.trackers]
        key, equals, _ = text.partition("=")
        for option in {o.name: o for spec in trackers for o in spec.options}.values():
            if not equals:
                yield f"{option.name}=", option.help
            elif option.name == key:
                values: tuple[Any, ...] = option.choices or ()
                values = values or ((True, False) if isinstance(option.default, bool) else ())
                yield from ((f"{key}={value}", "") for value in values)


def _given(ctx: click.Context, name: str) -> tuple[str, ...]:
    """What was given for `--name`, which commands call `name` or, where it repeats, `names`."""
    value = ctx.params.get(name) or ctx.params.get(f"{name}s") or ()
    return (value,) if isinstance(value, str) else tuple(value)


class _Listed(Name):
    """One of a list that is made when it is asked for."""

    def __init__(self, listed: Callable[[Plugins], Iterable[str]]) -> None:
        self._listed = listed

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:  # noqa: ARG002
        return ((name, "") for name in self._listed(plugins))


class _Several(_Listed):
    """Names of a list, with commas between them."""

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:
        before, comma, _ = text.rpartition(",")
        return ((f"{before}{comma}{n}", what) for n, what in super().choices(ctx, text, plugins))


def _protocols(plugins: Plugins) -> Iterable[str]:
    from vosbench.metrics.protocols import PROTOCOLS

    return (*PROTOCOLS, *plugins.protocols)


def _measures(_: Plugins) -> Iterable[str]:
    from vosbench.metrics.protocols.base import DAVIS_COLUMNS

    return (column.removesuffix("-Mean") for column in DAVIS_COLUMNS)


def _published(_: Plugins) -> Iterable[str]:
    from vosbench.analysis.published import methods

    return ("all", "recent", "none", *methods())


def _cases(_: Plugins) -> Iterable[str]:
    from vosbench.testing import conformance_cases

    return map(str, conformance_cases())


def _perturbations(_: Plugins) -> Iterable[str]:
    from vosbench.tracking.perturbation import Perturbation

    return (
        field.name.replace("_", "-") + ("" if field.default is False else "=")
        for field in fields(Perturbation)
    )


TRACKER = _Tracker("trackers")
FORMAT = _Registered("exporters")
EXECUTOR = _Registered("executors")
PROTOCOL = _Listed(_protocols)
METRICS = _Several(lambda plugins: ("all", *plugins.metrics, *plugins.sequence_metrics))
PUBLISHED = _Listed(_published)
PERTURBATIONS = _Several(_perturbations)
PLUGIN = _Listed(lambda plugins: (info.name for info in plugins.infos))
CASE = _Listed(_cases)
MEASURE = _Listed(_measures)
ROWS = _Several(lambda plugins: plugins.trackers)
DEVICE = _Listed(lambda _: ("auto", "cpu", "cuda", "mps"))
KNOWN_DATASET = _Registered("datasets")
RUN = _Run()
DATASET = _Dataset()
SEQUENCE = _Sequence()
SETTING = _Setting()
