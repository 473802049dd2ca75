"""
What each witness has of a few instances: a look at a target before the first real run of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness import names
from harness.checkers.database import Database, Parameters, Row, UnansweredError
from harness.checkers.offers import ATTEMPTS, EFFECTS, OFFERS, offered
from harness.model import Ending, Plan

_CLIENTS = "SELECT count_if(told = 'accepted') AS accepted, count(*) AS asked FROM calls"
_ENGINE = (
    "SELECT instance_id, workflow, status, outcome, output, root_id FROM instances ORDER BY created_ns, instance_id "
    "LIMIT 3"
)
_COUNTED = {
    ATTEMPTS: "SELECT activity AS name, count(*) AS times FROM attempts GROUP BY activity ORDER BY activity",
    EFFECTS: "SELECT effect AS name, count(*) AS times FROM effects GROUP BY effect ORDER BY effect",
}
_EXECUTED = """
    SELECT activity AS name, count(*) AS times FROM attempts WHERE regexp_full_match(node, $app) GROUP BY activity
    UNION ALL
    SELECT 'turns of workflows', count(*) FROM turns WHERE regexp_full_match(node, $sidecar) HAVING count(*) > 0
    ORDER BY name
"""
_NAMES = {ATTEMPTS: "activities", EFFECTS: "outside world"}
_SHOWN = 80


@dataclass(frozen=True)
class Seen:
    """
    One witness, and what it has, in words. `sees` is None if the target does not offer this witness.
    """

    witness: str
    sees: bool | None
    told: str


def witnesses(plan: Plan, database: Database) -> Iterator[Seen]:
    """
    Return what each witness has of the run. A witness that cannot be asked sees nothing.
    """
    yield _clients(database)
    yield _engine(plan, database)
    for application in plan.target.apps:
        yield _application(application, database)
    offers = offered(plan, database).evidence
    for offer, sql in _COUNTED.items():
        if offer not in offers:
            yield Seen(_NAMES[offer], None, f"not offered: nothing tells {OFFERS[offer].tells}")
            continue
        rows, problem = _rows(database, sql)
        found = ", ".join(f"{row['name']} {row['times']}" for row in rows)
        yield Seen(_NAMES[offer], bool(rows), problem or found or "nothing of these instances")


def _clients(database: Database) -> Seen:
    rows, problem = _rows(database, _CLIENTS)
    asked, accepted = (rows[0]["asked"], rows[0]["accepted"]) if rows else (0, 0)
    told = f"{asked} starts were sent, and {accepted} were accepted"
    return Seen("clients", problem is None and asked == accepted > 0, problem or told)


def _engine(plan: Plan, database: Database) -> Seen:
    rows, problem = _rows(database, _ENGINE)
    told, known = [], True
    for row in rows:
        ending = plan.target.ending(row["workflow"]) or (Ending() if row["root_id"] is not None else None)
        meaning = ending.meaning(row["status"], row["outcome"]) if ending is not None else None
        known &= meaning is not None
        output = f"with the output {row['output'][:_SHOWN]}" if row["output"] else "without an output"
        means = f"which means {meaning.ends}" if meaning is not None else "which target.yaml does not declare"
        child = f", a child of {row['root_id']}," if row["root_id"] is not None else ""
        told.append(f"{row['instance_id']}{child} is {row['status']} {output}, {means}")
    return Seen("engine", bool(rows) and known, problem or "; ".join(told) or "no instance at all")


def _application(application: str, database: Database) -> Seen:
    """
    Say what a further application executed. No client reaches it, so what the others call says whether it takes part.
    """
    own = {"app": rf"{names.APP}-{application}-\d+", "sidecar": rf"{names.SIDECAR}-{application}-\d+"}
    rows, problem = _rows(database, _EXECUTED, own)
    executed = ", ".join(f"{row['name']} {row['times']}" for row in rows)
    return Seen(
        application, bool(rows), problem or executed or "an application that executed nothing of these instances"
    )


def _rows(database: Database, sql: str, parameters: Parameters = ()) -> tuple[Sequence[Row], str | None]:
    """
    Return the rows of a query, and why there are none if it cannot be answered.
    """
    try:
        return database.rows(sql, parameters), None
    except UnansweredError as error:
        return (), str(error)
