"""The adapters shown on their page are those that ship, short, and read as Python."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ZOO = ROOT / "plugins" / "zoo" / "vosbench_zoo"


def test_every_adapter_that_is_shown_is_one_that_is_declared() -> None:
    page = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")
    shown = re.findall(r'^--8<-- "(\w+)\.py"$', page, re.MULTILINE)
    declared = set(re.findall(r"vosbench_zoo\.(\w+):", (ZOO / "__init__.py").read_text()))
    assert set(shown) == declared - {"sam"}
    for name in shown:
        tree = ast.parse((ZOO / f"{name}.py").read_text(encoding="utf-8"))
        (tracker,) = (
            node
            for node in tree.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        )
        methods = {node.name for node in tracker.body if isinstance(node, ast.FunctionDef)}
        assert {"__init__", "init", "track"} <= methods


def test_cutie_and_sam_2_take_forty_lines() -> None:
    for name in ("cutie", "sam2"):
        assert len((ZOO / f"{name}.py").read_text().splitlines()) <= 40
