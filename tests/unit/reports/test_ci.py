"""JUnit, Markdown and the terminal: what CI systems and a person at a prompt get."""

import io
from xml.etree import ElementTree as ET

import pytest
from harness_reports import junit, markdown, terminal, words
from rich.console import Console

from harness.checkers.gate import Decision
from harness.errors import Exit
from harness.model import FaultFinding, Result
from tests.builders import shop
from tests.builders.shop import EVIL, finding


@pytest.fixture(name="violated", scope="module")
def _violated():
    return shop.violated(shop.evidence(200))


def cases(verdict, folder):
    root = ET.fromstring(junit.write(verdict, folder, shop.DECISION).read_text(encoding="utf-8"))
    return root.find("testsuite"), {case.get("name"): case for case in root.iter("testcase")}


def test_every_invariant_is_a_test_case_and_one_is_the_run_itself(tmp_path):
    suite, found = cases(shop.verdict(), tmp_path)
    assert list(found) == ["verdict", *shop.CLAIMS, "stock_conserved"]
    assert found["stock_conserved"].get("classname") == "demo.target"
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "11",
        "failures": "0",
        "errors": "0",
        "skipped": "0",
    }


def test_violated_is_a_failure_with_its_witnesses_and_unknown_an_error_with_its_reason(violated, tmp_path):
    suite, found = cases(violated, tmp_path)
    assert (suite.get("failures"), suite.get("errors")) == ("3", "1")
    assert found["duplicated"].find("failure").text.splitlines()[0] == violated.findings[1].witnesses[0].sentence
    assert found["over_compensated"].find("error").get("message") == (
        "it examined nothing: no instance was compensated"
    )
    assert len(found["phantom"]) == 0


def test_a_run_that_is_unknown_although_all_invariants_hold_is_red(tmp_path):
    thin = shop.verdict(result=Result.UNKNOWN, reasons=("the run started 60 instances; 600 are needed",))
    _, found = cases(thin, tmp_path)
    assert found["verdict"].find("error").text == "the run started 60 instances; 600 are needed"


def test_a_missed_service_level_is_a_failed_case_of_its_own(tmp_path):
    suite, found = cases(shop.verdict(missed_levels=("start_p99: 0.5 s; the level is 0.2 s",)), tmp_path)
    assert found["service level 1"].find("failure").get("type") == "GATE_MISSED"
    assert suite.get("failures") == "1"


def test_an_expected_violation_is_skipped_and_a_run_that_holds_instead_fails(tmp_path):
    known = {"violated": ["lost"], "upstream": "https://example.org/issues/1"}
    suite, found = cases(shop.verdict((finding("lost", Result.VIOLATED),), expect=known), tmp_path)
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "2")
    assert found["verdict"].find("skipped").get("message").startswith("Violated, as expected")

    suite, found = cases(shop.verdict((finding("lost"),), expect=known), tmp_path)
    assert found["verdict"].find("failure").get("message").startswith("Not expected: it holds")


def test_an_id_from_outside_cannot_break_the_xml(violated, tmp_path):
    _, found = cases(violated, tmp_path)
    assert "<script>" in found["duplicated"].find("failure").text


def test_the_summary_shows_ids_from_outside_and_they_do_nothing_in_markdown(violated, tmp_path):
    text = markdown.write(shop.plan(), violated, tmp_path, shop.DECISION).read_text(encoding="utf-8")
    assert "<script>" not in text
    assert EVIL not in text
    odd = shop.verdict((finding("a|b", Result.UNKNOWN, reason="[x](javascript:y) `z` @everyone\n# big"),))
    text = markdown.write(shop.plan(), odd, tmp_path, shop.DECISION).read_text(encoding="utf-8")
    assert "\\[x\\]\\(javascript:y\\) \\`z\\` \\@everyone \\# big" in text
    assert "| a\\|b |" in text


