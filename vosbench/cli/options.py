"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
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
        callback=_remember,
        help="Leave a plugin out. May be repeated.",
    )(command)
    return click.option(
        "--plugin",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        expose_value=False,
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


def json_option(command: _Command) -> _Command:
    """Add `--json` as parameter `as_json`: one JSON document on standard output, nothing else."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
    )(command)


def load_plugins() -> Plugins:
    """The plugins of this invocation: entry points and `--plugin` files, minus those disabled on
    the command line or in the configuration file. Loaded once per invocation."""
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
    return plugins
