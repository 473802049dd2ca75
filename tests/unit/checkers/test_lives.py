"""When an instance lived: one definition, on literal evidence."""

import duckdb
import pytest

from harness.checkers.telling import LIVES, in_force
from harness.evidence import schema


@pytest.fixture(name="lived")
def _lived():
    """Writes the given rows into empty evidence tables, and returns when `i` lived: (begun, ended)."""
    with duckdb.connect() as connection:
        for table in (schema.OPERATIONS, schema.INSTANCES, schema.EFFECTS):
            columns = ", ".join(f'"{column.name}" {column.type}' for column in table.columns)
            connection.execute(f"CREATE TABLE {table.name} ({columns})")

        def lived(**rows):
            for table, of in rows.items():
                for row in of:
                    names = ", ".join(f'"{name}"' for name in row)
                    marks = ", ".join("?" for _ in row)
                    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
            found = connection.execute(LIVES, [["i"]] * 3).fetchall()
            assert [row[0] for row in found] in ([], ["i"])
            return found[0][1:] if found else None

        yield lived


def _call(invoked, completed, outcome="ok", instance="i"):
    return {"instance_id": instance, "invoked_ns": invoked, "completed_ns": completed, "outcome": outcome}


def _instance(created, completed, status="COMPLETED"):
    return {"instance_id": "i", "created_ns": created, "completed_ns": completed, "status": status}


def _effect(at):
    return {"instance_id": "i", "effect": "ship", "at_ns": at}


@pytest.mark.parametrize(
    ("rows", "life"),
    [
        ({}, None),
        ({"operations": [_call(10, 12, instance="other")]}, None),
        ({"operations": [_call(10, 12, "fail")]}, (10, 12)),
        ({"operations": [_call(10, None, "unknown")]}, (10, 10)),
        ({"operations": [_call(10, 12)]}, (10, None)),
        ({"operations": [_call(10, 12), _call(5, 6, "unknown")], "instances": [_instance(11, 20)]}, (5, 20)),
        ({"operations": [_call(10, 30)], "instances": [_instance(11, 20)]}, (10, 30)),
        ({"instances": [_instance(11, None, "RUNNING")], "effects": [_effect(15)]}, (11, None)),
        ({"instances": [_instance(None, None, "PENDING")], "operations": [_call(10, 12)]}, (10, None)),
        ({"instances": [_instance(11, 20)], "effects": [_effect(25)]}, (11, 25)),
        ({"effects": [_effect(15), _effect(9)]}, (9, 15)),
    ],
)
def test_an_instance_lives_from_the_first_to_the_last_that_is_known_of_it(lived, rows, life):
    assert lived(**rows) == life


@pytest.mark.parametrize(
    ("applied", "healed", "meets"),
    [(1, 9, False), (1, 10, True), (15, 16, True), (20, None, True), (21, None, False), (1, None, True)],
)
def test_a_fault_is_met_if_it_was_in_force_in_the_life(applied, healed, meets):
    assert in_force(applied, healed, 10, 20) is meets


def test_a_fault_that_only_the_first_unanswered_call_met_is_met(lived):
    """As it was seen: called at 8.136 s, killed until 8.241 s, begun by the engine at 8.697 s at the second call."""
    begun, ended = lived(
        operations=[_call(8136, 8150, "unknown"), _call(8690, 8699)], instances=[_instance(8697, 9300)]
    )
    assert in_force(6045, 8241, begun, ended)
