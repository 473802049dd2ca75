"""What a verdict keeps and says besides its findings: every row, the user's own invariants, faults, torn journals."""

import duckdb
import pytest

from harness.checkers import gate, invariant, judge
from harness.errors import Exit, UsageError
from harness.journal import Journals
from harness.model import Expectation
from tests.builders.evidence import write_evidence
from tests.builders.literal import LIES, sound

EVERY_EVENT = """\
-- claim: There are no events.
-- layer: app
-- examined: SELECT count(*) FROM history
-- witness: {instance_id} has {event}.
SELECT instance_id, event, position / 0 AS ratio, [position] AS places FROM history ORDER BY instance_id, position
"""


@pytest.fixture(name="only")
def _only(monkeypatch):
    """`only(*names)`: there are no other invariants, for a test that asks for none."""

    def only(*names):
        every = invariant.load
        monkeypatch.setattr(invariant, "load", lambda of: {n: text for n, text in every(of).items() if n in names})

    return only


@pytest.fixture(name="evidence")
def _evidence(tmp_path):
    """Writes the sound run's evidence, with a lie told in it and rows changed, and returns its folder."""

    def write(lie=None, **more):
        rows = sound()
        LIES.get(lie, lambda _: None)(rows)
        return write_evidence(tmp_path / "evidence", {name: of + more.get(name, []) for name, of in rows.items()})

    return write


@pytest.fixture(name="own")
def _own(tmp_path):
    """Writes a folder of one invariant."""

    def write(text, name="no_events"):
        folder = tmp_path / "own"
        folder.mkdir()
        (folder / f"{name}.sql").write_text(text)
        return folder

    return write


def test_every_row_against_an_invariant_is_kept_with_its_sentence(planned, evidence, own, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/of_an_earlier_judging.parquet").touch()

    verdict = judge.judge("run", planned, evidence(), drafts=own(EVERY_EVENT), keep=tmp_path / "kept")

    found = next(finding for finding in verdict.findings if finding.name == "no_events")
    assert (found.result, found.origin, len(found.witnesses)) == ("VIOLATED", "user", 20)
    kept = duckdb.read_parquet(str(tmp_path / "kept/no_events.parquet"))
    rows = kept.fetchall()
    assert len(rows) == found.violations == len(sound()["history"])
    assert {"sentence", "instance_id", "event", "ratio", "places", "layer", "ledger", "during"} == set(kept.columns)
    assert rows[0][kept.columns.index("sentence")] == found.witnesses[0].sentence
    assert found.witnesses[0].sentence.endswith("Layer: app.")
    assert [file.stem for file in (tmp_path / "kept").iterdir()] == ["no_events"]


def test_a_number_that_is_none_is_text_in_a_verdict(planned, evidence, own):
    text = EVERY_EVENT.replace("position / 0", "'nan'::DOUBLE")
    verdict = judge.judge("run", planned, evidence(), drafts=own(text))

    assert next(f for f in verdict.findings if f.name == "no_events").witnesses[0].row["ratio"] == "nan"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("lost", EVERY_EVENT, "own/lost.sql: there is an invariant lost already"),
        ("quantities", EVERY_EVENT, "own/quantities.sql: there is an invariant quantities already"),
        ("mine", "SELECT 1", "own/mine.sql: the header lacks claim, examined, witness"),
        (
            "mine",
            f"-- catches: effect_mov\n{EVERY_EVENT}",
            'own/mine.sql: catches: nobody plants .* mean "effect_moved"',
        ),
        ("mine", f"-- catches: ?\n{EVERY_EVENT}", "catches: nobody plants .* the nearest of [0-9]+ names: "),
        (
            "mine",
            EVERY_EVENT.replace("layer: app", "layer: engin"),
            "layer is one of client, app, SDK, engine, store, not decided",
        ),
        ("mine", f"-- plants: DROP TABLE effects\n{EVERY_EVENT}", "plants is UPDATE table .* not 'DROP TABLE effects'"),
        ("mine", f"-- plants: UPDATE efects SET key = ''\n{EVERY_EVENT}", 'no table of the evidence; .* "effects"'),
        ("mine", f"-- plants: UPDATE effects SET\n{EVERY_EVENT}", "plants is no SQL: "),
    ],
)
def test_a_folder_of_invariants_that_cannot_be_used_is_refused(planned, evidence, own, tmp_path, name, text, told):
    kept = tmp_path / "kept/duplicated.parquet"
    kept.parent.mkdir()
    kept.touch()

    with pytest.raises(UsageError, match=told):
        judge.judge("run", planned, evidence(), drafts=own(text, name), keep=kept.parent)
    assert kept.exists(), "what an earlier judging kept is still there"


def test_a_folder_without_invariants_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"there is no \.sql file, so no invariant"):
        invariant.load_own(tmp_path, (), ())
    with pytest.raises(UsageError, match="nowhere: the invariants cannot be read"):
        invariant.load_own(tmp_path / "nowhere", (), ())


def test_a_witness_tells_the_faults_that_were_in_force_in_its_life(planned, evidence, only):
    only("duplicated")
    at = sound()["instances"][0]["created_ns"]
    fault = {"step": 0, "fault": "pause", "node": "sidecar-0", "applied_ns": at, "healed_ns": at + 10_000_000_000}
    later = {**fault, "step": 1, "applied_ns": at + 600_000_000_000, "healed_ns": None}
    other = {**fault, "node": "sidecar-1"}
    folder = evidence("forward_duplicated", faults=[fault, other, later])

    found = next(f for f in judge.judge("run", planned, folder).findings if f.name == "duplicated")

    during = found.witnesses[0].row["during"]
    assert during.startswith("pause of sidecar-0 and 1 more (")
    assert "600" not in during
    assert f"In force meanwhile: {during}." in found.witnesses[0].sentence


