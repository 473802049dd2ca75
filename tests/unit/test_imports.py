"""Imports go one way: each module imports from its own room and from rooms below it."""

import ast
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parent.parent

OURS = ("harness", "harness_reports", "target", "scenarios")
LAYERS = [
    {"harness.errors"},
    {"harness.files", "harness.mapping", "harness.names", "harness.plugins"},
    {"harness.model"},
    {"harness.rows"},
    {"harness.journal", "harness.runtime"},
    {"harness.rundir", "harness.tap"},
    {"harness.last"},
    {"harness.pack"},
    {"harness.evidence.columns"},
    {"harness.backends", "harness.evidence.schema"},
    {"harness.evidence.tables"},
    {"harness.faults"},
    {"harness.planning"},
    {"harness.load", "harness.evidence"},
    {"harness.checkers", "harness.running"},
    {"harness.sweep", "harness.capacity", "harness.suite", "harness.comparing", "harness.replaying"},
    {"harness_reports"},
    {"harness.pipeline", "harness.serving"},
    {"harness.cli", "harness.locust"},
    {"harness.pytest_plugin"},
    {"harness.__main__"},
]
"""From the bottom up: a module imports from its own package and from layers below it, and from nowhere else."""


def modules():
    for home in (ROOT / "harness", ROOT / "reports/harness_reports", ROOT / "target"):
        for file in sorted(home.rglob("*.py")):
            if ".venv" in file.parts:  # what target/python has installed
                continue
            yield ".".join(file.relative_to(home.parent).with_suffix("").parts).removesuffix(".__init__"), file


def imports(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def place(module):
    """The (layer, part) that a module belongs to, by its longest name in LAYERS; None for foreign modules."""
    found = [
        (len(part), level, part)
        for level, parts in enumerate(LAYERS)
        for part in parts
        if module == part or module.startswith(part + ".")
    ]
    return max(found)[1:] if found else None


@pytest.mark.parametrize(("module", "file"), list(modules()), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_go_one_way(module, file):
    ours = {
        name for name in imports(file) if name.split(".")[0] in ("harness", "harness_reports", "target", "scenarios")
    }
    if module.split(".")[0] == "target":
        assert {name for name in ours if name.split(".")[0] != "target"} == set(), "a target knows no harness"
        return
    here = place(module)
    assert here is not None or module == "harness", f"{module} has no place in LAYERS"
    for name in ours:
        there = place(name)
        assert there is not None or name == "harness", f"{module} imports {name}, which has no place in LAYERS"
        assert there is None or there[0] < here[0] or there[1] == here[1], (
            f"{module} imports {name}, above or beside it"
        )


def test_fault_families_never_import_each_other():
    families = {file.stem for file in (ROOT / "harness/faults").glob("*.py")} - {"__init__", "base", "toxic"}
    for family in families:
        others = {f"harness.faults.{other}" for other in families - {family}}
        assert others.isdisjoint(imports(ROOT / f"harness/faults/{family}.py"))


def test_the_harness_knows_no_orders():
    """A target is described by its target.yaml alone."""
    for module, file in modules():
        if module.startswith("harness"):
            words = file.read_text().lower()
            assert not [word for word in ("shipment", "stock", "sku", "order_v1", "payment") if word in words], module
