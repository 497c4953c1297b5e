"""The page itself: templates filled with content, everything from outside escaped.

Style and program lie in the page; its content security policy allows nothing else, so that the page
can reach no network whatever the names in it say.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from vosbench.analysis.compare import main_table, paired_table
from vosbench.analysis.published import Published
from vosbench.export import Table
from vosbench.report.content import Material, overview, sequence_pages
from vosbench.report.details import details

_SCRIPTS = ("page.js", "tables.js", "charts.js", "plots.js", "masks.js", "viewer.js", "failures.js")
_STYLE = "report.css"


def write_report(
    path: Path,
    material: Material,
    *,
    numbers: Published | None,
    notes: Sequence[str],
    width: int,
) -> None:
    """Write the report to `path`; it appears whole or not at all.

    Args:
        numbers: published numbers that may stand beside the runs.
        notes: remarks below the main table.
        width: of the pictures in pixels.
    """
    runs = material.runs
    main = main_table(runs, material.name, numbers, notes)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vosbench.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # jinja2's tojson escapes <, >, & and ', so that no text ends the script element.
    environment.policies["json.dumps_kwargs"] = {
        "allow_nan": False,
        "ensure_ascii": False,
        "separators": (",", ":"),
    }
    style, script = _text(_STYLE), "\n".join(map(_text, _SCRIPTS))
    protocols = {s.evaluation.protocol if s.evaluation else s.run.record.protocol for s in runs}
    stream = environment.get_template("report.html").stream(
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        version=version("vosbench"),
        dataset=material.name,
        protocol=", ".join(sorted(protocols)),
        scored=any(scored.evaluation is not None for scored in runs),
        material=material,
        main=main,
        tables=[main, *_paired(material)],
        values=_values,
        overview=overview(material, main),
        pages=sequence_pages(material, width),
        details=[details(scored) for scored in runs],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        stream.dump(str(part), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _paired(material: Material) -> list[Table]:
    """The difference of each run to the best, if there are several with scores."""
    scored = [s for s in material.runs if "J&F" in s.scores()]
    if len(scored) < 2:
        return []
    best = max(scored, key=lambda s: s.scores()["J&F"])
    return [paired_table(scored, best.name, material.name)]


def _values(table: Table, row: int) -> list[Any]:
    """What the cells of a row are sorted by, its label first."""
    values = table.frame.iloc[row].tolist()
    return [str(table.frame.index[row]), *("" if v != v else v for v in values)]


def _text(name: str) -> str:
    return (resources.files("vosbench.report") / "templates" / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")

    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(script)}'; base-uri 'none'; form-action 'none'"
    )