@pytest.mark.parametrize(
    "header",
    ["-- examined: SELECT sum(position) FROM history WHERE event = 'none'", "-- witness: {lacking} has {event}."],
)
def test_an_invariant_that_returns_what_it_must_not_stops_none_of_the_others(planned, evidence, own, header):
    key = header.partition(":")[0]
    text = "\n".join(header if line.startswith(key) else line for line in EVERY_EVENT.splitlines())

    findings = {f.name: f for f in judge.judge("run", planned, evidence(), drafts=own(text)).findings}

    assert findings["no_events"].result == "UNKNOWN"
    assert findings["told"].result == "HOLDS"


@pytest.mark.parametrize(("later_ns", "stuck"), [(0, 1), (1, 0)])
def test_what_was_started_after_the_settle_phase_is_not_stuck(planned, tmp_path, only, later_ns, stuck):
    """Nobody waited for it."""
    only("stuck")
    rows = sound()
    LIES["end_undone"](rows)
    settled_ns = next(row["ended_ns"] for row in rows["phases"] if row["phase"] == "settle")
    next(row for row in rows["instances"] if row["instance_id"] == "a")["created_ns"] = settled_ns + later_ns
    write_evidence(tmp_path, rows)

    findings = {f.name: f for f in judge.judge("run", planned, tmp_path).findings}

    assert findings["stuck"].violations == stuck


@pytest.mark.parametrize(
    ("times", "stuck"),
    [
        ({"begun_ns": 1, "applied_ns": 2, "healed_ns": 3}, ("VIOLATED", 1)),
        ({"begun_ns": 1, "applied_ns": 2}, ("UNKNOWN", 0)),
        ({"begun_ns": 1}, ("UNKNOWN", 0)),
        ({"step": -1, "applied_ns": 2}, ("VIOLATED", 1)),
    ],
    ids=["healed", "not healed", "perhaps applied", "a node that ended by itself"],
)
def test_nothing_is_called_stuck_while_a_fault_of_the_harness_is_in_force(planned, evidence, only, times, stuck):
    only("stuck")
    folder = evidence("end_undone", faults=[{"step": 0, "fault": "latency", "node": "sidecar-0->redis", **times}])

    found = next(finding for finding in judge.judge("run", planned, folder).findings if finding.name == "stuck")

    assert (found.result, found.violations) == stuck


def test_a_worker_of_the_load_that_was_lost_is_noted_and_changes_nothing(planned, evidence):
    verdict = judge.judge("run", planned, evidence())

    assert verdict.notes[0] == (
        "the load worker locust-2 was lost 0.0 s after the first shares were given: it ended; "
        "0 of its calls have an unknown outcome, and others sent 1 of its starts"
    )
    assert not verdict.lacking


def test_lines_that_a_killed_writer_tore_are_noted(planned, evidence):
    files = [{"file": "operations-7.jsonl", "bytes": 90, "torn": 1}, {"file": "faults.jsonl", "bytes": 10, "torn": 0}]

    verdict = judge.judge("run", planned, evidence(journals=files))

    _, torn, _ = verdict.notes  # the others are of a lost worker, and of a call that got no answer
    assert torn.startswith("journal/operations-7.jsonl has 1 line that a killed writer tore")
    assert verdict.result == "HOLDS"


def test_every_journal_that_a_run_can_have_is_known(planned, evidence, tmp_path):
    journals = Journals(tmp_path / "journal")
    files = [
        *(journals.operations("locust-7"), journals.attempts("app-9"), journals.turns("sidecar-0")),
        *(journals.faults, journals.points, journals.load, journals.samples),
        tmp_path / "sidecar-0-000001.tap",
    ]

    verdict = judge.judge("run", planned, evidence(journals=[{"file": f.name, "bytes": 9, "torn": 0} for f in files]))

    assert verdict.result == "HOLDS", verdict.reasons


def test_what_a_scenario_expects_does_not_excuse_evidence_that_was_changed(planned, evidence):
    expect = Expectation(violated=("duplicated",), upstream="https://example.org/1")
    made = planned.model_copy(update={"scenario": planned.scenario.model_copy(update={"expect": expect})})
    folder = evidence("forward_duplicated")

    verdict = judge.judge("run", made, folder, ["evidence/effects.parquet"])

    assert verdict.modified == ("evidence/effects.parquet",)
    assert gate.decide(planned, verdict).code is Exit.VIOLATED


def test_tasks_are_counted_whatever_their_number(planned, evidence, only):
    only()

    def body(task, number):
        times = {"started_ns": 1_790_000_000_000_000_000, "ended_ns": 1_790_000_000_001_000_000, "outcome": "ok"}
        attempt = {"attempt_id": f"far-{number}", "instance_id": "far", "activity": "a", "node": "app-0"}
        return attempt | {"task_id": task} | times

    before = judge.judge("run", planned, evidence())

    after = judge.judge("run", planned, evidence(attempts=[body(task, n) for n, task in enumerate([62, 63, 63, 70])]))

    assert after.attempts == before.attempts + 4
    assert after.repeated_attempts == before.repeated_attempts + 1
