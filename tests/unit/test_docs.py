"""What the documents point at is there."""

import re
from pathlib import Path
from typing import ClassVar

import pytest

from harness import rows
from harness.checkers import invariant, known
from harness.evidence import schema
from harness.faults import BUILT_IN, base
from harness.model import (
    Checks,
    Expectation,
    FaultEntry,
    Gate,
    Latency,
    Load,
    Minimum,
    Nemesis,
    Safety,
    Topology,
    verdict,
)

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("target/*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page):
    broken = [link for link, _ in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert broken == []


def test_every_page_is_linked_from_another():
    linked = {(page.parent / link).resolve() for page in PAGES for link, _ in LINK.findall(page.read_text())}

    assert set(ROOT.glob("docs/*.md")) <= linked


def test_the_fault_that_writing_a_fault_begins_with_is_one():
    """It runs as it stands there, with the names that a family imports."""
    text = (ROOT / "docs/writing-a-fault.md").read_text()
    names = {**vars(base), "ClassVar": ClassVar}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)
    nothing = names["Nothing"]()

    with pytest.raises(base.NotFeltError, match="nothing was done"):
        nothing.apply_and_prove(object(), "sidecar-0")
    nothing.heal(object(), "sidecar-0")
    assert nothing.hits == "nodes"


def test_writing_a_scenario_names_every_fault_and_every_field():
    text = (ROOT / "docs/writing-a-scenario.md").read_text()
    fields = [
        info.alias or name
        for value in (Checks, FaultEntry, Gate, Latency, Load, Minimum, Nemesis, Safety, Topology, Expectation)
        for name, info in value.model_fields.items()
        if name != "settings"
    ]
    settings = [name for family in BUILT_IN.values() for name in family.model_fields]
    missing = [name for name in [*BUILT_IN, *fields, *settings] if f"`{name}`" not in text and f"{name}:" not in text]

    assert [name for name in missing if f".{name}`" not in text] == []


def test_every_invariant_is_told_with_its_claim_and_none_that_is_not_there():
    """So a file that is lost is missed, also where another invariant catches the same defects."""
    section = (ROOT / "docs/verdict.md").read_text().partition("## The invariants")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", section, re.MULTILINE))
    folders = (invariant.GENERAL, ROOT / "target/invariants")

    assert told == {name: invariant.parse(text).claim for at in folders for name, text in invariant.load(at).items()}


def test_the_evidence_tables_are_told_as_the_schema_has_them():
    section = (ROOT / "docs/run-directory.md").read_text().partition("## The evidence tables")[2]
    told = {
        name: (row, re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", columns, re.MULTILINE))
        for name, row, columns in re.findall(
            r"^### (\w+)\n\nOne row is (.+)\.\n((?:.|\n)*?)(?=\n###|\Z)", section, re.MULTILINE
        )
    }

    assert told == {
        table.name: (table.row, [(column.name, column.type, column.meaning) for column in table.columns])
        for table in schema.TABLES
    }


def test_every_field_of_a_verdict_is_told_as_its_schema_has_it():
    text = (ROOT / "docs/verdict-json.md").read_text()
    made = verdict.schema()
    models = {name: model for name, model in {"Verdict": made, **made["$defs"]}.items() if "properties" in model}
    told = {
        title: re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", section, re.MULTILINE)
        for title, section in re.findall(r"^## (\w+)\n((?:.|\n)*?)(?=\n## |\Z)", text, re.MULTILINE)
    }

    assert told == {
        name: [(field, type_of(of), of["description"]) for field, of in model["properties"].items()]
        for name, model in models.items()
    }


def type_of(field):
    """A JSON Schema's type in words: `list of Finding`."""
    if "anyOf" in field:
        return " or ".join(type_of(each) for each in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return {"Result": "string", "JsonValue": "anything"}.get(name, name)
    if "const" in field:
        return str(field["const"])
    match field.get("type"):
        case "array":
            return f"list of {type_of(field['items'])}"
        case "object" if isinstance(values := field.get("additionalProperties"), dict) and values:
            return f"object of {type_of(values)}"
        case other:
            return other


def test_every_row_of_every_journal_is_told_with_its_fields():
    section = (ROOT / "docs/run-directory.md").read_text().partition("## The journals")[2].partition("\n## ")[0]
    kinds = [kind for kind in vars(rows).values() if isinstance(kind, type) and issubclass(kind, rows.Row)]
    fields = {info.alias or name for kind in kinds for name, info in kind.model_fields.items()}
    events = {info.default for kind in kinds for name, info in kind.model_fields.items() if name == "event"}

    assert [name for name in sorted(fields | events) if f"`{name}`" not in section] == []


def test_the_page_of_findings_and_the_files_that_recognise_them_say_the_same():
    sections = re.split(r"(?m)^## ", (ROOT / "docs/findings.md").read_text())
    by_number = {int(found[1]): section for section in sections if (found := re.match(r"(\d+)\. ", section))}
    findings = known.load().values()

    assert {finding.number for finding in findings} == set(by_number)
    for finding in findings:
        section = by_number[finding.number]
        words = [f"`{finding.name}`", *finding.upstream, *(f"`{name}`" for name in finding.explains)]
        assert [word for word in words if word not in section] == [], finding.name
