"""
JUnit XML: each invariant is a test case, so that a CI system can show the verdict like test results.

VIOLATED is a `failure`. UNKNOWN is an `error`, never `skipped`: CI systems count an error as a failure, but let a
skipped test pass. Then a run that proved nothing would look like a run that holds. The additional case `verdict` is the
run as a whole. It can be UNKNOWN (too thin, a fault that nobody felt) although every invariant holds. A missed service
level is a failed case of its own.

If the gate accepts known findings, the violations that they explain are `skipped`.
If a scenario expects a violation, this violation is `skipped`, as pytest reports an expected failure. If the run holds
instead, it is a failure.

The format is that of junit-10.xsd in Jenkins's xunit plugin, which comes closest to a standard.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from harness.checkers.gate import Decision, is_as_expected
from harness.model import Finding, Result, Verdict
from harness_reports import words

_MOST_WITNESSES = 10


def write(verdict: Verdict, run: Path, decision: Decision) -> Path:
    """
    Write `run/junit.xml`; return its path.
    """
    suite = ET.Element("testsuite", name=words.printable(verdict.scenario))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("run", verdict.run), ("seed", str(verdict.seed)), ("claim", verdict.claim)):
        ET.SubElement(properties, "property", name=name, value=words.one_line(value))
    of = words.printable(verdict.scenario)
    as_expected = is_as_expected(verdict)
    run_case = _case(suite, of, "verdict")
    if decision.accepted:
        accepted = ET.SubElement(run_case, "skipped", type="KNOWN")
        accepted.set("message", words.one_line(words.gate(decision) or ""))
    elif as_expected is None:
        _told(run_case, verdict.result, words.headline(verdict), verdict.reasons)
    else:
        told = ET.SubElement(run_case, "skipped" if as_expected else "failure", type=verdict.result.value)
        told.set("message", words.one_line(words.expectation(verdict) or ""))
    for finding in verdict.findings:
        case = _case(suite, f"{of}.{finding.origin}", finding.name)
        if as_expected and finding.result is Result.VIOLATED:
            ET.SubElement(case, "skipped", message=words.one_line(_message(finding)), type="EXPECTED")
            continue
        if decision.accepted and finding.explained and not finding.unexplained:
            ET.SubElement(case, "skipped", message=words.one_line(_message(finding)), type="KNOWN")
            continue
        _told(case, finding.result, _message(finding), [witness.sentence for witness in finding.witnesses])
    for number, level in enumerate(verdict.missed_levels, start=1):
        case = _case(suite, f"{of}.gate", f"service level {number}")
        ET.SubElement(case, "failure", message=words.one_line(level), type="GATE_MISSED")
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    file = run / "junit.xml"
    file.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
    return file


def _case(suite: ET.Element, class_name: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=class_name, name=words.printable(name))


def _told(case: ET.Element, result: Result, message: str, details: tuple[str, ...] | list[str]) -> None:
    if result is Result.HOLDS:
        return
    kind = "failure" if result is Result.VIOLATED else "error"
    told = ET.SubElement(case, kind, message=words.one_line(message), type=result.value)
    shown = [words.one_line(detail) for detail in details[:_MOST_WITNESSES]]
    if len(details) > len(shown):
        shown.append(f"and {len(details) - len(shown)} more, in verdict.json")
    told.text = "\n".join(shown)


def _message(finding: Finding) -> str:
    if finding.reason is not None:
        return finding.reason
    known = f", {finding.explained:,} explained by known findings" if finding.explained else ""
    return f"{words.count(finding.violations, 'row')} against{known}: {finding.claim}"
