"""Types of options that are names: the shell completes them.

eval "$(_VOSBENCH_COMPLETE=bash_source vosbench)"
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
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


class _Protocol(Name):
    """A built-in protocol, or one of a plugin."""

    def choices(self, ctx: click.Context, text: str, plugins: Plugins) -> Iterable[Choice]:  # noqa: ARG002
        from vosbench.metrics.protocols import PROTOCOLS

        return ((name, "") for name in (*PROTOCOLS, *plugins.protocols))


TRACKER = _Tracker("trackers")
FORMAT = _Registered("exporters")
EXECUTOR = _Registered("executors")
PROTOCOL = _Protocol()
RUN = _Run()
DATASET = _Dataset()
SEQUENCE = _Sequence()
SETTING = _Setting()