def test_the_summary_opens_with_the_verdict_and_ends_with_the_command(violated, tmp_path):
    plan = shop.plan(defect="double_ship")
    lines = markdown.write(plan, violated, tmp_path, shop.DECISION).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "## ❌ VIOLATED: demo, seed 7"
    assert lines[2] == "**A promise was broken: 2 of 10 invariants are violated.**"
    assert lines[-1] == "    harness run demo --seed 7 --defect double_ship"
    assert "| #0 | kill | sidecar-0 | 6.000 s | 12.3 ms | 8.100 s | 17 | 31 ms | 3.12 s | 3.41 s |" in lines


def printed(plan, verdict, folder):
    screen = Console(width=100, file=io.StringIO(), legacy_windows=False)
    screen.print(terminal.summary(plan, verdict, folder, shop.DECISION))
    return screen.file.getvalue()


def test_the_screen_tells_the_verdict_the_classes_the_faults_and_the_way_on(tmp_path):
    text = printed(shop.plan(), shop.verdict(), tmp_path / "r")
    for line in (
        "✓ HOLDS  demo, seed 7, Dapr 1.18.2",
        "instances   600: completed 358, compensated 121, rejected 114, refused 7",
        "attempts    2,431, 59 of them repeated (allowed)",
        "kill sidecar-0 at 6.000 s: felt after 12.3 ms, first failure 31 ms, success 3.12 s,",
        "invariants  10 of 10 hold, 6,120 things examined",
        "again       harness run demo --seed 7",
    ):
        assert line in text
    assert str(tmp_path / "r/report.html").replace("/", "") in text.replace("\n", "").replace(" ", "").replace("/", "")


def test_the_screen_names_what_is_violated_with_a_witness_and_obeys_none_of_it(violated, tmp_path):
    text = printed(shop.plan(), violated, tmp_path)
    assert "✗ duplicated" in text
    assert "? over_compensated it examined nothing" in text
    assert "\x1b" not in text


def test_the_worst_run_still_fits_one_screen(tmp_path):
    long = "a sentence that goes on and on, as sentences about broken promises do, and then a little further; " * 5
    faults = tuple(
        FaultFinding(
            step=step,
            fault="kill",
            node=f"sidecar-{step}->a-node-with-a-long-name",
            at=1.0,
            felt_after=None,
            healed_at=None,
            in_flight=0,
            recovery=None,
            proof={},
        )
        for step in range(30)
    )
    worst = shop.verdict(
        tuple(finding(f"an_invariant_with_a_long_name_{n}", Result.UNKNOWN, reason=long) for n in range(30)),
        claim=long,
        reasons=(long,) * 30,
        missed_levels=(long,) * 9,
        classes=dict.fromkeys(words.CLASSES, 123_456),
        faults=faults,
    )
    text = printed(shop.plan(defect="double_ship"), worst, tmp_path / ("deep/" * 20))
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 100
    assert "and 25 more, in the report" in text


def test_what_a_gate_accepts_is_skipped_in_junit_and_told_everywhere(tmp_path):
    found, decision = shop.explained()

    root = ET.fromstring(junit.write(found, tmp_path, decision).read_text(encoding="utf-8"))
    cases = {case.get("name"): [child.get("type") for child in case] for case in root.iter("testcase")}
    assert cases == {"verdict": ["KNOWN"], "stuck": ["KNOWN"], "lost": []}
    text = markdown.write(shop.plan(), found, tmp_path, decision).read_text(encoding="utf-8")
    assert "**Gate: Passes: every violation is explained by a known finding**" in text
    assert "result" in text
    assert "known findings explain 2 of 2" in text


def test_without_the_gate_s_leave_a_known_finding_is_a_failure(tmp_path):
    found, _ = shop.explained()

    root = ET.fromstring(junit.write(found, tmp_path, Decision(Exit.VIOLATED)).read_text(encoding="utf-8"))
    stuck = next(case for case in root.iter("testcase") if case.get("name") == "stuck")
    assert stuck.find("failure").get("message").startswith("2 rows against, 2 explained by known findings: ")
