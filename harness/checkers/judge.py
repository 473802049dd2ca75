"""
The judge: a plan and the evidence of its run -> a verdict.

It reads only evidence, opens no connection and reads no clock. So the same evidence gives the same verdict, byte for
byte. Evidence that is missing or broken makes findings UNKNOWN. It never stops the judge.
"""

from __future__ import annotations

import math
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from harness.checkers import invariant, recovery, sufficiency, violations
from harness.checkers.database import Database, Opening, Progress, Row, UnansweredError, open_database, silent
from harness.checkers.invariant import Invariant
from harness.checkers.telling import Telling, faults_met, ledgers
from harness.model import FaultFinding, Finding, Origin, Plan, Result, Verdict, Witness, worst

_MOST_WITNESSES = 20

_ENDS = ("completed", "compensated", "rejected", "refused", "never_started", "running")
"""Classes that are no violation, in the order in which they are shown; violations follow by name."""

_OUTCOMES = ("ok", "fail", "unknown")

_CLASSES = """
    SELECT coalesce(kind, 'asked for by nobody') AS kind, class, count(*) AS instances
    FROM classes
    GROUP BY ALL
    ORDER BY ALL
"""
_CALLS = "SELECT outcome, count(*) AS calls FROM operations GROUP BY outcome"
_BODIES = "SELECT coalesce(sum(executions), 0)::BIGINT AS ran, coalesce(sum(tasks), 0)::BIGINT AS tasks FROM bodies"
_OVERLAPS = """
    SELECT count(*) AS overlaps
    FROM (
        SELECT
            started_ns,
            max(ended_ns) OVER (
                PARTITION BY instance_id, task_id
                ORDER BY started_ns, attempt_id
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS before_ns
        FROM attempts
        WHERE instance_id IN (SELECT instance_id FROM bodies WHERE executions > tasks)
    ) AS executions
    WHERE started_ns < before_ns
"""
"""If an execution was cut off, nobody knows when it ended. So it does not count as overlapped by others."""
_TORN = "SELECT file, torn FROM journals WHERE torn > 0 ORDER BY file"


def judge(
    run_name: str,
    plan: Plan,
    evidence: Path,
    modified: Sequence[str] = (),
    *,
    of_target: Path | None = None,
    drafts: Path | None = None,
    keep: Path | None = None,
    progress: Progress = silent,
    opening: Opening = open_database,
) -> Verdict:
    """
    Judge the run called `run_name` that did `plan` and left `evidence`, a folder of Parquet files.

    `modified` names the files that are not as the run left them. Then the verdict says so, and is not HOLDS.
    `of_target` is the folder of the target's invariants; by default it is the one that the plan's target names.
    `drafts` is a folder of the user's invariants, in addition to the general ones and the target's. The folder `keep`
    gets all rows against each invariant, as `<invariant>.parquet`, and replaces what an earlier judging left there. The
    verdict has the first of these rows. `progress` is called for each table that is made and each invariant that is
    examined. `opening` opens the database; the verdict is the same with every database.

    Raises UsageError if `drafts` cannot be used.
    """
    with opening(plan, evidence, progress) as database:
        findings = tuple(_findings(database, of_target or plan.target.invariants, drafts, keep, progress))
        kinds = _kinds(database)
        classes = _classes(kinds)
        faults, thin, missed = _circumstances(database, plan, classes)
        calls = {row["outcome"]: row["calls"] for row in _known(database, _CALLS)}
        bodies = _known(database, _BODIES) or [{"ran": 0, "tasks": 0}]
        overlaps = _known(database, _OVERLAPS) or [{"overlaps": 0}]
        changed = (f"{file} is not as the run left it" for file in modified)
        lacking = (*changed, *database.missing.values(), *thin)
        notes = tuple(_torn(row) for row in _known(database, _TORN))
    return Verdict(
        run=run_name,
        scenario=plan.scenario.name,
        claim=plan.scenario.claim,
        seed=plan.seed,
        result=worst([*(finding.result for finding in findings), *(Result.UNKNOWN for _ in lacking)]),
        reasons=(*_reasons(findings), *lacking),
        lacking=lacking,
        classes=classes,
        kinds=kinds,
        operations={outcome: calls.get(outcome, 0) for outcome in _OUTCOMES},
        attempts=bodies[0]["ran"],
        repeated_attempts=bodies[0]["ran"] - bodies[0]["tasks"],
        overlapping_attempts=overlaps[0]["overlaps"],
        findings=findings,
        faults=faults,
        missed_levels=missed,
        notes=notes,
        modified=tuple(modified),
        expect=plan.scenario.expect,
    )


def _torn(row: Row) -> str:
    lines = "1 line" if row["torn"] == 1 else f"{row['torn']} lines"
    return (
        f"journal/{row['file']} has {lines} that a killed writer tore; what was to be said there is not in the evidence"
    )


def _findings(
    database: Database, of_target: Path | None, drafts: Path | None, keep: Path | None, progress: Progress
) -> Iterator[Finding]:
    """
    What each invariant says: the general ones, the target's own, the user's, each by name.
    """
    start = _known(database, "SELECT load_start_ns FROM run") or [{"load_start_ns": 0}]
    telling = Telling(start[0]["load_start_ns"])
    general, targets, reason = invariant.load(invariant.GENERAL), {}, None
    if of_target is not None:
        try:
            targets = invariant.load(of_target)
        except OSError as error:
            reason = f"the target's invariants cannot be read: {error}"
    users = {} if drafts is None else invariant.load_own(drafts, {*general, *targets})
    if keep is not None:
        shutil.rmtree(keep, ignore_errors=True)
    origins: Mapping[Origin, Mapping[str, str]] = {"general": general, "target": targets, "user": users}
    number = 0
    for origin, texts in origins.items():
        for name, text in texts.items():
            number += 1
            progress(f"invariant {name}", number, len(general) + len(targets) + len(users))
            if origin == "target" and name in general:
                yield _unknown(name, "", "there is a general invariant of that name", origin)
            else:
                yield examine(database, telling, name, text, origin, keep)
    if reason is not None:
        yield _unknown("invariants", "The target's own invariants hold.", reason, "target")


