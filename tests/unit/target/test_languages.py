"""The order workflow in other languages is the same workflow, and everything that it needs is locked."""

import json
import re

import pytest

from harness.planning.target import load
from tests.builders.command import ROOT

LANGUAGES = ("go", "javascript")
REFERENCE = load(ROOT / "target/target.yaml")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_promised_is_what_the_reference_promises(language):
    described = load(ROOT / f"target/{language}/target.yaml")

    one, other = described.workflows["order_v1"], REFERENCE.workflows["order_v1"]
    for name in ("body", "outcomes", "minimum", "activities"):
        assert getattr(one, name) == getattr(other, name)
    for name, kind in other.kinds.items():
        assert one.kinds[name].model_copy(update={"vary": kind.vary}) == kind
    for name in ("effects", "ledgers", "invariants"):
        assert getattr(described, name) == getattr(REFERENCE, name)
    assert described.retries == REFERENCE.retries
    assert not described.attempts


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_defect_that_is_described_is_in_the_code(language):
    folder = ROOT / f"target/{language}"
    code = "".join(file.read_text() for file in folder.glob("defects.*"))

    assert not [name for name in load(folder / "target.yaml").defects if not re.search(rf"\b{name}\b", code)]


def test_the_packages_of_the_javascript_application_are_locked_and_from_no_registry_of_ones_own():
    folder = ROOT / "target/javascript"
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]

    assert packages[""]["dependencies"] == wanted == {"@dapr/dapr": "3.18.0"}
    for name, package in packages.items():
        assert not name or package["integrity"].startswith("sha512-")
        assert package.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/")


def test_the_modules_of_the_go_application_are_locked():
    required = re.findall(r"^\t(\S+) (v\S+)", (ROOT / "target/go/go.mod").read_text(), re.MULTILINE)
    locked = (ROOT / "target/go/go.sum").read_text()

    assert ("github.com/dapr/go-sdk", "v1.15.0") in required
    assert all(f"{module} {version} h1:" in locked for module, version in required)
