"""What users get wrong and what they see: each row of docs/faults.md, on the real command line.

The rows are in the modules next to this one, a section each. VOSBENCH_UPDATE_DOCS=1 writes the page
from them.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from vosbench.cli import main

from . import brought, datasets, machines, masks, names, options, plugins, runs
from .fault import RUN, Fault

PAGE = Path(__file__).parents[3] / "docs" / "faults.md"

SECTIONS = {
    "Names": names.FAULTS,
    "Options and configuration": options.FAULTS,
    "Plugins and trackers": plugins.FAULTS,
    "Datasets": datasets.FAULTS,
    "Runs": runs.FAULTS,
    "Many machines": machines.FAULTS,
    "Masks": masks.FAULTS,
    "Files that people bring": brought.FAULTS,
}
FAULTS = [fault for faults in SECTIONS.values() for fault in faults]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_the_user_sees_what_is_wrong_and_nothing_is_lost(
    fault: Fault, place: Path, port: int, caplog, request: pytest.FixtureRequest
):
    if fault.ray:
        request.getfixturevalue("cluster")
    if fault.environment:
        request.getfixturevalue("monkeypatch").setenv(*fault.environment.split("="))
    fault.prepare()
    for path in Path().glob("*.py"):
        path.write_text(path.read_text().replace("{port}", str(port)))
    kept = (RUN / "masks/discs/00003.png").read_bytes()
    result = CliRunner().invoke(main, shlex.split(fault.command))
    shown = (result.output + caplog.text).replace(f"{place}/", "")
    assert result.exit_code == fault.code, shown
    assert fault.sees in shown
    assert fault.hint in shown
    assert "Traceback (most recent call last)" not in shown
    assert (RUN / "masks/discs/00003.png").read_bytes() == kept
    assert not list(place.parent.glob("outside.txt"))
    assert not Path("submission.zip").exists()


def page() -> str:
    """docs/faults.md as it must be."""
    parts = [
        "# Faults",
        "What can be wrong, and what vosbench says then. Each row is a test on the real command "
        "line. Every message names the file or option and the way out; nothing that was there is "
        "lost. The last column is the [exit code](formats.md#exit-codes).",
    ]
    for title, faults in SECTIONS.items():
        parts.append(f"## {title}")
        rows = ["| what is wrong | command | what the user sees | code |", "|---|---|---|---|"]
        for fault in faults:
            lines = [text.strip() for text in (fault.sees, fault.hint) if text]
            sees = "<br>".join(f"`` {line} ``" if "`" in line else f"`{line}`" for line in lines)
            command = f"{fault.environment} vosbench {fault.command}".strip()
            rows.append(f"| {fault.what} | `{command}` | {sees} | {fault.code} |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts) + "\n"


def test_the_page_holds_every_row():
    if os.environ.get("VOSBENCH_UPDATE_DOCS"):
        PAGE.write_text(page(), encoding="utf-8")
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run this test with VOSBENCH_UPDATE_DOCS=1 and commit the page"
