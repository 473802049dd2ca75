"""
Texts from outside, in every field of a verdict that has some, as Markdown and on a terminal. JUnit, annotations and
what the command line prints have such tests of their own.
"""

import io

import pytest
from harness_reports import markdown, reported, terminal
from markdown_it import MarkdownIt
from rich.console import Console

from harness.checkers.gate import Decision
from harness.errors import Exit, NodeError
from harness.model import Known, Result, Witness
from tests.builders import shop
from tests.builders.hostile import HOSTILE
from tests.builders.shop import finding


def run(text):
    """A run in which whatever comes from outside is `text`."""
    witness = Witness(instance_id=text, sentence=text, row={text: text}, explained_by=(text,))
    known = Known(
        name=text, title=text, layer=text, fixed=text, upstream=(text,), instances=1, rows=1, sentences=(text,)
    )
    verdict = shop.verdict(
        (
            finding(text, Result.VIOLATED, violations=2, explained=1, witnesses=(witness,), claim=text),
            finding("b", Result.UNKNOWN, reason=text, claim=text),
            finding("c", claim=text),
        ),
        run=text,
        scenario=text,
        claim=text,
        reasons=(text,),
        lacking=(text,),
        missed_levels=(text,),
        notes=(text,),
        classes={text: 3},
        workflows={text: {text: 3}},
        costs={text: shop.COST},
        operations={text: 3},
        known=(known,),
        expect={"violated": ["lost"], "upstream": f"https://{text}".encode(errors="replace").decode().ljust(10)},
        faults=tuple(
            fault.model_copy(update={"fault": text, "node": text, "unrecovered": text})
            for fault in shop.fault_findings()
        ),
    )
    plan = shop.plan(defect=text, dapr_version=text)
    plan = plan.model_copy(update={"scenario": plan.scenario.model_copy(update={"name": text})})
    plan = shop.starting(plan, [text])
    return reported.ReportedRun(plan, Decision(Exit.VIOLATED, (text,)), text, verdict)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("several", [False, True], ids=["one run", "several"])
def test_markdown_has_the_structure_that_we_gave_it(tmp_path, text, several):
    """What a parser of GitHub's flavour finds is the same as for a harmless text of the same length."""

    def structure(text):
        one = run(text)
        runs = [one, reported.failed(one.plan, text, NodeError(text))] if several else [one]
        markdown.write(runs, tmp_path / "summary.md", (text,) if several else ())
        written = (tmp_path / "summary.md").read_text(encoding="utf-8")
        assert all(sign == "\n" or sign.isprintable() for sign in written)
        tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(written)
        inline = {child.type for token in tokens for child in token.children or ()}
        assert inline <= {"text", "text_special", "strong_open", "strong_close", "softbreak"}
        assert {token.content for token in tokens if token.type == "html_block"} <= {
            "<details><summary>All invariants</summary>\n",
            "</details>\n",
        }
        return [token.type for token in tokens]

    assert structure(text) == structure("harmless" if text.strip() else text)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_terminal_is_told_nothing_but_what_it_shows(tmp_path, text):
    screen, hostile = io.StringIO(), run(text)

    Console(file=screen, width=100, color_system=None).print(
        terminal.summary(hostile.plan, hostile.verdict, tmp_path, hostile.decision)
    )

    printed = screen.getvalue()
    assert all(sign == "\n" or sign.isprintable() for sign in printed)
    assert len(printed.splitlines()) <= 47, "40, one for a workflow of several, and a command of 500 letters"
