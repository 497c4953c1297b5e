r"""Tables for papers: `tabular` in booktabs style, the best as `\textbf{value}`, the second as
`\underline{value}`.

The document needs `\usepackage{booktabs}` and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vosbench.export import Cell, Table

_SPECIAL = {
    "[": "{[}",  # after a row's end it would begin an argument, and a star would be one
    "*": "{*}",
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
}
#: Headings that have a customary notation.
_HEADINGS = {
    "J&F": r"$\mathcal{J}\&\mathcal{F}$",
    "J": r"$\mathcal{J}$",
    "F": r"$\mathcal{F}$",
    "J-Recall": r"$\mathcal{J}$ recall",
    "J-Decay": r"$\mathcal{J}$ decay",
}


def render(tables: Sequence[Table]) -> str:
    """The tables, each as a `table` environment with its title as caption and label."""
    return "\n".join(_render(table) for table in tables)


def escape(text: str) -> str:
    """`text` with every character that is special in LaTeX escaped."""
    return "".join(_SPECIAL.get(character, character) for character in text.replace("\n", " "))


def _render(table: Table) -> str:
    header = [_HEADINGS.get(heading, escape(heading)) for heading in table.header()]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.title.removesuffix('.'))}.}}",
        rf"\label{{tab:{_label(table.title)}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
    ]
    for position, row in enumerate(table.rows()):
        if position in table.sections:
            lines.append(r"\midrule")
        lines.append(" & ".join(map(_cell, row)) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip{{\footnotesize {escape(note)}}}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _label(title: str) -> str:
    """What `\\ref` finds the table by: the title's words in lower case, joined by dashes."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower().replace("&", "")))


def _cell(cell: Cell) -> str:
    # A number's hyphen is a minus sign; a lone one stands for "unknown" and stays.
    negative = cell.text[:1] == "-" and cell.text[1:2].isdigit()
    text = f"$-${escape(cell.text[1:])}" if negative else escape(cell.text)
    mark = rf"\textsuperscript{{{escape(cell.mark)}}}" if cell.mark else ""
    text = rf"\textbf{{{text}}}" if cell.bold else rf"\underline{{{text}}}" if cell.second else text
    return text + mark
