"""The formats that come with vosbench, registered as a plugin would."""

from __future__ import annotations

from collections.abc import Callable

from vosbench.export import ExporterSpec
from vosbench.hookspecs import hookimpl

_FORMATS = (
    ("text", "vosbench.export.text:render", "aligned columns for the terminal"),
    ("csv", "vosbench.export.data:render_csv", "values at full precision"),
    ("json", "vosbench.export.data:render_json", "values at full precision, with the notes"),
    ("markdown", "vosbench.export.markdown:render", "tables for README files and issues"),
    ("html", "vosbench.export.html:render", "tables for a web page"),
    ("latex", "vosbench.export.latex:render", "booktabs tables for papers"),
)


@hookimpl
def vosbench_register_exporters(register: Callable[[ExporterSpec], None]) -> None:
    for name, render, summary in _FORMATS:
        register(ExporterSpec(name=name, render=render, summary=summary))
