"""`python -m vosbench`: the command line without its script."""

from vosbench.cli import main

main(prog_name="vosbench")
