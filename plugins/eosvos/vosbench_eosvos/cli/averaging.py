"""The command that makes one of several trainings."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument(
    "weights", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write."
)
def average(weights: tuple[Path, ...], out: Path) -> None:
    """Write the mean of WEIGHTS, of several trainings from one start.

    It mostly tracks better than each of them, for chance makes each lose other objects:

    \b
      vosbench eosvos metatrain --parent P --seed 1 --out runs/1 ...
      vosbench eosvos metatrain --parent P --seed 2 --out runs/2 ...
      vosbench eosvos average runs/1/last.safetensors runs/2/last.safetensors --out mean.safetensors
      vosbench run --tracker eosvos-10 -o weights=mean.safetensors --dataset davis17-val
    """
    from vosbench_eosvos.averaging import average as mean

    learned = mean(weights)
    out.parent.mkdir(parents=True, exist_ok=True)
    learned.save(out, half=True)
    click.echo(f"wrote {out}")
