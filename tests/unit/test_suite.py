"""A suite: what is run next, when it is enough, what it says together, and going on where it was left."""

import io
import re

import pytest
from harness_reports import suite as drawing
from harness_reports import words
from rich.console import Console

from harness import rundir
from harness import suite as suites
from harness.checkers.gate import Decision
from harness.errors import EvidenceError, Exit, LeftError, NodeError, UsageError
from harness.model import Result
from harness.names import BackendName
from harness.planning import scenario
from harness.planning import suite as reading
from harness.suite import Case, Made, SuiteRun
from tests.builders import shop

PASSES = Decision(Exit.HOLDS)
FAILS = Decision(Exit.VIOLATED)


def described(*entries, budget=600):
    return reading.Suite(name="mine", claim="Every promise is kept.", budget=budget, runs=entries)


def begun(*entries, budget=600, expected=60):
    suite = described(*entries, budget=budget)
    cases = [
        (
            turn,
            Case(
                entry=number,
                scenario=entry["scenario"],
                seed=seed,
                dapr_version=release,
                backend=BackendName.PROCESSES,
                expected=expected,
            ),
        )
        for number, entry in enumerate(entries)
        for release in entry.get("dapr", ["1.18.2"])
        for turn, seed in enumerate(suite.runs[number].seeds)
    ]
    return SuiteRun(suite=suite, cases=tuple(case for _, case in sorted(cases, key=lambda each: each[0])))


def made(decision=PASSES, result=Result.HOLDS):
    return Made(shop.verdict(result=result, reasons=() if result is Result.HOLDS else ("it is so",)), decision, "run-1")


def kept(folder, so_far, plan=None):
    """The folder of a suite with its file and the plans of its runs -> the file, and case -> plan."""
    drawing.write(so_far, folder, ())
    run = rundir.RunDir(folder / "run-1")
    run.path.mkdir(exist_ok=True)
    run.save_plan(plan or shop.plan())
    return dict.fromkeys(so_far.cases, shop.plan()), folder / drawing.DATA


def end(so_far, make):
    for each in suites.go(so_far, make):
        so_far = each
    return so_far


def order(so_far):
    return [(ran.case.scenario, ran.case.seed) for ran in so_far.ran]


A = {"scenario": "a", "seeds": [1, 2, 3]}
B = {"scenario": "b", "seeds": [7, 8]}


def test_each_scenario_has_a_run_before_any_has_its_second():
    ended = end(begun(A, B), lambda _: made())

    assert order(ended) == [("a", 1), ("b", 7), ("a", 2), ("b", 8), ("a", 3)]
    assert suites.exit_code(ended) is Exit.HOLDS
    assert not list(suites.waiting(ended))


def test_a_run_that_does_not_pass_decides_its_scenario_and_no_other():
    ended = end(begun(A, B), lambda case: made(FAILS, Result.VIOLATED) if case.seed == 1 else made())

    assert order(ended) == [("a", 1), ("b", 7), ("b", 8)]
    assert suites.exit_code(ended) is Exit.VIOLATED
    assert [(each.case.seed, each.needed) for each in suites.waiting(ended)] == [(2, False), (3, False)]


@pytest.mark.parametrize(("code", "result"), [(Exit.UNKNOWN, Result.UNKNOWN), (Exit.GATE_MISSED, Result.HOLDS)])
def test_a_run_that_cannot_tell_or_is_slow_decides_nothing(code, result):
    """A run after it can still be violated, which is worse."""
    ended = end(begun(A), lambda case: made(Decision(code), result) if case.seed == 1 else made())

    assert len(ended.ran) == 3
    assert suites.exit_code(ended) is code


