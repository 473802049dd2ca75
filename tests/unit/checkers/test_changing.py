"""A copy of the evidence is read again where it is changed, and is as before when the change is over."""

import shutil

import pytest

from harness.checkers import changing, invariant
from harness.checkers.database import UnansweredError
from harness.evidence import schema, tables
from tests.builders.evidence import write_evidence
from tests.builders.literal import sound


def written(folder):
    return write_evidence(folder, sound())


CLASSES = "SELECT class, count(*) AS instances FROM classes GROUP BY class ORDER BY class"


@pytest.mark.parametrize("held", [0, 1_000_000])
def test_what_is_changed_is_read_and_derived_again_and_then_as_it_was(planned, tmp_path, monkeypatch, held):
    monkeypatch.setattr(changing, "HELD", held)
    evidence = written(tmp_path / "evidence")
    fewer = [row for row in sound()["effects"] if row["instance_id"] != "a"]

    with changing.copied(planned, evidence) as copy:
        before = copy.database.rows(CLASSES)
        tables.write(copy.folder, schema.EFFECTS, fewer)
        with copy.changed([schema.EFFECTS]):
            now = copy.database.rows(CLASSES)
            count = copy.database.scalar("SELECT count(*) FROM effects")
        after = copy.database.rows(CLASSES)

    assert {"class": "lost", "instances": 1} in now
    assert count == len(fewer)
    assert after == before != now


def test_a_table_that_cannot_be_read_while_it_is_changed_can_be_read_again(planned, tmp_path):
    evidence = written(tmp_path / "evidence")

    with changing.copied(planned, evidence) as copy:
        shutil.copy(evidence / "phases.parquet", copy.folder / "effects.parquet")
        with copy.changed([schema.EFFECTS]), pytest.raises(UnansweredError, match=r"effects\.parquet is not as"):
            copy.database.rows(CLASSES)
        assert copy.database.rows(CLASSES)


def test_an_invariant_is_concerned_by_what_it_reads_and_by_that_from_which_this_is_made(planned, tmp_path):
    lost = invariant.parse(invariant.load(invariant.GENERAL)["lost"])

    with changing.copied(planned, written(tmp_path / "evidence")) as copy:
        assert copy.concerns(lost, [schema.EFFECTS]), "it reads the table of the classes, which are made of them"
        assert not copy.concerns(lost, [schema.SAMPLES])
