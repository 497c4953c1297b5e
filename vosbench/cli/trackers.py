"""`vosbench trackers`: what can be run, with which options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from vosbench.cli.names import TRACKER
from vosbench.cli.options import json_option, load_plugins, plugin_options

if TYPE_CHECKING:
    from vosbench.plugins import Plugins
    from vosbench.specs import Origin, TrackerSpec


class _ShowsByName(click.Group):
    """`vosbench trackers NAME` is short for `vosbench trackers show NAME`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["show", *args])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = TRACKER.shell_complete(ctx, self.params[0], incomplete)
        return super().shell_complete(ctx, incomplete) + names


@click.group(cls=_ShowsByName, invoke_without_command=True)
@plugin_options
@json_option
@click.pass_context
def trackers(ctx: click.Context, as_json: bool) -> None:
    """List trackers, show one, make environments for trackers by others.

    \b
    Examples:
      vosbench trackers
      vosbench trackers eosvos-10
      vosbench trackers install deaot-t
    """
    if ctx.invoked_subcommand is not None:
        return
    plugins = load_plugins()
    if as_json:
        _print_json([_describe(plugins, spec) for spec in plugins.trackers.values()])
    else:
        _show_all(plugins)


@trackers.command()
@click.argument("name", type=TRACKER)
@plugin_options
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show where a tracker runs, its capabilities and options.

    `vosbench trackers NAME` does the same.
    """
    plugins = load_plugins()
    if as_json or (ctx.parent and ctx.parent.params["as_json"]):
        _print_json(_describe(plugins, _declared(plugins, name)))
    else:
        _show_one(plugins, name)


@trackers.command()
@click.argument("name", type=TRACKER)
@click.option("--fresh", is_flag=True, help="Make it anew, in the versions that are newest now.")
@plugin_options
@json_option
def install(name: str, fresh: bool, as_json: bool) -> None:
    """Make the environment that a tracker by others needs.

    It lies in the cache (VOSBENCH_CACHE) and is used whenever the tracker is named. The versions
    that were chosen are locked: made again, it is the same. What is there is left as it is.
    """
    from vosbench.running import environments

    spec = load_plugins().tracker(name)

    def tell(line: str) -> None:
        click.echo(line, err=True)

    folder = environments.install(spec, tell, fresh=fresh)
    if as_json:
        _print_json({"tracker": name, "environment": str(folder)})
    else:
        click.echo(f"{name} is installed in {folder}")


@trackers.command()
@click.argument("name", type=TRACKER)
@plugin_options
@json_option
def remove(name: str, as_json: bool) -> None:
    """Delete the environment that `install` made, and its lock.

    Trackers that need the same share it.
    """
    from vosbench.running import environments

    folder = environments.remove(load_plugins().tracker(name))
    if as_json:
        _print_json({"tracker": name, "removed": str(folder) if folder else None})
    else:
        click.echo(f"{folder} is gone" if folder else f"{name} has no environment of its own")


def _print_json(document: Any) -> None:
    import json

    click.echo(json.dumps(document, indent=1))


def _declared(plugins: Plugins, name: str) -> TrackerSpec:
    """As the tracker's own environment declares it, or as declared here if there is none yet."""
    from vosbench.errors import PluginError
    from vosbench.running.runner import find_tracker

    try:
        return find_tracker(plugins, name)
    except PluginError:
        if name not in plugins.trackers:
            raise
        return plugins.trackers[name]


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
    """What is declared of a tracker by others, as far as anything is."""
    at = f" at {origin.revision}" if origin.revision else ""
    rows = {
        "weights": f"{origin.weights}{at}" if origin.weights else "",
        "SHA-256 of them": ", ".join(f"{name} {sha}" for name, sha in origin.digests.items()),
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

    spec = _declared(plugins, name)
    try:
        home, missing = home_of(plugins, name), ""
    except PluginError as error:  # its environment was not made yet
        home, missing = None, f"{error.message}: {error.hint}"
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
