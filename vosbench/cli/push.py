"""`vosbench push`: a finished part of runs to where `vosbench merge` finds it."""

from __future__ import annotations

from pathlib import Path

import click

from vosbench.cli.options import json_option
from vosbench.errors import RunError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("url")
@click.option("--partial", is_flag=True, help="Send what there is though sequences have failed.")
@click.option("--fresh", is_flag=True, help="Replace what is at URL.")
@json_option
def push(folder: Path, url: str, partial: bool, fresh: bool, as_json: bool) -> None:
    """Send runs to another place, as one archive.

    FOLDER is a run, or a results folder of which every run is taken. URL is whatever fsspec knows:
    s3://, gs://, sftp://, file://, memory:// and more. The archive is read back and compared;
    `vosbench merge` checks count, size and digest of what is in it.

    \b
    Example:
      vosbench run --tracker flow --dataset davis17-val --shard 3/16 --results part-3
      vosbench push part-3 s3://bucket/flow/part-3.zip
      vosbench merge 's3://bucket/flow/part-*.zip' --results results
    """
    from vosbench.running.transfer import push as push_runs
    from vosbench.store import runs_in

    runs = runs_in(folder)
    for run in runs:
        if not run.complete and not partial:
            raise RunError(
                f"{run.folder} is {run.record.status}",
                "Finish it, or send what there is with --partial.",
            )
    masks = push_runs(runs, url, fresh=fresh)
    if as_json:
        import json

        click.echo(json.dumps({"url": url, "runs": len(runs), "masks": masks}, indent=1))
    else:
        click.echo(f"{url}: {masks} masks of {len(runs)} runs")
