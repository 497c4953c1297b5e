"""Options of training commands: on what device, in what precision. torch is not imported here."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from vosbench.cli.names import DEVICE


def device_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --device and --bf16/--float32; the command gets `device` (a name) and `bf16`: as asked
    for, else whether the device is faster in bfloat16."""

    @functools.wraps(command)
    def decided(*, device: str, bf16: bool | None, **others: Any) -> None:
        from vosbench_learning.devices import training_device
        from vosbench_learning.working_size import bfloat16_pays

        if bf16 is None:
            bf16 = bfloat16_pays(training_device(device))
        command(device=device, bf16=bf16, **others)

    of_device = click.option(
        "--device",
        default="auto",
        show_default=True,
        type=DEVICE,
        help="cpu, cuda, cuda:1; auto takes cuda where there is one. Under torchrun, each process "
        "has a card of its own.",
    )
    of_precision = click.option(
        "--bf16/--float32",
        default=None,
        help="Precision of convolutions; bfloat16 where the device is faster in it.",
    )
    return of_device(of_precision(decided))
