"""JUnit: what CI systems make of one run and of many, by the rules of the parsers that they use."""

from xml.etree import ElementTree as ET

import pytest
from harness_reports import junit, reported

from harness.checkers.gate import Decision
from harness.errors import Exit, NodeError
from harness.model import Gate, Result, Scenario, Witness
from tests.builders import shop
from tests.builders.hostile import HOSTILE
from tests.builders.shop import finding


def written(folder, *runs, over_runs=()):
    junit.write(runs, folder / "junit.xml", over_runs)
    return ET.fromstring((folder / "junit.xml").read_bytes())


def cases(folder, *runs):
    return {case.get("name"): case for case in written(folder, *runs).iter("testcase")}


def kinds(case):
    return [(child.tag, child.get("type")) for child in case]


LOST = finding("lost", Result.VIOLATED, violations=1)
THIN = {"result": Result.UNKNOWN, "reasons": ("too thin",), "lacking": ("too thin",)}


def gated(**gate) -> dict:
    scenario = shop.plan().scenario
    return {"scenario": scenario.model_copy(update={"gate": Gate(**gate)}).model_dump(mode="json", by_alias=True)}


def ends():
    """A run for every way in which one can end, and whether its gate lets it pass."""
    known, accepted = shop.explained()
    expect = {"violated": ["lost"], "upstream": "https://example.org/issues/1"}
    yield "holds", shop.reported(shop.verdict()), True
    yield "violated", shop.reported(shop.verdict((LOST, finding("stuck")))), False
    yield "unknown", shop.reported(shop.verdict(**THIN)), False
    yield "an invariant unknown", shop.reported(shop.verdict((finding("lost", Result.UNKNOWN, reason="?"),))), False
    yield "unknown allowed", shop.reported(shop.verdict(**THIN), **gated(unknown="allow")), True
    yield "level missed", shop.reported(shop.verdict(missed_levels=("start_p99: 0.5 s; the level is 0.2 s",))), False
    yield "known", shop.reported(known, accepted), True
    yield "known, not allowed", shop.reported(known, Decision(Exit.VIOLATED)), False
    yield (
        "known, level missed",
        shop.reported(
            known.model_copy(update={"missed_levels": ("slow",)}),
            Decision(Exit.GATE_MISSED, ("passes",), accepted=True),
        ),
        False,
    )
    yield "too frequent", shop.reported(known, Decision(Exit.VIOLATED, ("met more often than recorded",))), False
    yield "as expected", shop.reported(shop.verdict((LOST,), expect=expect)), True
    yield "not as expected", shop.reported(shop.verdict((finding("lost"),), expect=expect)), False
    yield "failed", reported.failed(shop.plan(), "processes", NodeError("redis was not ready after 60 s")), False


ENDS = list(ends())


@pytest.mark.parametrize(("run", "passes"), [end[1:] for end in ENDS], ids=[end[0] for end in ENDS])
def test_a_run_is_red_exactly_if_its_gate_does_not_let_it_pass_and_red_is_a_failure(tmp_path, run, passes):
    """`error` was green in parsers that CI systems use, so there is none."""
    root = written(tmp_path, run)

    assert (not root.findall(".//failure")) is passes is run.passes
    assert root.findall(".//error") == []
    assert (root.get("failures") == "0") is passes
    assert root.get("errors") == "0"


def test_seed_7_of_10_is_violated_and_another_unknown_and_just_these_are_red(tmp_path):
    found = {7: shop.verdict((LOST, finding("stuck"))), 4: shop.verdict(**THIN)}
    runs = [shop.reported(found.get(seed, shop.verdict()), seed=seed) for seed in range(1, 11)]

    root = written(tmp_path, *runs)

    assert [suite.get("name") for suite in root if suite.get("failures") != "0"] == ["demo-seed-4", "demo-seed-7"]
    red = [(case.get("classname"), case.get("name"), kinds(case)) for case in root.iter("testcase") if kinds(case)]
    assert red == [
        ("demo-seed-4", "verdict", [("failure", "UNKNOWN")]),
        ("demo-seed-7", "verdict", [("failure", "VIOLATED")]),
        ("demo-seed-7", "lost", [("failure", "VIOLATED")]),
    ]


def test_no_two_cases_are_called_alike(tmp_path):
    """GitLab shows one of equal names, and another parser takes equal names for tries of one test."""
    other = {"scenario": Scenario(**{**shop.plan().scenario.model_dump(by_alias=True), "name": "other"})}
    verdict = shop.verdict((LOST, LOST.model_copy(update={"origin": "user"}), finding("verdict")))
    runs = [
        shop.reported(verdict),
        shop.reported(verdict),
        shop.reported(verdict, **other),
        shop.reported(verdict, seed=8),
        shop.reported(verdict, dapr_version="1.17.0"),
        shop.reported(verdict, defect="double_ship"),
        reported.failed(shop.plan(), "compose", NodeError("no engine")),
    ]

    found = [
        (case.get("classname"), case.get("name"))
        for case in written(tmp_path, *runs, over_runs=("too often", "too often")).iter("testcase")
    ]

    assert len(set(found)) == len(found)
    assert [name for name, case in found if case == "verdict"] == [
        "demo-seed-7",
        "demo-seed-7 (2)",
        "other-seed-7",
        "demo-seed-8",
        "demo-seed-7-dapr-1_17_0",
        "demo-seed-7-defect-double_ship",
        "demo-seed-7-compose",
    ]
    assert [case for name, case in found if name == "demo-seed-7"] == ["verdict", "lost", "lost (2)", "verdict (2)"]
    assert not any("." in name for name, _ in found), "some show only what follows the last dot"


