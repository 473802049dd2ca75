"""What the documents point at is there."""

import re
from pathlib import Path
from typing import ClassVar

import pytest

from harness import rows
from harness.checkers import known
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
)
from tests.builders import pages

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


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.name)
def test_the_page_says_of_the_code_what_the_code_says(page):
    """`make docs` mends it."""
    assert page.read_text() == pages.written()[page]


def test_a_new_table_comes_at_the_end_and_prose_stays():
    def page(numbers, more=""):
        one = f"# Page\n\n## One\n\nBefore.\n\n| a |\n|---|\n{numbers}\nAfter.\n\n"
        return f"{one}## Two\n\n| b |\n|---|\n| 9 |\n{more}"

    made = pages.with_table(page("| 1 |\n"), "One", ("a",), [("2",), ("3",)])

    assert made == page("| 2 |\n| 3 |\n")
    assert pages.with_table(made, "Three", ("c",), [("4",)]) == page(
        "| 2 |\n| 3 |\n", "\n### Three\n\n| c |\n|---|\n| 4 |\n"
    )


def test_nothing_is_told_of_an_invariant_or_a_table_that_is_gone():
    invariants = (ROOT / "docs/verdict.md").read_text().partition("## The invariants")[2].partition("\n## ")[0]
    evidence = (ROOT / "docs/run-directory.md").read_text().partition("## The evidence tables")[2]

    assert len(re.findall(r"^### ", invariants, re.MULTILINE)) == 1
    assert re.findall(r"^### (\w+)\n\nOne row is (.+)\.$", evidence, re.MULTILINE) == [
        (table.name, table.row) for table in schema.TABLES
    ]


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
