"""A chaos run as a test: what passes, fails, and is an error; and that a session without one notices nothing."""

import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from harness import last, pipeline, rundir
from harness.errors import NodeError
from harness.model import Result, Witness
from tests.builders import shop
from tests.builders.shop import finding

pytest_plugins = ["pytester"]

WITNESS = Witness(instance_id="plain-7", sentence="plain-7 was accepted, and is gone. ::error::x", row={})
LOST = shop.verdict((finding("lost", Result.VIOLATED, violations=1, witnesses=(WITNESS,)), finding("stuck")))
TEST = """
import pytest

@pytest.mark.chaos("baseline", seed=7, settings={"load.rate": 5}, gate={"unknown": "allow"})
def test_one(chaos_run):
    assert chaos_run.passes
    assert chaos_run.verdict.classes["completed"] == 358
    assert chaos_run.folder.is_dir()
"""


@pytest.fixture(name="session")
def _session(pytester, monkeypatch):
    """`session(text, end)`: pytest over a file of tests whose runs end so, and the plans that were asked for."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    plans = []

    def session(text, end, *arguments):
        def run(plan, runs, place, console):
            plans.append(plan)
            if isinstance(end, Exception):
                raise end
            return pipeline.Done(0, end, rundir.create(runs, plan.scenario.name, plan.seed))

        monkeypatch.setattr(pipeline, "run", run)
        pytester.makepyfile(text)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments), plans

    return session


def test_a_run_that_passes_is_given_to_the_test(session):
    result, plans = session(TEST, shop.verdict())

    result.assert_outcomes(passed=1)
    assert [plan.scenario.name for plan in plans] == ["baseline"]
    assert (plans[0].seed, plans[0].scenario.load.rate, plans[0].scenario.gate.unknown) == (7, 5.0, "allow")


def test_a_run_that_does_not_pass_fails_the_test_with_its_witness(session):
    result, _ = session(TEST, LOST)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*VIOLATED  baseline, seed 7*", "*lost: 1 row against it", "*plain-7 was accepted, and is gone.*"]
    )
    result.stdout.no_fnmatch_line("*test_a_run_that_does_not_pass*.py:*: AssertionError*")


def test_a_harness_that_fails_is_an_error_and_no_failure(session):
    result, _ = session(TEST, NodeError("redis was not ready after 60 s"))

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*NodeError: redis was not ready after 60 s"])


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("@pytest.mark.chaos('basline')", "*UsageError: *basline*"),
        ("@pytest.mark.chaos('baseline', gate={'known': 'perhaps'})", "*UsageError: *known*"),
        ("", "*the fixture chaos_run needs a marker: @pytest.mark.chaos(SCENARIO)"),
    ],
)
def test_a_wrong_marker_is_an_error_that_says_what_is_wrong(session, marker, told):
    result, plans = session(f"import pytest\n{marker}\ndef test_one(chaos_run): pass", shop.verdict())

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([told])
    assert plans == []


def test_a_marked_test_without_the_fixture_makes_its_run_all_the_same(session):
    result, plans = session("import pytest\n@pytest.mark.chaos('baseline')\ndef test_one(): pass", LOST)

    result.assert_outcomes(failed=1)
    assert len(plans) == 1


def test_the_runs_of_a_session_are_told_to_ci_systems(session, pytester):
    text = """
import pytest
MARKS = [pytest.param(marks=pytest.mark.chaos("baseline", seed=seed)) for seed in (1, 2)]
@pytest.mark.parametrize((), MARKS)
def test_one(chaos_run): pass
"""
    session(text, LOST, "--chaos-out", "chaos")

    made = last.load(pytester.path / "chaos")
    assert (made.asked, len(made.runs)) == (2, 2)
    suites = ET.parse(pytester.path / "chaos/junit.xml").getroot().findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["baseline-seed-1", "baseline-seed-2"]


def test_in_a_job_of_github_the_failure_is_no_workflow_command(session, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    result, _ = session(TEST, LOST)

    assert "::error" not in result.stdout.str()


def test_a_session_without_a_chaos_run_loads_nothing_of_it():
    code = (
        "import sys, pytest; before = set(sys.modules); import harness.pytest_plugin; "
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('_')))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert loaded.stdout.split() == ["harness", "harness.pytest_plugin"]
