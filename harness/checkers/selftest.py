"""
A test of the checker on a run's own evidence. One defect at a time is planted in a copy of the evidence, and the
invariants that name the defect must catch it.

A defect is a change of one row of one table. The row belongs to an instance that completed, to one that was
compensated, or to a start that got no answer. If a run has no such row, the defect cannot be planted. This is reported,
and never counted as caught. A harmless change is planted in the same way but breaks no promise, so no invariant may
find more than before.

The general invariants are tested, or those of a user's folder in place of them. What the file of such an invariant
plants itself (`harness.checkers.plants`) is tried, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import duckdb

from harness.checkers import invariant, plants
from harness.checkers.changing import copied
from harness.checkers.database import Row, UnansweredError, open_database
from harness.checkers.defects import DEFECTS, HARMLESS, Defect
from harness.checkers.examining import examine
from harness.checkers.offers import offered
from harness.checkers.telling import Telling
from harness.errors import EvidenceError
from harness.evidence.columns import Table
from harness.evidence.tables import path
from harness.model import Plan, Planted

_VICTIMS = """
    WITH started AS (
        SELECT
            *,
            coalesce(client, 'canary') = 'canary' AS unplanned,
            instance_id IN (SELECT instance_id FROM attempts WHERE outcome IS DISTINCT FROM 'ok') AS uneven
        FROM classes
    ), victim AS (
        SELECT
            (
                SELECT instance_id
                FROM started
                WHERE class = 'completed' AND told = 'accepted' AND starts = 1
                ORDER BY unplanned, generation > 1, outcome IS NULL, forwards = 0, uneven, instance_id
                LIMIT 1
            ) AS completed,
            (
                SELECT instance_id
                FROM started
                WHERE class = 'compensated'
                ORDER BY unplanned, generation > 1, starts > 1, forwards DESC, instance_id
                LIMIT 1
            ) AS compensated,
            (SELECT min(instance_id) FROM classes WHERE class = 'rejected') AS rejected
    ), pair AS (
        SELECT pairs.ordinal
        FROM pairs, victim
        WHERE pairs.instance_id = victim.compensated AND pairs.compensations > 0
        ORDER BY pairs.ordinal
        LIMIT 1
    )
    SELECT
        victim.*,
        (SELECT created_ns FROM classes WHERE instance_id = victim.completed) AS began_ns,
        (SELECT completed_ns FROM classes WHERE instance_id = victim.completed) AS ended_ns,
        (SELECT outcome FROM classes WHERE instance_id = victim.completed) AS completing,
        (SELECT outcome FROM classes WHERE instance_id = victim.rejected) AS rejecting,
        (SELECT forward FROM effect_pairs JOIN pair USING (ordinal)) AS forward,
        (SELECT compensation FROM effect_pairs JOIN pair USING (ordinal)) AS compensation
    FROM victim
