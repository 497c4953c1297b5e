"""The plugins of this invocation, loaded once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from vosbench.errors import PluginError, UsageError

if TYPE_CHECKING:
    from vosbench.plugins import Plugins

_KEY = "vosbench"


def remember(ctx: click.Context, param: click.Parameter, value: tuple[Any, ...]) -> None:
    """Callback of `--plugin` and `--disable`, wherever in the command line they stand."""
    store: dict[str, list[Any]] = ctx.find_root().meta.setdefault(_KEY, {})
    if param.name is not None:
        store.setdefault(param.name, []).extend(value)


def load_plugins(*, tolerant: bool = False) -> Plugins:
    """The plugins of this invocation: entry points and `--plugin` files, minus those disabled on
    the command line or in the configuration file. Loaded once per invocation.

    Args:
        tolerant: say nothing about broken `--plugin` files and `--disable` names that no plugin
            has; for listings.

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
