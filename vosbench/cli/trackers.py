"""`vosbench trackers`: what can be run, with which options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.names import TRACKER
from vosbench.cli.options import json_option, load_plugins, plugin_options

if TYPE_CHECKING:
    from vosbench.plugins import Plugins
    from vosbench.specs import Origin, TrackerSpec


class _ShowsByName(click.Group):
    """`vosbench trackers NAME` is short for `vosbench trackers show NAME`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ShowsByName)
def trackers() -> None:
    """List trackers, show one, make environments for trackers by others.

    \b
    Examples:
      vosbench trackers
      vosbench trackers eosvos-10
      vosbench trackers install deaot-t
    """


@trackers.command()
@click.argument("name", required=False, type=TRACKER)
@plugin_options
@json_option
def show(name: str | None, as_json: bool) -> None:
    """List trackers; with NAME, the options and capabilities of one.

    `vosbench trackers NAME` does the same.
    """
    from vosbench.running.runner import find_tracker

    plugins = load_plugins()
    if as_json:
        import json

        specs = [find_tracker(plugins, name)] if name else list(plugins.trackers.values())
        described = [_describe(plugins, spec) for spec in specs]
        click.echo(json.dumps(described[0] if name else described, indent=1))
    elif name:
        _show_one(plugins, name)
    else:
        _show_all(plugins)


@trackers.command()
@click.argument("name", type=TRACKER)
@click.option("--fresh", is_flag=True, help="Make it anew, in the versions that are newest now.")
@plugin_options
def install(name: str, fresh: bool) -> None:
    """Make the environment that a tracker by others needs.

    It lies in the cache (VOSBENCH_CACHE) and is used whenever the tracker is named. The versions
    that were chosen are locked: made again, it is the same. What is there is left as it is.
    """
    from vosbench.running import environments

    spec = load_plugins().tracker(name)

    def tell(line: str) -> None:
        click.echo(line, err=True)

    click.echo(f"{name} is installed in {environments.install(spec, tell, fresh=fresh)}")


@trackers.command()
@click.argument("name", type=TRACKER)
@plugin_options
def remove(name: str) -> None:
    """Delete the environment that `install` made, and its lock.

    Trackers that need the same share it.
    """
    from vosbench.running import environments

    folder = environments.remove(load_plugins().tracker(name))
    click.echo(f"{folder} is gone" if folder else f"{name} has no environment of its own")


def _describe(plugins: Plugins, spec: TrackerSpec) -> dict[str, Any]:
    from dataclasses import asdict

    defaults = spec.resolve_options({})
    return {
        "name": spec.name,
        "summary": spec.summary,
        "plugin": plugins.provider("trackers", spec.name).name
        if spec.name in plugins.trackers
        else "",
        "options": [
            {**asdict(option), "default": defaults[option.name]} for option in spec.options
        ],
        "capabilities": asdict(spec.capabilities),
        "origin": asdict(spec.origin) if spec.origin else None,
    }


def _of_others(origin: Origin) -> dict[str, str]:
    """What is declared of a tracker by others, as far as it is."""
    at = f" at {origin.revision}" if origin.revision else ""
    rows = {
        "weights": f"{origin.weights}{at}" if origin.weights else "",
        "licence of its weights": origin.licence,
        "to be installed": ", ".join((*origin.requirements, *origin.bare, *origin.repositories)),
        "published as": f"{origin.published} (vosbench compare --published)"
        if origin.published
        else "",
    }
    return {key: value for key, value in rows.items() if value}


def _show_all(plugins: Plugins) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("tracker", "plugin", "what it does", box=None, header_style="bold")
    for spec in plugins.trackers.values():
        table.add_row(spec.name, plugins.provider("trackers", spec.name).name, spec.summary)
    Console().print(table)
    if plugins.broken:
        click.secho(
            f"{len(plugins.broken)} plugin(s) could not be loaded, see `vosbench plugins`",
            fg="red",
            err=True,
        )


def _show_one(plugins: Plugins, name: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from vosbench.errors import PluginError
    from vosbench.running.environments import home_of
    from vosbench.running.runner import find_tracker

    try:
        home, spec, missing = home_of(plugins, name), find_tracker(plugins, name), ""
    except PluginError as error:  # it is known here, its environment was not made yet
        if name not in plugins.trackers:
            raise
        home, spec, missing = None, plugins.trackers[name], f"{error.message}: {error.hint}"
    console = Console()
    source = "of another environment"
    if name in plugins.trackers:
        provider = plugins.provider("trackers", name)
        source = f"plugin {provider.name}" + (f" {provider.version}" if provider.version else "")
    console.print(f"[bold]{name}[/] ({source})\n{escape(spec.summary)}\n")
    capabilities = spec.capabilities
    rows: dict[str, bool | str] = {
        "several objects": capabilities.multi_object,
        "late objects": capabilities.late_objects,
        "gradients": capabilities.needs_grad,
        "access": capabilities.access,
        "deterministic": capabilities.deterministic
        if isinstance(capabilities.deterministic, bool)
        else f"on {', '.join(capabilities.deterministic)}",
        "devices": ", ".join(capabilities.devices),
        "several values in one run": ", ".join(capabilities.snapshots) or "no option",
    }
    if home is None or not home.ours:
        rows["runs in"] = (home.python if home else missing) or "our own Python"
    if spec.origin:
        rows |= _of_others(spec.origin)
    facts = Table(box=None, show_header=False)
    facts.add_column()
    facts.add_column(overflow="fold")
    for key, value in rows.items():
        facts.add_row(key, escape(value) if isinstance(value, str) else ("no", "yes")[value])
    console.print(facts)
    if not spec.options:
        console.print("\nIt has no options.")
        return
    defaults = spec.resolve_options({})
    table = Table("option", "default", "meaning", box=None, header_style="bold")
    for option in spec.options:
        choices = f" (one of {', '.join(map(str, option.choices))})" if option.choices else ""
        table.add_row(option.name, str(defaults[option.name]), f"{option.help}{choices}")
    console.print()
    console.print(table)
