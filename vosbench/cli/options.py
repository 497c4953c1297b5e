"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vosbench.errors import PluginError, UsageError

if TYPE_CHECKING:
    from vosbench.metrics import MetricSpec, SequenceMetricSpec
    from vosbench.plugins import Plugins

_Command = TypeVar("_Command", bound=Callable[..., Any])
_KEY = "vosbench"


def _remember(ctx: click.Context, param: click.Parameter, value: tuple[Any, ...]) -> None:
    store: dict[str, list[Any]] = ctx.find_root().meta.setdefault(_KEY, {})
    if param.name is not None:
        store.setdefault(param.name, []).extend(value)


def plugin_options(command: _Command) -> _Command:
    """Add `--plugin FILE` and `--disable NAME`; `load_plugins` reads them."""
    command = click.option(
        "--disable",
        multiple=True,
        metavar="NAME",
        expose_value=False,
        is_eager=True,  # so that --help after it knows the plugin's commands
        callback=_remember,
        help="Leave a plugin out. May be repeated.",
    )(command)
    return click.option(
        "--plugin",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        expose_value=False,
        is_eager=True,  # so that --help after it knows the plugin's commands
        callback=_remember,
        help="Load a plugin from a Python file. May be repeated.",
    )(command)


def data_root_option(command: _Command) -> _Command:
    """Add `--data-root DIR` (repeatable) as parameter `data_root`: tuple of paths."""
    return click.option(
        "--data-root",
        multiple=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder that holds datasets; before VOSBENCH_DATA and the configuration file.",
    )(command)


def results_option(command: _Command) -> _Command:
    """Add `--results DIR` as parameter `results`: the folder that holds runs."""
    return click.option(
        "--results",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results"),
        show_default=True,
        help="Folder that holds the runs.",
    )(command)


def list_option(command: _Command) -> _Command:
    """Add `--list FILE`: the sequences named in it are added to the parameter `sequences`, which
    `--sequence` must define."""

    def add(ctx: click.Context, _: click.Parameter, path: Path | None) -> None:
        if path is None:
            return
        from vosbench.datasets.listing import read_list

        names = read_list(path)
        if not names:
            raise UsageError(f"--list {path} names no sequence")
        ctx.params["sequences"] = (*ctx.params.get("sequences", ()), *names)

    return click.option(
        "--list",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="FILE",
        expose_value=False,
        callback=add,
        help="Only the sequences that FILE names, one a line, e.g. ImageSets/2017/val.txt.",
    )(command)


def json_option(command: _Command) -> _Command:
    """Add `--json` as parameter `as_json`: one JSON document on standard output, nothing else."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
    )(command)


def table_options(command: _Command) -> _Command:
    """Add `--format NAME` and `--output FILE` as `format_name` and `output`: how tables are shown
    and where they go (see `vosbench.cli.tables`)."""
    command = click.option(
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the tables to a file instead of showing them.",
    )(command)
    return click.option(
        "--format",
        "format_name",
        default="text",
        show_default=True,
        metavar="NAME",
        help="text, csv, json, markdown, html, latex, or one of a plugin.",
    )(command)


def masks_options(command: _Command) -> _Command:
    """Add RUN, `--dataset`, `--tracker`, `--masks`, `--results` and `--data-root`: what
    `vosbench.cli.locate.locate` takes."""
    folder = click.Path(path_type=Path, file_okay=False, exists=True)
    masks = click.Path(path_type=Path, exists=True)
    for option in (
        data_root_option,
        results_option,
        click.option(
            "--masks",
            type=masks,
            metavar="DIR",
            help="Masks as `vosbench evaluate --masks` takes them, instead of a run.",
        ),
        click.option("--tracker", metavar="NAME", help="Tracker or run name."),
        click.option("--dataset", metavar="NAME", help="Dataset of the run or of --masks."),
        click.argument("run", required=False, type=folder),
    ):
        command = option(command)
    return command


def load_plugins(*, tolerant: bool = False) -> Plugins:
    """The plugins of this invocation: entry points and `--plugin` files, minus those disabled on
    the command line or in the configuration file. Loaded once per invocation.

    Args:
        tolerant: say nothing about `--plugin` files that are broken and `--disable` names that
            nobody has; for listings.

    Raises:
        PluginError: a file given by `--plugin` cannot be loaded.
        UsageError: there is no plugin of a name given by `--disable`.
    """
    from vosbench.config import load_config
    from vosbench.plugins import Plugins

    ctx = click.get_current_context(silent=True)
    store: dict[str, Any] = ctx.find_root().meta.setdefault(_KEY, {}) if ctx else {}
    if "loaded" not in store:
        store["loaded"] = Plugins(
            files=store.get("plugin", ()),
            disabled=(*store.get("disable", ()), *load_config().disable),
        )
    plugins: Plugins = store["loaded"]
    if not tolerant:
        _check_given(plugins, store.get("disable", ()))
    return plugins


def find_metrics(plugins: Plugins, names: Iterable[str]) -> list[MetricSpec | SequenceMetricSpec]:
    """The metrics that `--metrics` names: of one frame, or of whole sequences. "all" stands for
    every one that is not slow; commas separate several.

    Raises:
        UsageError: there is none of that name.
    """
    known: dict[str, MetricSpec | SequenceMetricSpec] = {}
    known.update(plugins.metrics)
    known.update(plugins.sequence_metrics)
    chosen: dict[str, MetricSpec | SequenceMetricSpec] = {}
    for name in (part.strip() for text in names for part in text.split(",")):
        if name == "all":
            quick = {n: spec for n, spec in plugins.sequence_metrics.items() if not spec.slow}
            chosen.update(plugins.metrics)
            chosen.update(quick)
        elif name in known:
            chosen[name] = known[name]
        else:
            raise UsageError(f"there is no metric {name!r}", f"Metrics: all, {', '.join(known)}.")
    return list(chosen.values())


def _check_given(plugins: Plugins, disabled: Iterable[str]) -> None:
    """What the command line names must be there; a broken entry point is no reason to stop."""
    files = set(map(str, plugins.files))
    for info in plugins.broken:
        if info.source in files:
            raise PluginError(
                f"plugin {info.source} cannot be loaded: {info.reason}",
                f"`vosbench plugins --verbose --plugin {info.source}` shows the traceback.",
            )
    names = [info.name for info in plugins.infos]
    for name in disabled:
        if name not in names:
            raise UsageError(
                f"--disable {name}: there is no such plugin", f"There are: {', '.join(names)}."
            )