def examine(
    database: Database, telling: Telling, name: str, text: str, origin: Origin, keep: Path | None = None
) -> Finding:
    """
    Return what an invariant finds in this evidence. `name` is its name and `text` the content of its file. If there are
    rows against it, the folder `keep` gets all of them.
    """
    try:
        each = invariant.parse(text)
    except ValueError as error:
        return _unknown(name, "", f"{name}.sql is not an invariant: {error}", origin)
    try:
        examined = int(database.scalar(each.examined))
        rows, count = database.first(each.query, _MOST_WITNESSES)
        witnesses = tuple(_witnesses(database, telling, each, rows))
        if count and keep is not None:
            every = (_witnesses(database, telling, each, batch) for batch in database.batches(each.query))
            violations.write(keep, name, database.types(each.query), chain.from_iterable(every))
    except UnansweredError as error:
        return _unknown(name, each.claim, str(error), origin, each.catches)
    except Exception as error:  # noqa: BLE001 - anybody may have written it, and it must not stop the other invariants
        return _unknown(name, each.claim, f"it returns what it must not: {error}", origin, each.catches)
    if count == 0 and examined == 0:
        return _unknown(name, each.claim, "there was nothing to examine", origin, each.catches)
    doubtful = count > 0 and each.severity == "unknown"
    return Finding(
        name=name,
        claim=each.claim,
        result=Result.HOLDS if count == 0 else Result.UNKNOWN if doubtful else Result.VIOLATED,
        examined=examined,
        violations=count,
        witnesses=witnesses,
        reason=f"the evidence is not what it must be: {witnesses[0].sentence}" if doubtful else None,
        catches=each.catches,
        origin=origin,
    )


def _unknown(name: str, claim: str, reason: str, origin: Origin, catches: tuple[str, ...] = ()) -> Finding:
    return Finding(
        name=name,
        claim=claim,
        result=Result.UNKNOWN,
        examined=0,
        violations=0,
        reason=reason,
        catches=catches,
        origin=origin,
    )


def _witnesses(database: Database, telling: Telling, each: Invariant, rows: Sequence[Row]) -> Iterator[Witness]:
    """
    Raises UnansweredError if the sentence names a column that the query does not return.
    """
    if not rows:
        return
    instances = [row["instance_id"] for row in rows if row.get("instance_id") is not None]
    ledger = ledgers(database, telling, instances)
    met = faults_met(database, telling, instances)
    for row in rows:
        instance = row.get("instance_id")
        full = {
            "layer": each.layer,
            **row,
            "ledger": ledger.get(instance or "", "nothing of it"),
            "during": met.get(instance or ""),
        }
        try:
            sentence = telling.vformat(each.witness, (), full)
        except (KeyError, ValueError, TypeError) as error:
            raise UnansweredError(f"its sentence does not fit its rows: {error}") from error
        if full["during"] is not None:
            sentence += f" In force meanwhile: {full['during']}."
        if full["layer"] != "not decided":
            sentence += f" Layer: {full['layer']}."
        yield Witness(
            instance_id=instance,
            sentence=sentence,
            row={column: _plain(value) for column, value in full.items()},
        )


def _plain(value: Any) -> Any:
    """
    Return a value as JSON can hold it. What JSON does not have (a decimal, a time, NaN, infinity) becomes text.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str | list | dict) else str(value)


def _kinds(database: Database) -> dict[str, dict[str, int]]:
    kinds: dict[str, dict[str, int]] = defaultdict(dict)
    for row in _known(database, _CLASSES):
        kinds[row["kind"]][row["class"]] = row["instances"]
    return dict(kinds)


def _classes(kinds: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    found = {class_ for counts in kinds.values() for class_ in counts}
    order = [*(end for end in _ENDS if end in found), *sorted(found.difference(_ENDS))]
    return {class_: sum(counts.get(class_, 0) for counts in kinds.values()) for class_ in order}


def _circumstances(
    database: Database, plan: Plan, classes: Mapping[str, int]
) -> tuple[tuple[FaultFinding, ...], tuple[str, ...], tuple[str, ...]]:
    """
    What each fault did, what the run lacks, and the service levels that it missed.
    """
    try:
        faults = recovery.findings(database)
        return (
            faults,
            tuple(sufficiency.reasons(database, plan, classes, faults)),
            tuple(sufficiency.missed_levels(database, plan, faults)),
        )
    except UnansweredError as error:
        return (), (f"whether the faults hit and the run was thick enough cannot be told: {error}",), ()


def _reasons(findings: Sequence[Finding]) -> Iterator[str]:
    """
    Return the reasons: first one for each violated invariant, then one for all invariants that are unknown for the same
    reason.
    """
    for finding in findings:
        if finding.result is Result.VIOLATED:
            yield f"{finding.name} is violated {finding.violations} times: {finding.claim}"
    unknown: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        if finding.reason is not None:
            unknown[finding.reason].append(finding.name)
    for reason, names in unknown.items():
        yield f"{', '.join(names)} cannot be told: {reason}"


def _known(database: Database, sql: str) -> list[Row]:
    """
    Return the rows of a query; none if the evidence cannot answer it. In that case a finding says so.
    """
    try:
        return database.rows(sql)
    except UnansweredError:
        return []