"""
"""
The rows that are changed, and the names that conditions may use: the ids of instances, when the completed one began and
ended, the outcomes of the completed and of the rejected one, and an effect pair. The instances are those in which most
can be seen: started by the plan (no canary, no child), in their first generation (so with their whole history), with a
word for their end and effects, and no body that failed.
"""

_VICTIM_TYPES = {
    "completed": "VARCHAR",
    "compensated": "VARCHAR",
    "rejected": "VARCHAR",
    "began_ns": "BIGINT",
    "ended_ns": "BIGINT",
    "completing": "VARCHAR",
    "rejecting": "VARCHAR",
    "forward": "VARCHAR",
    "compensation": "VARCHAR",
}


def unanswered(plan: Plan, evidence: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """
    Return why invariants (name -> text) cannot be told on this evidence as it is: those can catch nothing in it.
    """
    with open_database(plan, evidence, None) as database:
        telling = Telling(0)
        findings = [examine(database, telling, name, text, "user") for name, text in texts.items()]
    return {finding.name: finding.reason for finding in findings if finding.reason is not None}


def tried(plan: Plan, evidence: Path, texts: Mapping[str, str] | None = None) -> Iterator[Planted]:
    """
    Plant one defect after the other in copies of `evidence`, a folder of Parquet files, and return for each which of
    the applicable invariants that name it caught it; a defect that none of them names is not planted. Then plant the
    harmless changes, and return for each which of these invariants raised an alarm. `texts` (name -> text) are the
    invariants that are tried, by default the general ones.

    The evidence itself is not changed. Raises EvidenceError if it lacks the data that the defects need; ValueError if a
    change that an invariant plants itself fails.
    """
    with copied(plan, evidence) as copy, duckdb.connect() as writer:
        database = copy.database
        try:
            (victims,) = database.rows(_VICTIMS)
            telling = Telling(database.scalar("SELECT load_start_ns FROM run"))
        except UnansweredError as error:
            raise EvidenceError(f"the self-test needs evidence that is whole: {error}") from error
        offers, every = offered(plan, database), invariant.load(invariant.GENERAL) if texts is None else texts
        texts = {name: text for name, text in every.items() if not invariant.unoffered(text, offers)}
        parsed = {name: invariant.parse(text) for name, text in texts.items()}
        catches = {name: each.catches for name, each in parsed.items()}
        before = {name: examine(database, telling, name, text, "general").violations for name, text in texts.items()}

        def more(names: Collection[str], table: Table) -> tuple[str, ...]:
            with copy.changed([table]):
                findings = [
                    examine(database, telling, name, texts[name], "general")
                    for name in names
                    if copy.concerns(parsed[name], [table])
                ]
            return tuple(finding.name for finding in findings if finding.violations > before[finding.name])

        for name, defect in {**DEFECTS, **HARMLESS}.items():
            expected = () if name in HARMLESS else naming(name, catches)
            tells = name in HARMLESS or bool(expected)  # what nobody here can see is not planted
            planted = tells and _plant(writer, defect, evidence, copy.folder, victims)
            asked = expected or sorted(texts.keys() - set(defect.seen_by))
            yield Planted(
                defect=name,
                table=defect.table.name,
                harmless=name in HARMLESS,
                expected=expected,
                planted=planted,
                caught=more(asked, defect.table) if planted else (),
            )
        for name, each in parsed.items():
            for number, plant in enumerate(each.plants, 1):
                planted = plants.make(plant, evidence, copy.folder)
                yield Planted(
                    defect=f"planted by {name}" + (f" ({number})" if len(each.plants) > 1 else ""),
                    table=plant.table.name,
                    expected=(name,),
                    planted=planted,
                    caught=more((name,), plant.table) if planted else (),
                )


def naming(defect: str, catches: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """
    Return the invariants that name a defect. `catches` maps an invariant to the defects that it names.
    """
    return tuple(sorted(name for name, defects in catches.items() if defect.partition("/")[0] in defects))


def _plant(connection: duckdb.DuckDBPyConnection, defect: Defect, evidence: Path, copy: Path, victims: Row) -> bool:
    """
    Write the table of `evidence` with the defect to `copy`, by means of any connection. Return False, and write
    nothing, if there is no row for it.
    """
    if not path(evidence, defect.table).is_file():
        return False
    rows = connection.read_parquet(str(path(evidence, defect.table)), file_row_number=True)
    source = rows
    if defect.of is not None:
        source = connection.read_parquet(str(path(evidence, defect.of)), file_row_number=True)
    about = [duckdb.ConstantExpression(victims[name]).cast(type_).alias(name) for name, type_ in _VICTIM_TYPES.items()]
    with_victims = source.select(duckdb.StarExpression(), *about)
    lines = with_victims.select(f"file_row_number AS line, {defect.about} AS meant").filter("meant")
    first = lines.order("line").limit(1).fetchall()
    if not first:
        return False
    line = first[0][0]
    types = dict(zip(rows.columns, rows.types, strict=True))
    del types["file_row_number"]
    kept = ", ".join(f'"{name}"' for name in types)
    as_it_is = {name: name if defect.of is None else "NULL" for name in types}
    new = {**as_it_is, **defect.new}
    changed = ", ".join(f'CAST({new[name]} AS {types[name]}) AS "{name}"' for name in types)
    parts = [rows.select(kept) if defect.of else rows.filter(f"file_row_number <> {line}").select(kept)]
    if defect.twice:
        parts.append(rows.filter(f"file_row_number = {line}").select(kept))
    if not defect.gone:
        parts.append(with_victims.filter(f"file_row_number = {line}").select(changed))
    together = parts[0]
    for part in parts[1:]:
        together = together.union(part)
    together.write_parquet(str(path(copy, defect.table)))
    return True
