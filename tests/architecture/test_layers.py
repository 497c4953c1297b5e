"""The house as CONTRIBUTING describes it: no circles, layers, plugins by the public surface."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ("vosbench_baselines", "vosbench_eosvos", "vosbench_learning", "vosbench_zoo")

#: From the top: a room may import from those below it, and rooms of one line not from each other.
LAYERS = (
    ("__main__", "moved"),
    ("api", "cli"),
    ("report",),
    ("analysis", "testing"),
    ("evaluation", "export", "importing", "overlay", "pack", "running"),
    ("metrics", "store", "tracking"),
    ("datasets", "plugins"),
    ("adapt",),
    ("config", "hookspecs", "types"),
    ("specs",),
    ("durable", "errors", "naming", "parsing", "processes", "provenance"),
    ("backports",),
)

#: What a plugin may import; `docs/hooks.md` lists the same.
PUBLIC = (
    "vosbench",
    "vosbench.adapt",
    "vosbench.analysis.ablation",
    "vosbench.analysis.statistics",
    "vosbench.cli.ablate",
    "vosbench.cli.names",
    "vosbench.cli.options",
    "vosbench.config",
    "vosbench.datasets.base",
    "vosbench.datasets.reading",
    "vosbench.datasets.registry",
    "vosbench.durable",
    "vosbench.errors",
    "vosbench.export",
    "vosbench.hookspecs",
    "vosbench.metrics",
    "vosbench.metrics.protocols",
    "vosbench.metrics.sequence",
    "vosbench.metrics.tracks",
    "vosbench.running.executors",
    "vosbench.specs",
    "vosbench.testing",
    "vosbench.tracking.clip",
    "vosbench.tracking.session",
    "vosbench.types",
)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Every import that is executed, those inside of functions included."""
    with pytest.MonkeyPatch.context() as patch:
        for name in PLUGINS:  # as they lie here, be they installed or not
            patch.syspath_prepend(ROOT / "plugins" / name.removeprefix("vosbench_"))
        return grimp.build_graph(
            "vosbench", *PLUGINS, exclude_type_checking_imports=True, cache_dir=None
        )


def room(module: str) -> str:
    """`vosbench.datasets.demo.scenes` -> `datasets`; "" for the front door itself."""
    package, _, rest = module.partition(".")
    assert package == "vosbench"
    return rest.split(".")[0]


def test_no_module_imports_itself_by_way_of_others(graph):
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError naming the circle


def test_rooms_import_from_rooms_below_them(graph):
    height = {name: -level for level, names in enumerate(LAYERS) for name in names}
    wrong = []
    for module in graph.modules:
        if not module.startswith("vosbench.") or module.startswith(PLUGINS):
            continue
        own = room(module)
        assert own in height, f"{module}: put the new room {own!r} into LAYERS"
        for other in graph.find_modules_directly_imported_by(module):
            foreign = other.startswith("vosbench.") and room(other) != own
            if foreign and height[room(other)] >= height[own]:
                wrong.append(f"{module} imports {other}")
    assert not wrong


def test_the_harness_imports_no_plugin(graph):
    for module in graph.modules:
        if module.split(".")[0] == "vosbench":
            imported = graph.find_modules_directly_imported_by(module)
            assert not [other for other in imported if other.startswith(PLUGINS)], module


def test_plugins_use_the_public_surface_only(graph):
    for module in graph.modules:
        if module.split(".")[0] in PLUGINS:
            imported = graph.find_modules_directly_imported_by(module)
            harness = {other for other in imported if other.split(".")[0] == "vosbench"}
            assert harness <= set(PUBLIC), module


def test_plugins_use_no_private_name_of_another_package():
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        own = path.relative_to(ROOT / "plugins").parts[1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vosb"):
                private = [name.name for name in node.names if name.name.startswith("_")]
                assert node.module.split(".")[0] == own or not private, f"{path}: {private}"


def test_the_baselines_and_e_osvos_do_not_import_each_other(graph):
    for module in graph.modules:
        package = module.split(".")[0]
        if package in PLUGINS:
            for other in graph.find_modules_directly_imported_by(module):
                assert other.split(".")[0] in ("vosbench", "vosbench_learning", package), module


def test_the_public_surface_is_documented():
    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    assert [name for name in PUBLIC if f"`{name}`" not in page] == []
