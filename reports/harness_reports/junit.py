"""
JUnit XML of one or of many runs: each run is a test suite and each invariant a test case, so that a CI system can show
verdicts like test results.

Whatever its gate does not let pass is a `failure`, also UNKNOWN and a run without a verdict. The format has `error` for
those, but parsers that CI systems use passed a test case with an `error` as green: mikepenz/action-junit-report#1005
(January 2024), and dorny/test-reporter until its pull request 118. The attribute `type` says what it is: VIOLATED,
UNKNOWN, GATE_MISSED, NOT_AS_EXPECTED or NO_VERDICT. The test case `verdict` is the run as a whole. It can be UNKNOWN
(too thin, a fault that nobody felt) although every invariant holds. A missed service level is a failed case of its own.

What the gate lets pass is `skipped`, as pytest reports an expected failure: violations that known findings explain, a
violation that the scenario expects, a run that cannot tell where `gate.unknown` allows it. So a suite has no failure
exactly if its gate passes it.

No two test cases of a file have the same class and name: of equal ones GitLab shows only one
(`lib/gitlab/ci/reports/test_suite.rb`), and action-junit-report with `check_retries` takes them for tries of one test
and keeps one that passes. GitLab shows only the text of a failure and not its attribute `message`, so the text begins
with the message. Every case has a `time`, since test-reporter adds them up: the case `verdict` has the run's, the
others 0.

The format is that of junit-10.xsd in Jenkins's xunit plugin, which comes closest to a standard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.checkers.gate import is_as_expected
from harness.errors import Exit
from harness.files import write_whole
from harness.model import Finding, Result, Verdict
from harness_reports import words
from harness_reports.reported import ReportedRun, all_different, labels

_MOST_WITNESSES = 10
_MOST_LETTERS = 2000


def write(runs: Sequence[ReportedRun], file: Path, over_runs: Sequence[str] = ()) -> None:
    """
    Write the JUnit file of these runs. `over_runs` are the sentences of a gate about all of them, why they do not pass
    (`harness.checkers.gate.over_runs`).
    """
    root = ET.Element("testsuites", name="durable-workflow-harness")
    for run, label in zip(runs, labels(runs), strict=True):
        root.append(_suite(run, label))
    if over_runs:
        suite = ET.SubElement(root, "testsuite", name="all runs")
        for number, sentence in enumerate(over_runs, start=1):
            _red(_case(suite, "all runs", f"rates of known findings {number}"), "VIOLATED", sentence)
        _count(suite)
    _count(root)
    ET.indent(root)
    write_whole(file, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _suite(run: ReportedRun, label: str) -> ET.Element:
    suite = ET.Element("testsuite", name=label)
    if run.began is not None:
        suite.set("timestamp", run.began)
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(run):
        ET.SubElement(properties, "property", name=name, value=_line(value))
    _run_case(_case(suite, label, "verdict", run.took or 0), run)
    if run.verdict is not None:
        for finding in run.verdict.findings:
            _finding_case(_case(suite, label, finding.name), finding, run, run.verdict)
        for number, level in enumerate(run.verdict.missed_levels, start=1):
            _red(_case(suite, label, f"service level {number}"), "GATE_MISSED", level)
    cases = suite.findall("testcase")
    for case, name in zip(cases, all_different(case.get("name", "") for case in cases), strict=True):
        case.set("name", name)
    _count(suite)
    return suite


def _properties(run: ReportedRun) -> Iterable[tuple[str, str]]:
    if run.verdict is not None:
        yield "run", run.verdict.run
    yield "scenario", run.plan.scenario.name
    yield "seed", str(run.plan.seed)
    yield "dapr", run.plan.dapr_version
    yield "backend", run.backend
    if run.plan.defect is not None:
        yield "defect", run.plan.defect
    yield "claim", run.plan.scenario.claim


def _run_case(case: ET.Element, run: ReportedRun) -> None:
    """
    The run as a whole.
    """
    verdict, decision = run.verdict, run.decision
    if verdict is None:
        _red(case, "NO_VERDICT", *(decision.sentences or ("the run ended without a verdict",)))
        return
    expected, gate = words.expectation(verdict), words.gate(decision)
    if run.passes or decision.code is Exit.GATE_MISSED:
        if (why := expected or gate) is not None:
            _skipped(case, _why_skipped(run, verdict), why)
        return
    as_expected = is_as_expected(verdict)
    kind, message = (
        (verdict.result.value, words.headline(verdict))
        if as_expected is None
        else ("NOT_AS_EXPECTED", expected or words.headline(verdict))
    )
    _red(case, kind, message, *([gate] if gate else []), *verdict.reasons)


def _finding_case(case: ET.Element, finding: Finding, run: ReportedRun, verdict: Verdict) -> None:
    """
    One invariant.
    """
    if finding.result is Result.HOLDS:
        return
    if run.passes or run.decision.accepted:
        _skipped(case, _why_skipped(run, verdict), _message(finding))
    else:
        _red(case, finding.result.value, _message(finding), *(witness.sentence for witness in finding.witnesses))


def _why_skipped(run: ReportedRun, verdict: Verdict) -> str:
    if run.decision.accepted:
        return "KNOWN"
    return "EXPECTED" if is_as_expected(verdict) else verdict.result.value


def _message(finding: Finding) -> str:
    if finding.reason is not None:
        return finding.reason
    known = f", {finding.explained:,} explained by known findings" if finding.explained else ""
    return f"{words.count(finding.violations, 'row')} against{known}: {finding.claim}"


def _case(suite: ET.Element, class_name: str, name: str, took: float = 0) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_line(class_name), name=_line(name), time=f"{took:.3f}")


def _red(case: ET.Element, kind: str, message: str, *details: str) -> None:
    failure = ET.SubElement(case, "failure", message=_line(message), type=kind)
    lines = [_line(line) for line in (message, *details[:_MOST_WITNESSES])]
    if len(details) > _MOST_WITNESSES:
        lines.append(f"and {len(details) - _MOST_WITNESSES} more, in verdict.json")
    failure.text = "\n".join(lines)


def _skipped(case: ET.Element, kind: str, message: str) -> None:
    ET.SubElement(case, "skipped", message=_line(message), type=kind).text = _line(message)


def _line(text: str) -> str:
    return words.shortened(text, _MOST_LETTERS)


def _count(element: ET.Element) -> None:
    """
    Set the counts and the time of a suite, or of all suites.
    """
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", "0")
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.3f}")
