"""Invariants that are not applicable are told once, in a table of their own, with what would make them applicable."""

from pathlib import Path

from harness_reports import html, markdown, terminal, words
from rich.console import Console

from harness.model import NotApplicable
from tests.builders import shop

LEFT = NotApplicable(
    invariants=("body_ran", "result_after_body"), lacking="which bodies ran", give="an attempts file <script>"
)


def test_each_report_tells_what_is_not_judged_and_how_it_could_be(tmp_path):
    verdict = shop.verdict(not_applicable=(LEFT,))
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    shop.evidence(20).write(evidence)

    file = html.write(shop.plan(), verdict, tmp_path, shop.DECISION)
    markdown.write([shop.reported(verdict)], tmp_path / "summary.md")
    console = Console(record=True, width=200)
    console.print(terminal.summary(shop.plan(), verdict, Path("/r"), shop.DECISION))

    page = file.read_text()
    assert page.count('<th scope="row" class="prose">body_ran, result_after_body</th>') == 1
    assert "an attempts file &lt;script&gt;" in page
    assert (
        "| body\\_ran, result\\_after\\_body | which bodies ran | an attempts file &lt;script&gt; |"
        in (tmp_path / "summary.md").read_text()
    )
    assert "body_ran, result_after_body: to judge this too, give an attempts file <script>" in console.export_text()


def test_the_first_sentence_of_a_run_that_holds_counts_them():
    assert words.headline(shop.verdict(not_applicable=(LEFT,))).endswith("600 instances; 2 are not applicable.")
