"""`harness gate`: what the gates make of runs that are judged, one exit code for all of them."""

import pytest

from harness import cli, last, rundir
from harness.checkers import rates
from harness.errors import EvidenceError, Exit, UsageError
from harness.evidence import manifest
from harness.model import Gate, Result
from harness.model.scenario import Expectation
from tests.builders import shop
from tests.builders.shop import finding


@pytest.fixture(name="judged")
def _judged(tmp_path):
    """A run directory with a verdict, whose gate allows known findings."""

    def judged(verdict, known="allow", recorded=None, *, whole=True):
        plan = shop.plan()
        gate = Gate(known=known, recorded=recorded)
        run = rundir.create(tmp_path, "demo", 7)
        run.save_plan(plan.model_copy(update={"scenario": plan.scenario.model_copy(update={"gate": gate})}))
        run.save_verdict(shop.whole(verdict) if whole else verdict)
        manifest.write(run)
        return run

    return judged


def gate(capsys, tmp_path, *arguments):
    code = cli.app(["gate", *map(str, arguments), "--out", str(tmp_path)], standalone_mode=False)
    return code, capsys.readouterr().out


def test_the_worst_of_several_runs_counts(judged, tmp_path, capsys):
    names = [judged(shop.verdict()).name, judged(shop.verdict((finding("lost", Result.VIOLATED, violations=1),))).name]

    code, printed = gate(capsys, tmp_path, *names)

    assert code == Exit.VIOLATED
    assert printed.startswith("passes")
    assert "fails" in printed
    assert "lost: 1 of 1 rows are explained by no known finding" in printed
    assert gate(capsys, tmp_path, names[0])[0] == Exit.HOLDS


def test_a_verdict_that_leaves_out_an_invariant_is_refused(judged, tmp_path, capsys):
    with pytest.raises(EvidenceError, match="is not as the judge wrote it"):
        gate(capsys, tmp_path, judged(shop.verdict(), whole=False).name)


def test_the_latest_run_is_meant_where_none_is_named(judged, tmp_path, capsys):
    judged(shop.verdict())

    assert gate(capsys, tmp_path)[0] == Exit.HOLDS


def test_all_runs_of_the_last_command_are_meant_where_none_is_named(judged, tmp_path, capsys):
    lost = judged(shop.verdict((finding("lost", Result.VIOLATED, violations=1),)))
    names = (lost.name, judged(shop.verdict()).name)
    last.save(tmp_path, last.LastCommand(asked=2, runs=names))

    code, printed = gate(capsys, tmp_path)

    assert code == Exit.VIOLATED
    assert printed.splitlines()[-1] == "2 runs: exit code 1"


@pytest.mark.parametrize(
    ("made", "code", "told"),
    [
        ({"asked": 2, "failed": ("demo-seed-8: no redis",)}, Exit.SOFTWARE, "fails  demo-seed-8: no redis"),
        ({"asked": 3}, Exit.UNKNOWN, "fails  2 runs of 3 never came to an end"),
    ],
)
def test_a_run_that_failed_or_was_cut_off_does_not_pass(judged, tmp_path, capsys, made, code, told):
    last.save(tmp_path, last.LastCommand(runs=(judged(shop.verdict()).name,), **made))

    found, printed = gate(capsys, tmp_path)

    assert found == code
    assert told in printed.splitlines()


def test_a_run_from_before_a_command_that_made_none_is_not_taken_for_its_own(judged, tmp_path, capsys):
    judged(shop.verdict())
    last.forget(tmp_path)

    with pytest.raises(UsageError, match='there is no run "latest"; the newest are'):
        gate(capsys, tmp_path)
    last.save(tmp_path, last.LastCommand(asked=1, failed=("demo-seed-7: no redis",)))
    assert gate(capsys, tmp_path)[0] == Exit.SOFTWARE


