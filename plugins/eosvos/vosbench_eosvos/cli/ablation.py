"""The command that runs the paper's ablation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vosbench.cli.ablate import ablation_command
from vosbench.errors import UsageError
from vosbench_eosvos.published import SOURCE, ablation_table
from vosbench_eosvos.variants import ABLATION, ABLATION_WEIGHTS

if TYPE_CHECKING:
    from vosbench.analysis.ablation import AblationRow


_WEIGHTS = "eosvos ablate --weights"


def ablation_rows() -> list[AblationRow]:
    from vosbench.analysis.ablation import parse_rows
    from vosbench_eosvos.published import ablation

    listed = ablation()
    rows = listed[listed["iterations"] == 10]
    published = [(str(n), p / 100) for n, p in zip(rows["variant"], rows["JF"], strict=True)]
    context = click.get_current_context(silent=True)
    folder: Path | None = context.meta.get(_WEIGHTS) if context else None
    return [
        replace(
            row,
            published=None if place is None else published[place],
            options={**row.options, **({} if folder is None else _weights_in(folder, row.tracker))},
        )
        for row, place in zip(parse_rows(",".join(ABLATION)), ABLATION.values(), strict=True)
    ]


def _weights_in(folder: Path, tracker: str) -> dict[str, str]:
    """The option that names a row's weights in `folder`. Raises UsageError if they are missing."""
    path = folder / f"{ABLATION_WEIGHTS[tracker]}.safetensors"
    if not path.is_file():
        names = ", ".join(dict.fromkeys(ABLATION_WEIGHTS.values()))
        raise UsageError(f"{path} is not there", f"--weights needs {names} (.safetensors).")
    return {"weights": str(path)}


ablate = ablation_command(
    "ablate",
    "The paper's ablation (Table 1, 10 steps): what each idea gains over the one before. "
    f"Rows: {', '.join(ABLATION)}.",
    ablation_rows,
    (SOURCE, ablation_table),
)
click.option(
    "--weights",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    expose_value=False,
    callback=lambda ctx, _param, folder: ctx.meta.__setitem__(_WEIGHTS, folder),
    help="Folder with parent, single-lr, neuron-lr, lovasz and full (.safetensors) of another "
    "model, r50 for instance; default: those of the light model that ship.",
)(ablate)
