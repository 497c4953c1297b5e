"""`vosbench new-plugin`: a working, tested tracker plugin to start from."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.cli.options import json_option, load_plugins, output_option, plugin_options
from vosbench.errors import UsageError

if TYPE_CHECKING:
    import jinja2

_TEMPLATE = Path(__file__).parents[1] / "templates" / "tracker_plugin"
LIKE = ("streaming", "video", "torch")
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@click.command()
@click.argument("name")
@click.option(
    "--like",
    type=click.Choice(LIKE),
    default="streaming",
    show_default=True,
    help="How the tracker works: streaming takes a frame at a time; video is a generator over the "
    "frames so far; torch feeds a network, by vosbench.adapt.",
)
@output_option("the package", "a new folder here", folder=True)
@plugin_options
@json_option
def new_plugin(name: str, like: str, output: Path | None, as_json: bool) -> None:
    """Write a plugin package for a tracker called NAME, ready to install and to test.

    NAME is what users will type after --tracker: lower case letters, digits and single dashes.
    The package is called vosbench-NAME. Nothing that exists is overwritten.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a tracker",
            "Use lower case letters, digits and single dashes, a letter first: my-tracker",
        )
    if name in load_plugins().trackers:
        raise UsageError(f"there is a tracker called {name!r} already", "Choose another name.")
    distribution = f"vosbench-{name}"
    package = distribution.replace("-", "_")
    if importlib.util.find_spec(package) is not None:
        raise UsageError(f"a package called {package!r} is installed already", "Choose another.")
    folder = (output or Path()) / distribution
    if folder.exists():
        raise UsageError(f"{folder} exists already", "Remove it or choose another --output.")

    _write(
        folder,
        name=name,
        like=like,
        distribution=distribution,
        package=package,
        class_name="".join(part.capitalize() for part in name.split("-")),
    )
    if as_json:
        import json

        click.echo(json.dumps({"folder": str(folder)}, indent=1))
        return
    click.echo(f"wrote {folder}")
    click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo("  pip install -e '.[test]'")
    click.echo("  pytest")
    click.echo(f"  vosbench run --tracker {name} --dataset demo")


def _write(folder: Path, **values: str) -> None:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATE),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # source code, not HTML
    )
    for source in environment.list_templates(extensions=["jinja"]):
        if source.startswith("like/"):
            continue
        _render(environment, source, folder, source, values)
    _render(environment, f"like/{values['like']}.py.jinja", folder, "package/tracker.py", values)


def _render(
    environment: jinja2.Environment, source: str, folder: Path, name: str, values: dict[str, str]
) -> None:
    relative = name.removesuffix(".jinja").replace("package/", f"{values['package']}/", 1)
    target = folder / relative
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(environment.get_template(source).render(values), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}") from None
