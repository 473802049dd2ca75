"""ARCHITECTURE.md names every module, and none that is not there; no module is long without a reason."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOMES = (ROOT / "harness", ROOT / "reports/harness_reports")
MODULES = sorted(str(file.relative_to(ROOT)) for home in HOMES for file in home.rglob("*.py"))
LONGEST = 350


def named():
    """The modules that the tables name; a name without a folder is in the folder of the one before."""
    found = []
    for row in re.findall(r"^\| (`[^|]+`) \|", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE):
        folder = Path()
        for name in re.findall(r"`([^`]+)`", row):
            path = Path(name) if "/" in name else folder / name
            folder = path.parent
            found.append(str(path))
    return found


def test_every_module_is_named():
    empty = {name for name in MODULES if name.endswith("__init__.py") and not (ROOT / name).read_text()}
    rooms = {"harness/faults/__init__.py", "harness/model/__init__.py"}  # named as rooms

    assert set(MODULES) - empty - rooms - set(named()) == set()


def test_no_module_is_named_that_is_not_there():
    assert [name for name in named() if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("module", MODULES)
def test_a_long_module_says_why_in_its_first_lines(module):
    lines = (ROOT / module).read_text().splitlines()

    assert len(lines) <= LONGEST or "Longer than most" in "\n".join(lines[:20]), f"{module} has {len(lines)} lines"


def test_tests_mirror_the_rooms():
    rooms = {path.name for path in (ROOT / "harness").iterdir() if (path / "__init__.py").is_file()} - {"model"}
    tested = {path.name for path in (ROOT / "tests/unit").iterdir() if path.is_dir() and any(path.glob("test_*.py"))}

    assert rooms | {"reports", "target", "compose"} == tested


@pytest.mark.parametrize("file", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda file: file.name)
def test_no_test_module_imports_another(file):
    assert re.findall(r"^(?:from|import) tests\.(?!builders|oracle|bench)\S*", file.read_text(), re.MULTILINE) == []
