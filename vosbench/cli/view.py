"""`vosbench view`."""

from __future__ import annotations

from typing import Any

import click

from vosbench.cli.report import gather, page_options


@click.command(short_help="Look at every frame of runs in the browser.")
@page_options
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N",
    help="Port of this machine; default: a free one.",
)  # fmt: skip
@click.option(
    "--width", type=click.IntRange(min=64, max=3840), default=960, show_default=True,
    metavar="PIXELS", help="Width of the pictures.",
)  # fmt: skip
@click.option("--no-browser", is_flag=True, help="Print the address and open nothing.")
def view(port: int, width: int, no_browser: bool, **chosen: Any) -> None:
    """Open the page of `vosbench report` in the browser, with every frame.

    Nothing is written. The page is served to this machine only, at an address with a secret, until
    Ctrl-C.
    """
    from vosbench.report.server import ReportServer

    material, beside = gather(width=width, remote=True, **chosen)
    with ReportServer(material, beside, port) as server:
        click.echo(server.address)
        click.echo("Ctrl-C ends it.", err=True)
        if not no_browser:
            click.launch(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("", err=True)
