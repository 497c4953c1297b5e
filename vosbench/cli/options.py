"""Options that several commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from vosbench.cli.loading import load_plugins as load_plugins
from vosbench.cli.loading import remember
from vosbench.cli.names import (
    DATASET,
    DEVICE,
    FORMAT,
    PLUGIN,
    PUBLISHED,
    RUN,
    SEQUENCE,
    SETTING,
)
from vosbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vosbench.metrics import MetricSpec, SequenceMetricSpec
    from vosbench.plugins import Plugins

_Command = TypeVar("_Command", bound=Callable[..., Any])


def plugin_options(command: _Command) -> _Command:
    """Add `--plugin FILE` and `--disable NAME`; `load_plugins` reads them."""
    command = click.option(
        "--disable",
        multiple=True,
        metavar="NAME",
        type=PLUGIN,
        expose_value=False,
        is_eager=True,  # so that --help after it knows the plugin's commands
        callback=remember,
        help="Leave a plugin out. May be repeated.",
    )(command)
    return click.option(
        "--plugin",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        expose_value=False,
        is_eager=True,  # so that --help after it knows the plugin's commands
        callback=remember,
        help="Load a plugin from a Python file. May be repeated.",
    )(command)


def data_root_option(command: _Command) -> _Command:
    """Add `--data-root DIR` (repeatable) as parameter `data_root`: tuple of paths."""
    return click.option(
        "--data-root",
        multiple=True,
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder that holds datasets; before VOSBENCH_DATA and the configuration file. May be "
        "repeated.",
    )(command)


def seed_option(command: _Command) -> _Command:
    """Add `--seed N` as parameter `seed`."""
    return click.option(
        "--seed",
        type=click.IntRange(0, 2**32 - 1),
        default=0,
        show_default=True,
        metavar="N",
        help="Seed of all random numbers, set anew before each sequence.",
    )(command)


def device_option(command: _Command) -> _Command:
    """Add `--device NAME` as parameter `device`."""

    def check(_: click.Context, param: click.Parameter, device: str) -> str:  # noqa: ARG001
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
            raise UsageError(
                f"--device {device}: no such kind of device", "Kinds: auto, cpu, cuda."
            )
        return device

    return click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="NAME",
        type=DEVICE,
        callback=check,
        help="cpu, cuda, cuda:1, ...; auto takes cuda where there is one.",
    )(command)


def jobs_option(what: str, default: int | None = 1) -> Callable[[_Command], _Command]:
    """Add `--jobs N` as parameter `jobs`; `what` is the help text, which says what no `default`
    stands for."""
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        default=default,
        show_default=default is not None,
        metavar="N",
        help=what,
    )


def sequences_option(command: _Command) -> _Command:
    """Add `--sequence NAME` (repeatable) as parameter `sequences`."""
    return click.option(
        "--sequence",
        "sequences",
        multiple=True,
        metavar="NAME",
        type=SEQUENCE,
        help="Only this sequence. May be repeated.",
    )(command)


def skip_option(command: _Command) -> _Command:
    """Add `--skip NAME` (repeatable) as parameter `skip`."""
    return click.option(
        "--skip",
        multiple=True,
        metavar="NAME",
        type=SEQUENCE,
        help="All but this sequence. May be repeated.",
    )(command)


def setting_option(command: _Command) -> _Command:
    """Add `-o KEY=VALUE` (repeatable) as parameter `options`."""
    return click.option(
        "-o",
        "--option",
        "options",
        multiple=True,
        metavar="KEY=VALUE",
        type=SETTING,
        help="Option of the trackers that have it, see `vosbench trackers NAME`. May be repeated.",
    )(command)


def output_option(
    what: str, default: Path | str = "", *, folder: bool = False
) -> Callable[[_Command], _Command]:
    """Add `--output PATH` as parameter `output`: where what a command makes is written.

    Args:
        what: is written, e.g. "the tables".
        default: a path, or words that say where it goes otherwise.
        folder: whether a folder is named, for several files.
    """
    told = f" Default: {default}." if isinstance(default, str) and default else ""
    return click.option(
        "--output",
        type=click.Path(path_type=Path, file_okay=not folder, dir_okay=folder),
        metavar="DIR" if folder else "FILE",
        default=default if isinstance(default, Path) else None,
        show_default=isinstance(default, Path),
        help=f"Write {what} to this {'folder' if folder else 'file'}.{told}",
    )


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
    """Add `--list FILE`: the sequences named in it join those of `--sequence`, in the parameter
    `sequences`."""

    @functools.wraps(command)
    def with_list(
        *arguments: Any, sequences: tuple[str, ...], list_file: Path | None, **options: Any
    ) -> Any:
        if list_file is not None:
            from vosbench.datasets.listing import read_list

            names = read_list(list_file)
            if not names:
                raise UsageError(f"--list {list_file} names no sequence")
            sequences = (*sequences, *names)
        return command(*arguments, sequences=sequences, **options)

    option = click.option(
        "--list",
        "list_file",
        type=click.Path(path_type=Path, dir_okay=False, exists=True),
        metavar="FILE",
        help="Only the sequences that FILE names, one a line, e.g. ImageSets/2017/val.txt.",
    )
    return option(cast(_Command, with_list))


def json_option(command: _Command) -> _Command:
    """Add `--json` as parameter `as_json`: one JSON document on standard output, nothing else."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
    )(command)


