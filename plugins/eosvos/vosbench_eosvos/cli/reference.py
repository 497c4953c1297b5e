"""The command that reads the authors' released weights."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("import-reference")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--name", help="What -o weights=NAME shall call them.  [default: eosvos-paper]")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write this file instead."
)
def import_reference(file: Path, name: str | None, out: Path | None) -> None:
    """Make weights of the authors' released FILE (a *.model of e-osvos_models.zip).

    Nothing in FILE is run: it is read as tensors and numbers alone, and must hold exactly the
    paper's model. The result is found by the trackers eosvos-paper-10 to eosvos-paper-100-ona:

    \b
      vosbench eosvos import-reference best_val_davis17_meta_iter.model
      vosbench run --tracker eosvos-paper-50-ona --dataset davis17-val
    """
    from vosbench_eosvos.importing import import_reference as read
    from vosbench_eosvos.weights import PAPER, imported

    if out is not None and name is not None:
        raise click.UsageError("--name and --out exclude each other.")
    learned = read(file)
    path = imported(name or PAPER) if out is None else out
    path.parent.mkdir(parents=True, exist_ok=True)
    learned.save(path)
    parameters = sum(t.numel() for t in learned.state.values())
    rates = sum(t.numel() for t in learned.rates.values())
    click.echo(f"{parameters:,} parameters, {rates:,} learning rates: wrote {path}")