@pytest.mark.parametrize("content", ['{"asked": "many"}', '{"asked": 0}'])
def test_a_record_of_another_version_is_told(tmp_path, capsys, content):
    (tmp_path / "last.json").write_text(content)

    with pytest.raises(EvidenceError, match=r"not written by this version of the harness; name the runs$"):
        gate(capsys, tmp_path)


def test_a_job_of_github_gets_annotations_and_a_terminal_none(judged, tmp_path, capsys, monkeypatch):
    judged(shop.verdict((finding("lost", Result.VIOLATED, violations=1),)))
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert "::error" not in gate(capsys, tmp_path)[1]

    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert "\n::error title=VIOLATED%3A demo%2C seed 7::" in gate(capsys, tmp_path)[1]


def test_runs_are_recorded_and_then_allowed(judged, tmp_path, capsys):
    file, (found, _) = tmp_path / "rates.yaml", shop.explained()
    file.write_text("{}\n")
    run = judged(found, recorded=file)
    assert gate(capsys, tmp_path, run.name)[0] == Exit.VIOLATED, "nothing is recorded yet"

    for _ in range(10):
        gate(capsys, tmp_path, run.name, "--record", file)

    assert rates.load(file).of(shop.plan()).findings["result_discarded"].runs == 10
    code, printed = gate(capsys, tmp_path, run.name)
    assert code == Exit.HOLDS
    assert "every violation is explained by a known finding (result_discarded)" in printed


def test_a_run_that_was_not_judged_has_nothing_for_a_gate(tmp_path, capsys):
    rundir.create(tmp_path, "demo", 7).save_plan(shop.plan())

    with pytest.raises(EvidenceError, match="has no verdict yet; run `harness check"):
        gate(capsys, tmp_path)


def test_a_run_whose_evidence_was_changed_is_refused(judged, tmp_path, capsys):
    run = judged(shop.verdict())
    run.plan.write_text(run.plan.read_text() + "\n")

    with pytest.raises(EvidenceError, match=r"not as the run left it: plan\.json"):
        gate(capsys, tmp_path, run.name)


def test_a_verdict_that_contradicts_itself_is_refused(judged, tmp_path, capsys):
    lost = finding("lost", Result.VIOLATED, violations=1)
    run = judged(shop.verdict((lost,), result=Result.HOLDS))

    with pytest.raises(EvidenceError, match="not as the judge wrote it"):
        gate(capsys, tmp_path, run.name)


@pytest.mark.parametrize(
    "verdict",
    [
        shop.verdict(scenario="another"),
        shop.verdict(seed=8),
        shop.verdict(expect=Expectation(violated=("lost",), upstream="docs/findings.md")),
        shop.verdict((finding("lost", violations=1),)),
    ],
)
def test_a_verdict_on_another_plan_or_with_rows_against_what_holds_is_refused(judged, tmp_path, capsys, verdict):
    run = judged(verdict)

    with pytest.raises(EvidenceError, match="not as the judge wrote it"):
        gate(capsys, tmp_path, run.name)


def test_a_verdict_of_a_trial_is_refused(judged, tmp_path, capsys):
    run = judged(shop.verdict(trial=True))

    with pytest.raises(EvidenceError, match="judged last with --known or --invariants, to try them"):
        gate(capsys, tmp_path, run.name)


def test_a_run_that_is_named_twice_is_refused(judged, tmp_path, capsys):
    run = judged(shop.verdict())

    with pytest.raises(UsageError, match="a run counts once"):
        gate(capsys, tmp_path, run.name, "latest")


def test_a_run_that_is_not_sound_is_not_recorded(judged, tmp_path, capsys):
    lacking = ("the run started 3 instances; at least 250 are needed",)
    run = judged(shop.verdict(result=Result.UNKNOWN, reasons=lacking, lacking=lacking))

    _, printed = gate(capsys, tmp_path, run.name, "--record", tmp_path / "rates.yaml")

    assert "not sound" in printed
    assert rates.load(tmp_path / "rates.yaml").root == {}