def test_the_case_of_the_run_has_its_time_and_the_file_adds_up(tmp_path):
    root = written(tmp_path, shop.reported(shop.verdict(), took=48.8), shop.reported(shop.verdict(), took=None))

    assert [case.get("time") for case in root.iter("testcase") if case.get("name") == "verdict"] == ["48.800", "0.000"]
    assert all(float(case.get("time")) >= 0 for case in root.iter("testcase"))
    assert (root.get("time"), root[0].get("time"), root[0].get("timestamp")) == (
        "48.800",
        "48.800",
        "2026-11-23T23:56:30",
    )
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "22",
        "failures": "0",
        "errors": "0",
        "skipped": "0",
    }


def test_the_properties_say_which_run_it_is(tmp_path):
    suite = written(tmp_path, shop.reported(shop.verdict(), defect="double_ship"))[0]

    told = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert told == {
        "run": shop.RUN,
        "scenario": "demo",
        "seed": "7",
        "dapr": "1.18.2",
        "backend": "processes",
        "defect": "double_ship",
        "claim": shop.plan().scenario.claim,
    }


def test_a_failure_begins_with_its_message_and_has_the_witnesses(tmp_path):
    """GitLab shows its text only."""
    violated = shop.violated(shop.evidence(200))

    failure = cases(tmp_path, shop.reported(violated))["duplicated"].find("failure")

    lines = failure.text.splitlines()
    assert lines[0] == failure.get("message") == "2 rows against: No step has an effect twice."
    assert lines[1] == violated.findings[1].witnesses[0].sentence


def test_a_run_that_failed_says_why(tmp_path):
    found = cases(tmp_path, reported.failed(shop.plan(), "processes", NodeError("redis was not ready")))

    assert list(found) == ["verdict"]
    assert kinds(found["verdict"]) == [("failure", "NO_VERDICT")]
    assert found["verdict"].find("failure").get("message") == "redis was not ready"


def test_what_a_gate_lets_pass_is_skipped_and_why(tmp_path):
    known, accepted = shop.explained()
    expect = {"violated": ["lost"], "upstream": "https://example.org/issues/1"}

    found = cases(tmp_path, shop.reported(known, accepted))
    assert {name: kinds(case) for name, case in found.items()} == {
        "verdict": [("skipped", "KNOWN")],
        "stuck": [("skipped", "KNOWN")],
        "lost": [],
    }
    found = cases(tmp_path, shop.reported(shop.verdict((LOST,), expect=expect)))
    assert kinds(found["lost"]) == kinds(found["verdict"]) == [("skipped", "EXPECTED")]
    assert found["verdict"].find("skipped").get("message").startswith("Violated, as expected")
    found = cases(tmp_path, shop.reported(shop.verdict(**THIN), **gated(unknown="allow")))
    assert kinds(found["verdict"]) == [("skipped", "UNKNOWN")]


def test_a_run_that_holds_against_expectation_says_so(tmp_path):
    expect = {"violated": ["lost"], "upstream": "https://example.org/issues/1"}
    found = cases(tmp_path, shop.reported(shop.verdict((finding("lost"),), expect=expect)))

    assert kinds(found["verdict"]) == [("failure", "NOT_AS_EXPECTED")]
    assert found["verdict"].find("failure").get("message").startswith("Not expected: it holds")


def test_what_the_gate_says_of_all_runs_is_red(tmp_path):
    root = written(tmp_path, shop.reported(shop.verdict()), over_runs=("demo: met in 4 of 4 runs",))

    assert root.get("failures") == "1"
    assert root[-1].find("testcase/failure").get("message") == "demo: met in 4 of 4 runs"


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_from_outside_breaks_the_file_or_counts_as_something_else(tmp_path, text):
    witness = Witness(instance_id=text, sentence=text, row={})
    found = shop.verdict(
        (
            finding(text, Result.VIOLATED, violations=1, witnesses=(witness,)),
            finding("b", Result.UNKNOWN, reason=text, claim=text),
        ),
        run=text,
        scenario=text,
        claim=text,
        reasons=(text,),
        missed_levels=(text,),
    )
    run = shop.reported(found, Decision(Exit.VIOLATED, (text,)), dapr_version=text or "1.0", defect=text)

    root = written(tmp_path, run, reported.failed(run.plan, text, NodeError(text)), over_runs=(text,))

    assert (root.get("tests"), root.get("failures")) == ("6", "6")
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "testcase", "properties", "property", "failure"
    }  # fmt: skip
    assert (tmp_path / "junit.xml").stat().st_size < 100_000


def test_the_same_evidence_gives_the_same_bytes(tmp_path):
    from harness import rundir

    folder = rundir.create(tmp_path, "demo", 7)
    shop.evidence(20).write(folder.evidence)
    texts = []
    for _ in range(2):
        junit.write([reported.judged(folder, shop.plan(), shop.verdict())], folder.junit)
        texts.append(folder.junit.read_bytes())

    assert texts[0] == texts[1]
    assert b'timestamp="2026-11-23T23:56:25"' in texts[0]
    assert b'name="verdict" time="48.800"' in texts[0]
