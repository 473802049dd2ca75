"""What the documents point at is there."""

import re
from pathlib import Path

import pytest

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
