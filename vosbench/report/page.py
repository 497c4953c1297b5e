"""The page itself: templates filled with content, everything from outside escaped.

Style and program lie in the page; its content security policy allows nothing else, so that the page
can reach no network whatever the names in it say.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
from jinja2.environment import TemplateStream
from markupsafe import Markup, escape

from vosbench.analysis.compare import main_table
from vosbench.analysis.paired import paired_table
from vosbench.analysis.published import Published
from vosbench.export import Table
from vosbench.report.content import Material, overview, sequence_blocks
from vosbench.report.details import details

_SCRIPTS = (
    "page.js", "data.js", "tables.js", "charts.js", "plots.js", "paint.js", "viewer.js", "keys.js",
    "pair.js", "failures.js", "start.js",
)  # fmt: skip
_STYLE = "report.css"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the tables show besides the runs.

    Attributes:
        numbers: published numbers that may stand beside the runs.
        notes: remarks below the main table.
    """

    numbers: Published | None = None
    notes: Sequence[str] = ()


def write_report(path: Path, material: Material, beside: Beside) -> None:
    """Write the report to `path`; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        stream(material, beside).dump(str(part), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def stream(material: Material, beside: Beside) -> TemplateStream:
    """The page in pieces. That of a remote material fetches what is looked at from below its own
    address; any other holds everything."""
    runs = material.runs
    main = main_table(runs, material.name, beside.numbers, beside.notes, each_seed=True)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vosbench.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = _breakable
    # jinja2's tojson escapes <, >, & and ', so that no text ends the script element.
    environment.policies["json.dumps_kwargs"] = {
        "allow_nan": False,
        "ensure_ascii": False,
        "separators": (",", ":"),
    }
    style, script = _text(_STYLE), "\n".join(map(_text, _SCRIPTS))
    blocks = iter(()) if material.remote else sequence_blocks(material)
    protocols = {s.summary.protocol if s.summary else s.run.record.protocol for s in runs}
    return environment.get_template("report.html").stream(
        policy=policy(style, script, remote=material.remote),
        style=Markup(style),
        script=Markup(script),
        version=version("vosbench"),
        dataset=material.name,
        protocol=", ".join(sorted(protocols)),
        scored=any(scored.summary is not None for scored in runs),
        paired=sum(scored.summary is not None for scored in runs) > 1,
        material=material,
        main=main,
        tables=[main, *_paired(material)],
        values=_values,
        overview=overview(material, main),
        opening=list(islice(blocks, 2 if material.clips else 1)),
        blocks=blocks,
        details=[details(scored) for scored in runs],
    )


def _breakable(name: str) -> Markup:
    """A name, escaped, that may wrap after the characters that join its words."""
    return Markup(re.sub(r"([-_+=.,/])(?=\w)", r"\1<wbr>", str(escape(name))))


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


def policy(style: str, script: str, *, remote: bool) -> str:
    """What the page may load: its own style and program, and, if `remote`, from its own server."""

    def digest(source: str) -> str:
        return base64.b64encode(hashlib.sha256(source.encode()).digest()).decode("ascii")

    own = "connect-src 'self'; img-src 'self'" if remote else "img-src data:"
    return (
        f"default-src 'none'; {own}; style-src 'sha256-{digest(style)}'; "
        f"script-src 'sha256-{digest(script)}'; base-uri 'none'; form-action 'none'"
    )
