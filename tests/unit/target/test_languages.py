"""The order workflow on other SDKs is the same workflow, and everything that it needs is locked."""

import json
import re

import pytest

from harness.checkers import invariant
from harness.planning.target import load
from tests.builders.command import ROOT

LANGUAGES = {
    "go": ("order_v1", "defects.go"),
    "java": ("orders.OrderV1", "src/main/java/orders/Defects.java"),
    "javascript": ("order_v1", "defects.js"),
    "python": ("order_v1", "defects.py"),
}
"""The name of the workflow, and the file with the planted defects. Java's SDK names a workflow after its class."""
REFERENCE = load(ROOT / "target/target.yaml")


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_promised_is_what_the_reference_promises(language):
    described = load(ROOT / f"target/{language}/target.yaml")

    one, other = described.workflows[LANGUAGES[language][0]], REFERENCE.workflows["order_v1"]
    for name in ("body", "outcomes", "minimum", "activities"):
        assert getattr(one, name) == getattr(other, name)
    for name, kind in other.kinds.items():
        assert one.kinds[name].model_copy(update={"vary": kind.vary}) == kind
    for name in ("effects", "ledgers", "invariants"):
        assert getattr(described, name) == getattr(REFERENCE, name)
    # The workflows of one pattern each are in the reference target alone.
    assert described.retries == {name: REFERENCE.retries[name] for name in other.activities}
    assert not described.attempts


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_invariants_of_the_reference_are_usable_for_it(language):
    """None of them may name a defect of the reference alone: a run of another target would be refused."""
    described = load(ROOT / f"target/{language}/target.yaml")

    assert invariant.besides_general(described) == invariant.besides_general(REFERENCE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_defect_that_is_described_is_in_the_code(language):
    folder = ROOT / f"target/{language}"
    code = (folder / LANGUAGES[language][1]).read_text()

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


def test_the_jars_of_the_java_application_are_locked():
    folder = ROOT / "target/java"
    wanted = re.findall(
        r"<dependency>\s*<groupId>\S+</groupId>\s*<artifactId>(\S+)</artifactId>\s*<version>(\S+)</version>",
        (folder / "pom.xml").read_text(),
    )
    locked = re.findall(r"^[0-9a-f]{64}  (\S+\.jar)$", (folder / "dependencies.sha256").read_text(), re.MULTILINE)

    assert ("dapr-sdk-workflows", "1.16.0") in wanted
    assert {f"{name}-{version}.jar" for name, version in wanted} <= set(locked)
    assert len(locked) > 40  # all of which only two are named in pom.xml
    assert locked == sorted(locked)  # the order in which `make targets` compares


def test_every_plugin_that_builds_the_java_application_has_one_exact_version():
    pom = (ROOT / "target/java/pom.xml").read_text()
    plugins = re.findall(r"<plugin>\s*<groupId>\S+</groupId>\s*<artifactId>\S+</artifactId>\s*(\S*)", pom)

    assert len(plugins) == pom.count("<plugin>") > 0
    assert all(re.fullmatch(r"<version>\d+\.\d+\.\d+</version>", version) for version in plugins)


def test_the_packages_of_the_python_application_are_locked_and_its_sdk_is_not_that_of_the_harness():
    folder = ROOT / "target/python"
    wanted = re.findall(r"^[^#\s]+", (folder / "requirements.in").read_text(), re.MULTILINE)
    lock = (folder / "requirements.lock").read_text()
    locked = dict(re.findall(r"^(\S+)==(\S+) \\\n {4}--hash=sha256:", lock, re.MULTILINE))

    assert wanted == ["dapr[workflow]==1.19.0", "httpx"]
    assert locked["dapr"] == "1.19.0"
    assert "dapr-ext-workflow" not in locked  # dapr 1.19 has these modules itself
    assert len(locked) == len(re.findall("^[^ #]", lock, re.MULTILINE))


def test_the_python_application_imports_nothing_of_the_harness_or_of_the_reference_target():
    ours = re.compile(r"^\s*(from|import) (harness|target)\b", re.MULTILINE)
    modules = {file.name: file.read_text() for file in (ROOT / "target/python").glob("*.py")}

    assert "orders.py" in modules
    assert not [name for name, text in modules.items() if ours.search(text)]