def table_options(command: _Command) -> _Command:
    """Add `--format NAME` and `--output FILE` as `format_name` and `output`: how tables are shown
    and where they go (see `vosbench.cli.tables`)."""
    command = output_option("the tables", "show them")(command)
    return click.option(
        "--format",
        "format_name",
        default="text",
        show_default=True,
        metavar="NAME",
        type=FORMAT,
        callback=_as_json_if_asked,
        help="text, csv, json, markdown, html, latex, or one of a plugin.",
    )(command)


def table_json_option(command: _Command) -> _Command:
    """Add `--json`, short for `--format json`; goes with `table_options`."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        ctx.meta["vosbench.json"] = value

    return click.option(
        "--json", is_flag=True, expose_value=False, is_eager=True, callback=remember,
        help="Print one JSON document and nothing else; short for --format json.",
    )(command)  # fmt: skip


def _as_json_if_asked(ctx: click.Context, _: click.Parameter, name: str) -> str:
    return "json" if ctx.meta.get("vosbench.json") else name


def published_options(command: _Command) -> _Command:
    """Add `--published` and `--secondary`: which published numbers stand beside runs."""
    command = click.option(
        "--secondary", is_flag=True, help="Published numbers not checked at their origin, too."
    )(command)
    return click.option(
        "--published", default="recent", show_default=True, metavar="all|recent|none|METHOD",
        type=PUBLISHED, callback=_known_method,
        help="Published numbers: all, those since 2020, none, or those of methods named so.",
    )(command)  # fmt: skip


def _known_method(_: click.Context, __: click.Parameter, which: str) -> str:
    if which in ("all", "recent", "none"):
        return which
    from vosbench.analysis.published import methods

    names = methods()
    if not any(name.lower().startswith(which.lower()) for name in names):
        raise UsageError(
            f"--published {which}: there is no such method",
            f"all, recent, none, or one of: {', '.join(names)}.",
        )
    return which


def tags_option(command: _Command) -> _Command:
    """Add `--tags FILE` as `tags`: Path or None."""
    return click.option(
        "--tags", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Tags of sequences: csv (sequence, tags) or JSON; DAVIS-2016's are known.",
    )(command)  # fmt: skip


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
        click.option("--tracker", metavar="NAME", type=RUN, help="Tracker or run name."),
        click.option(
            "--dataset", metavar="NAME", type=DATASET, help="Dataset of the run or of --masks."
        ),
        click.argument("run", required=False, type=folder),
    ):
        command = option(command)
    return command


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
