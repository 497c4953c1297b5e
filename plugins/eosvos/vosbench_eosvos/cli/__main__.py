"""Entry point of `python -m vosbench_eosvos.cli`."""

from vosbench_eosvos.cli import eosvos

eosvos()