def test_each_release_of_an_entry_is_a_question_of_its_own():
    entry = {"scenario": "a", "seeds": 9, "dapr": ["1.18.2", "1.17.0"]}

    ended = end(begun({**entry, "enough": 0.5}), lambda _: made())
    assert sorted(ran.case.dapr_version for ran in ended.ran) == ["1.17.0"] * 5 + ["1.18.2"] * 5

    ended = end(begun(entry), lambda case: made(FAILS, Result.VIOLATED) if case.dapr_version == "1.17.0" else made())
    assert sorted(ran.case.dapr_version for ran in ended.ran) == ["1.17.0"] + ["1.18.2"] * 9


def test_a_run_that_fails_is_kept_and_the_suite_goes_on():
    def make(case):
        if case.seed == 1:
            raise NodeError("app-0 was not ready")
        return made()

    ended = end(begun(A), make)

    assert [ran.code for ran in ended.ran] == [Exit.SOFTWARE, Exit.HOLDS, Exit.HOLDS]
    assert ended.ran[0].sentences == ("app-0 was not ready",)
    assert suites.exit_code(ended) is Exit.SOFTWARE


@pytest.mark.parametrize(("share", "runs"), [(0.5, 5), (0.2, 14), (0.1, 29), (0.05, 59)])
def test_how_many_passes_are_enough(share, runs):
    """The first number of passes so that a system of which this share fails passes so often in under 5 % of tries."""
    assert suites.runs_that_suffice(share) == runs
    assert (1 - share) ** runs <= 0.05 < (1 - share) ** (runs - 1)


def test_when_it_is_enough_the_rest_is_not_run():
    ended = end(begun({"scenario": "a", "seeds": 9, "enough": 0.5}), lambda _: made())

    assert len(ended.ran) == 5
    assert suites.exit_code(ended) is Exit.HOLDS
    assert {each.why for each in suites.waiting(ended)} == {
        "enough: 5 runs passed, so it is 95 % sure that fewer than 50 % fail"
    }


def test_what_does_not_fit_the_budget_is_not_begun_and_the_suite_cannot_tell(monkeypatch):
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr(suites.time, "monotonic", lambda: next(clock))

    ended = end(begun(A, budget=140, expected=60), lambda _: made())

    assert [ran.took for ran in ended.ran] == [50, 50]
    assert suites.exit_code(ended) is Exit.UNKNOWN
    (left,) = suites.waiting(ended)
    assert left.why == "it takes about 60 s, and 40 s of the budget were left"


def test_more_than_recorded_over_all_runs_is_a_violation():
    ended = end(begun(A), lambda _: made())

    assert suites.exit_code(ended, ["a on Dapr 1.18.2: stuck was met in 3 of 3 runs"]) is Exit.VIOLATED


def test_a_suite_without_a_run_cannot_tell():
    assert suites.exit_code(begun(A)) is Exit.UNKNOWN


def test_an_interrupted_run_is_not_counted():
    steps = suites.go(begun(A), lambda case: made()._replace(interrupted=case.seed == 2))

    so_far = next(steps)
    with pytest.raises(LeftError):
        next(steps)
    assert order(so_far) == [("a", 1)]


def test_a_suite_goes_on_where_it_was_left_and_comes_to_the_same(tmp_path):
    fresh = begun(A, B)
    steps = suites.go(fresh, lambda _: made())
    next(steps)

    again = suites.resumed(fresh, *kept(tmp_path, next(steps)))

    assert order(again) == [("a", 1), ("b", 7)]
    assert order(end(again, lambda _: made())) == order(end(fresh, lambda _: made()))


def test_what_failed_is_run_again(tmp_path):
    def fails(_):
        raise NodeError("no port")

    assert suites.resumed(begun(A), *kept(tmp_path, end(begun(A), fails))).ran == ()


def test_only_the_same_suite_is_gone_on_with(tmp_path):
    plans, file = kept(tmp_path, begun(A))

    with pytest.raises(UsageError, match="has changed since"):
        suites.resumed(begun(A, B), plans, file)
    file.write_text("{}")
    with pytest.raises(EvidenceError, match="not written by this version"):
        suites.resumed(begun(A), plans, file)
    with pytest.raises(EvidenceError, match="cannot be read"):
        suites.resumed(begun(A), plans, tmp_path / "nothing.json")


