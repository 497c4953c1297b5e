"""`vosbench datasets`: what can be run on, where it is, how to get the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from vosbench.cli.names import KNOWN_DATASET
from vosbench.cli.options import data_root_option, json_option, load_plugins, plugin_options
from vosbench.datasets.digests import SUFFIXES as ARCHIVE_SUFFIXES
from vosbench.errors import DatasetError

if TYPE_CHECKING:
    from rich.progress import Progress

    from vosbench.datasets.base import DatasetSpec


@click.group(invoke_without_command=True)
@data_root_option
@plugin_options
@json_option
@click.pass_context
def datasets(ctx: click.Context, data_root: tuple[Path, ...], as_json: bool) -> None:
    """List, fetch and verify datasets.

    Without a subcommand: every dataset by name, whether it is installed, and how to get it.
    """
    if ctx.invoked_subcommand is not None:
        return
    from vosbench.config import config_path, data_roots
    from vosbench.datasets.registry import find

    roots = data_roots(data_root)
    rows = [(spec, find(spec, roots)) for spec in load_plugins().datasets.values()]
    if as_json:
        import json

        listed = [_describe(spec, folder) for spec, folder in rows]
        roots_text = [str(root) for root in roots]
        document = {"config": str(config_path()), "data_roots": roots_text, "datasets": listed}
        click.echo(json.dumps(document, indent=1))
        return
    _print_table(rows)
    click.echo(f"Data roots, in the order searched: {', '.join(map(str, roots))}")
    there = "" if config_path().is_file() else " (not there yet)"
    click.echo(f"Configuration file: {config_path()}{there}")
    click.echo("Any folder in DAVIS layout works too: --dataset path/to/folder")


@datasets.command()
@click.argument("name", type=KNOWN_DATASET)
@data_root_option
@plugin_options
@json_option
def fetch(name: str, data_root: tuple[Path, ...], as_json: bool) -> None:
    """Download dataset NAME from its official place and unpack it.

    It goes to the first data root: --data-root, VOSBENCH_DATA, the configuration file, or else the
    cache folder. The same command resumes a download that was interrupted.
    """
    from vosbench.config import data_roots
    from vosbench.datasets.fetch import fetch as fetch_dataset
    from vosbench.datasets.registry import find, unknown

    plugins = load_plugins()
    if name not in plugins.datasets:
        raise unknown(name, plugins)
    spec = plugins.datasets[name]
    roots = data_roots(data_root)
    folder = find(spec, roots)
    if folder is not None:
        spec.load(folder)
        _say_where(name, folder, as_json)
        return
    if spec.licence:
        click.echo(f"{name}: {spec.licence}, {spec.homepage}", err=True)
    with _bar() as bar:
        task = bar.add_task(name, total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        folder = fetch_dataset(spec, roots[0], progress)
    _say_where(name, folder, as_json)
    click.echo(f"`vosbench datasets verify {name}` looks at every file of it.", err=True)


def _say_where(name: str, folder: Path, as_json: bool) -> None:
    if as_json:
        import json

        click.echo(json.dumps({"dataset": name, "folder": str(folder)}, indent=1))
    else:
        click.echo(f"{name} is installed in {folder}")


@datasets.command()
@click.argument("name", type=KNOWN_DATASET)
@data_root_option
@plugin_options
@json_option
def verify(name: str, data_root: tuple[Path, ...], as_json: bool) -> None:
    """Read every file of dataset NAME (or of a folder) and list all that is wrong.

    Ends with exit code 3 if anything is: files that are missing or cannot be decoded, frames that
    need turning, masks whose size is not that of their frame, masks without a frame, grey levels
    in place of ids, object ids that appear in no first frame.

    NAME may also be a downloaded archive: its size and SHA-256 are compared with public records.
    """
    if Path(name).is_file() and Path(name).suffix.lower() in ARCHIVE_SUFFIXES:
        _verify_archive(Path(name), as_json)
        return
    from vosbench.config import data_roots
    from vosbench.datasets.layout import BrokenSequencesError
    from vosbench.datasets.registry import open_dataset
    from vosbench.datasets.verify import verify as verify_sequences

    problems: list[str] = []
    try:
        sequences = list(open_dataset(name, load_plugins(), data_roots(data_root)).sequences)
    except BrokenSequencesError as error:
        problems, sequences = error.problems, error.readable
    with _bar(files=True) as bar:
        task = bar.add_task(f"verifying {name}", total=len(sequences))
        problems = problems + verify_sequences(sequences, lambda: bar.advance(task))
    frames = sum(len(sequence) for sequence in sequences)
    if as_json:
        import json

        click.echo(json.dumps({"dataset": name, "frames": frames, "problems": problems}, indent=1))
    else:
        for problem in problems:
            click.echo(problem)
    if problems:
        raise DatasetError(f"{name} has {len(problems)} problem(s)")
    if not as_json:
        click.echo(f"{name} is whole: {len(sequences)} sequences, {frames} frames")


def _verify_archive(file: Path, as_json: bool) -> None:
    """Say whether `file` is an archive that is known; DatasetError if it surely is not."""
    import json

    from vosbench.datasets.digests import compare, known

    candidates = known(file, load_plugins().datasets.values())
    if not candidates:
        raise DatasetError(
            f"no digest is known of {file}: neither its name nor its size is that of an archive",
            "Unpack it and verify what it held: `vosbench datasets verify NAME`.",
        )
    with _bar() as bar:
        task = bar.add_task(f"verifying {file.name}", total=file.stat().st_size * len(candidates))
        findings = [
            (name, compare(file, archive, lambda count: bar.advance(task, count)))
            for name, archive in candidates
        ]
    name, best = next(((n, f) for n, f in findings if f.same), findings[0])
    if as_json:
        facts = {"dataset": name, "same": best.same, "certain": best.certain, "text": best.text}
        click.echo(json.dumps({"archive": str(file), **facts}, indent=1))
    if best.same:
        word = "" if best.certain else ", as one public record has them"
        if not as_json:
            click.echo(f"{file} {best.text}{word} ({name})")
        return
    if best.certain:
        raise DatasetError(f"{file} {best.text}", "Fetch it again.")
    click.secho(f"warning: {file} {best.text}: it may be another edition", fg="yellow", err=True)


def _describe(spec: DatasetSpec, folder: Path | None) -> dict[str, Any]:
    return {
        "name": spec.name,
        "summary": spec.summary,
        "sequences": spec.count or None,
        "protocol": spec.protocol,
        "measures": list(spec.measures),
        "installed": folder is not None and folder.is_dir(),
        "folder": None if folder is None else str(folder),
        "how": _how(spec),
        "homepage": spec.homepage,
        "licence": spec.licence,
    }


def _how(spec: DatasetSpec) -> str:
    if spec.archives:
        return f"vosbench datasets fetch {spec.name}"
    if spec.place:
        return f"from {spec.homepage} to <data root>/{spec.place}"
    return "rendered on first use"


def _print_table(rows: list[tuple[DatasetSpec, Path | None]]) -> None:
    click.secho(f"{'dataset':26}{'sequences':>9}  {'protocol':11}{'reports':20}where", bold=True)
    for spec, folder in rows:
        installed = folder is not None and folder.is_dir()
        where = click.style(str(folder), fg="green") if installed else _how_in_short(spec)
        reports = ", ".join(spec.measures[:3]) + (", ..." if len(spec.measures) > 3 else "")
        shown = f"{spec.protocol:11}{reports:20}"
        click.echo(f"{spec.name:26}{spec.count or '?':>9}  {shown}{where}")
    click.echo("\nfetch: `vosbench datasets fetch NAME` downloads it; form: it says where to go.")


def _how_in_short(spec: DatasetSpec) -> str:
    if spec.archives:
        return "fetch"
    if spec.place:
        return f"form: {urlsplit(spec.homepage).hostname or spec.homepage}"
    return "rendered on first use"


@contextlib.contextmanager
def _bar(*, files: bool = False) -> Iterator[Progress]:
    """A progress bar on standard error, of bytes or of sequences; silent without a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    amounts: list[ProgressColumn] = (
        [MofNCompleteColumn()] if files else [DownloadColumn(), TransferSpeedColumn()]
    )
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        *amounts,
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        yield bar
