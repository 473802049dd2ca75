"""A user's draft of an invariant: judged beside the verdict of a run and not over it, and tried on planted defects."""

import json

import pytest

from harness import cli
from harness.checkers import columns, selftest
from harness.evidence import manifest
from harness.rundir import TRIAL, RunDir
from tests.builders.evidence import write_evidence
from tests.builders.literal import planned, sound

SHIPS = """\
-- claim: No shipment has more than four units.
-- layer: app
-- examined: SELECT count(*) FROM effects WHERE effect = 'ship'
-- witness: {instance_id} ships {quantity}.
SELECT instance_id, json_extract(attributes, '$.quantity')::BIGINT AS quantity
FROM effects
WHERE effect = 'ship' AND json_extract(attributes, '$.quantity')::BIGINT > 4
ORDER BY instance_id
"""
EVENTS = """\
-- claim: There are no events.
-- examined: SELECT count(*) FROM history
-- witness: {instance_id} has {event} at {position}.
SELECT instance_id, event, position FROM history ORDER BY instance_id, position
"""
FIVE = """UPDATE effects SET attributes = '{"quantity": 5}' WHERE effect = 'ship'"""
OWN = ("verdict.json", "report.html", "summary.md", "junit.xml", "violations")


@pytest.fixture(name="run")
def _run(tmp_path):
    """A small sound run, judged."""
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.save_plan(planned())
    write_evidence(run.evidence, sound())
    manifest.write(run)
    run.violations.mkdir()
    for name in OWN[:-1]:
        (run.path / name).write_text(name)
    return run


@pytest.fixture(name="harness")
def _harness(run, tmp_path, capsys, monkeypatch):
    """Runs a command on the run with these drafts, and returns its exit code and what it printed."""
    few = {name: selftest.HARMLESS[name] for name in ("attempt_repeated", "effect_row_elsewhere")}
    monkeypatch.setattr(selftest, "HARMLESS", few)

    def harness(command, *options, of="--invariants", **texts):
        folder = tmp_path / "drafts"
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.sql").write_text(text)
        code = cli.app([command, str(run.path), of, str(folder), *options], standalone_mode=False)
        return code, " ".join(capsys.readouterr().out.split())

    return harness


def test_a_draft_is_judged_beside_the_verdict_of_the_run(run, harness):
    before = {name: (run.path / name).stat().st_mtime_ns for name in OWN}

    code, told = harness("check", ships=SHIPS, events=EVENTS)

    assert code == 1
    assert {name: (run.path / name).stat().st_mtime_ns for name in OWN} == before
    assert sorted(file.name for file in (run.path / TRIAL).iterdir()) == ["events.parquet", "verdict.json"]
    verdict = json.loads(((run.path / TRIAL) / "verdict.json").read_text())
    assert verdict["trial"]
    assert {f["name"]: f["result"] for f in verdict["findings"] if f["origin"] == "user"} == {
        "ships": "HOLDS",
        "events": "VIOLATED",
    }
    assert "the run's own verdict and reports are as they were" in told


def test_every_draft_is_shown_first_and_so_are_its_rows(run, harness):
    events = len(sound()["history"])

    _, told = harness("check", ships=SHIPS, events=EVENTS)

    drafts = told.partition("baseline, seed 1")[0]
    assert f"events VIOLATED: {events} rows against it, {events} things examined" in drafts
    assert drafts.count(" has ") == 20
    assert f"and {events - 20} more in" in drafts
    assert "ships HOLDS: 0 rows against it" in drafts


def test_a_draft_that_cannot_be_told_or_is_not_applicable_says_so(harness):
    code, told = harness(
        "check", ships=SHIPS.replace("effects\nWHERE", "effect\nWHERE"), twice=f"-- needs: balances\n{EVENTS}"[:-1]
    )

    assert code == 1
    assert "ships UNKNOWN: 0 rows" in told
    assert "it cannot be asked: " in told


def test_a_finding_on_trial_leaves_the_verdict_alone_and_explains_only_what_there_is(run, harness):
    finding = "-- title: Made up.\n-- layer: engine\n-- seen: 1.18.2\n-- sentence: {instance_id}.\n-- explains: stuck\n"
    before = (run.path / "verdict.json").read_text()

    code, _ = harness("check", of="--known", mine=f"{finding}SELECT instance_id FROM classes\n")
    assert code == 2, "the run is thin"
    assert (run.path / "verdict.json").read_text() == before
    assert json.loads((run.path / TRIAL / "verdict.json").read_text())["trial"]

    with pytest.raises(Exception, match='explains: "stock" is not an invariant; did you mean'):
        harness("check", of="--known", mine=finding.replace("stuck", "stock") + "SELECT instance_id FROM classes\n")


def test_what_a_draft_plants_itself_is_tried(run, harness):
    code, told = harness("selftest", ships=f"-- plants: {FIVE}\n{SHIPS}")

    assert code == 0
    assert "planted by ships effects ships" in told
    assert "1 of 1 planted defects" in told
    assert not run.selftest.exists(), "the run's own self-test stays as it is"


def test_a_draft_that_names_a_defect_and_does_not_catch_it_is_told(harness):
    code, told = harness("selftest", ships=f"-- catches: forward_duplicated\n-- plants: {FIVE}\n{SHIPS}")

    assert code == 1
    assert "ships (missed)" in told
    assert "1 of 2 planted defects" in told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SHIPS, "ships: nothing was planted for it, so nothing shows that it can fail; give it `plants`, or `catches`"),
        (f"-- catches: double_ship\n{SHIPS}", "ships: nothing was planted .* run the target with --defect double_ship"),
        (f"-- plants: {FIVE} AND effect = 'none'\n{SHIPS}", "no row of this run to plant it in"),
        (SHIPS.replace("effect = 'ship'", "effect = 'none'"), "ships cannot be told: there was nothing to examine"),
    ],
)
def test_a_draft_of_which_nothing_shows_that_it_can_fail_is_unknown(harness, text, why):
    code, told = harness("selftest", ships=text)

    assert code == 2
    assert why.replace(".*", "") in told or all(part in told for part in why.split(" .* "))


def test_a_draft_that_alarms_at_harmless_changes_is_told(harness):
    bodies = (
        EVENTS.replace("history", "attempts").replace("position", "task_id").replace("event,", "activity AS event,")
    )

    code, told = harness("selftest", events=bodies)

    assert code == 1
    assert "events (false alarm)" in told


def test_a_change_that_fails_is_wrong_usage(harness):
    with pytest.raises(Exception, match=r"UPDATE effects SET quantity = 5.*quantity"):
        harness("selftest", ships=f"-- plants: UPDATE effects SET quantity = 5\n{SHIPS}")


def test_how_many_changes_of_columns_a_draft_names(run, harness, monkeypatch):
    every = columns.changes
    of_ships = [each for each in every(run.evidence) if (each.column, each.kind) == ("attributes", "ship")]
    monkeypatch.setattr(columns, "changes", lambda _: of_ships)

    code, told = harness("selftest", "--columns", ships=SHIPS.replace("> 4", "IS NULL"))

    assert code == 0
    assert f"of {len(of_ships)} changes" in told
