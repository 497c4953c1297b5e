"""`vosbench trackers`: what can be run, with which options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vosbench.cli.options import json_option, load_plugins, plugin_options

if TYPE_CHECKING:
    from vosbench.plugins import Plugins
    from vosbench.specs import Origin, TrackerSpec


@click.command()
@click.argument("name", required=False)
@plugin_options
@json_option
def trackers(name: str | None, as_json: bool) -> None:
    """List trackers; with NAME, the options and capabilities of one."""
    plugins = load_plugins()
    if as_json:
        import json

        specs = [plugins.tracker(name)] if name else list(plugins.trackers.values())
        described = [_describe(plugins, spec) for spec in specs]
        click.echo(json.dumps(described[0] if name else described, indent=1))
    elif name:
        _show_one(plugins, plugins.tracker(name))
    else:
        _show_all(plugins)


def _describe(plugins: Plugins, spec: TrackerSpec) -> dict[str, Any]:
    from dataclasses import asdict

    defaults = spec.resolve_options({})
    return {
        "name": spec.name,
        "summary": spec.summary,
        "plugin": plugins.provider("trackers", spec.name).name,
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
        "to be installed": ", ".join(origin.requirements),
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


def _show_one(plugins: Plugins, spec: TrackerSpec) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    provider = plugins.provider("trackers", spec.name)
    version = f" {provider.version}" if provider.version else ""
    console.print(f"[bold]{spec.name}[/] (plugin {provider.name}{version})\n{spec.summary}\n")
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
    if spec.origin:
        rows |= _of_others(spec.origin)
    facts = Table(box=None, show_header=False)
    for key, value in rows.items():
        facts.add_row(key, value if isinstance(value, str) else ("no", "yes")[value])
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