def test_runs_of_a_scenario_that_has_changed_are_not_gone_on_with(tmp_path):
    so_far = next(suites.go(begun(A), lambda _: made()))

    with pytest.raises(UsageError, match="has changed since"):
        suites.resumed(begun(A), *kept(tmp_path, so_far, shop.plan().model_copy(update={"seed": 8})))


def test_whether_a_run_had_a_tap_is_no_change(tmp_path):
    so_far = next(suites.go(begun(A), lambda _: made()))

    again = suites.resumed(begun(A), *kept(tmp_path, so_far, shop.plan().model_copy(update={"tap": True})))

    assert again.ran == so_far.ran


def test_the_answer_of_a_suite_that_has_ended_is_not_given_again(tmp_path):
    """A CI job that always goes on would pass with the runs of an older commit."""
    with pytest.raises(UsageError, match="has ended"):
        suites.resumed(begun(A), *kept(tmp_path, end(begun(A), lambda _: made())))


@pytest.mark.parametrize("name", reading.names())
def test_every_named_suite_can_be_planned_and_fits_its_budget(name):
    suite = reading.load(reading.find(name))
    planned = suites.planned(suite)

    enough = [entry.enough for entry in suite.runs]
    needed = [
        case.expected
        for case, _ in planned
        if enough[case.entry] is None or case.seed <= suites.runs_that_suffice(enough[case.entry])
    ]
    assert sum(needed) < suite.budget
    assert {entry.scenario for entry in suite.runs} <= set(scenario.names())
    if name != "smoke":
        assert {entry.scenario for entry in suite.runs} == set(scenario.names()), "a new scenario belongs into it"


def test_a_plan_that_cannot_be_made_names_its_entry():
    with pytest.raises(UsageError, match=r'suite mine, runs.0 \(sidecar_kill\): target .* has no defect "nope"'):
        suites.planned(described({"scenario": "sidecar_kill", "defect": "nope"}))


@pytest.mark.parametrize("share", [0.2, 1e-300])
def test_an_entry_has_the_seeds_that_its_enough_takes(share):
    with pytest.raises(UsageError, match=r"runs.0 \(baseline\): enough: .* takes \d+ runs, and seeds: 13"):
        suites.planned(described({"scenario": "baseline", "seeds": 13, "enough": share}))


@pytest.fixture(name="mixed")
def _mixed():
    """A run of each kind, and what came from outside is hostile."""
    results = {
        1: made(),
        2: Made(
            shop.verdict(result=Result.VIOLATED, reasons=(shop.EVIL,)), Decision(Exit.VIOLATED, (shop.EVIL,)), "run-2"
        ),
        7: made(Decision(Exit.HOLDS, ("every violation is explained",), accepted=True), Result.VIOLATED),
    }

    def make(case):
        if case.seed == 8:
            raise NodeError(shop.EVIL)
        return results[case.seed]

    return end(begun(A, B), make)


def test_the_page_shows_every_run_and_loads_and_runs_nothing(mixed, tmp_path):
    drawing.write(mixed, tmp_path, (shop.EVIL,))
    html = (tmp_path / drawing.PAGE).read_text()

    assert "<script" not in html
    assert not re.search(r"""(?:src|href)=["']https?:""", html)
    assert 'href="run-2/report.html"' in html
    assert "Does not pass" in html
    assert html.count("not run</span>") == 1
    assert "exit code 1" in html


def test_the_terminal_shows_the_matrix_and_the_answer(mixed, tmp_path):
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(drawing.terminal(mixed, tmp_path, ()))
    printed = console.export_text()

    assert re.search(rf"^a +✓ +✗ +{words.NOTHING}", printed, re.MULTILINE)
    assert "Suite mine does not pass: 2 of 4 runs pass." in printed
    assert "a, seed 3: decided: a, seed 2 does not pass" in printed
    assert "\x1b[31m" not in printed
