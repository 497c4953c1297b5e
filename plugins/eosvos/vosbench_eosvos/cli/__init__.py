"""`vosbench eosvos ...`: pre-training, meta-training, validation and the ablation.

Run several processes with `torchrun --nproc-per-node N -m vosbench_eosvos.cli ...`. Every run
resumes from its folder's checkpoint. torch is imported inside the commands only.
"""

from __future__ import annotations

import click

from vosbench_eosvos.cli.ablation import ablate
from vosbench_eosvos.cli.averaging import average
from vosbench_eosvos.cli.crossval import crossval, train
from vosbench_eosvos.cli.reference import import_reference
from vosbench_eosvos.cli.training import finetune_init, metatrain, outline, pretrain, validate


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def eosvos() -> None:
    """Train e-OSVOS, validate it, run its ablation."""


for _command in (
    pretrain,
    metatrain,
    finetune_init,
    average,
    outline,
    validate,
    import_reference,
    crossval,
    train,
    ablate,
):
    eosvos.add_command(_command)
