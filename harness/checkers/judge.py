"""
The judge: a plan and the evidence of its run -> a verdict.

It reads evidence alone, opens no connection, looks at no clock: the same evidence gives the same verdict, byte
for byte. Evidence that is missing or broken makes findings UNKNOWN; it never stops the judge.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from harness.checkers import invariant, levels, recovery, sufficiency
from harness.checkers.costs import costs
from harness.checkers.database import Database, Opening, Progress, Row, UnansweredError, open_database, silent
from harness.checkers.examining import examine, unknown
from harness.checkers.known import Explanations, KnownFinding
from harness.checkers.latencies import latencies
from harness.checkers.offers import Offer, Offered, not_applicable, offered, rests_on
from harness.checkers.telling import Telling
from harness.checkers.together import together
from harness.model import FaultFinding, Finding, Origin, Plan, Result, Verdict, worst
from harness.tap.record import SUFFIX

_ENDS = (
    *("completed", "compensated", "rejected", "refused", "terminated", "purged", "paused"),
    *("never_started", "running", "undeclared"),
)
"""Classes that are no violation, in the order in which they are shown; violations follow by name."""

_OUTCOMES = ("ok", "fail", "unknown")

_CLASSES = """
    SELECT
        coalesce(classes.asked_workflow, children.workflow || ', as a child', 'asked for by nobody') AS workflow,
        coalesce(classes.kind, children.kind, 'asked for by nobody') AS kind,
        classes.class,
        count(*) AS instances
    FROM classes
    LEFT JOIN (
        SELECT instance_id, workflow, 'child workflow' AS kind
        FROM instances
        WHERE parent_id IS NOT NULL
    ) AS children ON children.instance_id = classes.instance_id
    GROUP BY ALL
    ORDER BY ALL
"""
_CALLS = "SELECT outcome, count(*) AS calls FROM operations GROUP BY outcome"
_BODIES = """
    SELECT
        coalesce(sum(bodies.executions), 0)::BIGINT AS ran,
        coalesce(
            sum(CASE WHEN instances.generation > 1 THEN bodies.executions ELSE bodies.tasks END), 0
        )::BIGINT AS tasks
    FROM bodies
    LEFT JOIN instances ON instances.instance_id = bodies.instance_id
"""
"""Each generation numbers its tasks anew, so of an instance with several nobody knows which bodies repeat one."""
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
"""Of an execution that was cut off nobody knows when it ended: it is not counted as one that others overlapped."""
_SETTLED = """
    SELECT source, count(*) AS calls, count_if(kept) AS kept
    FROM unanswered
    WHERE kept IS NOT NULL
    GROUP BY source
    ORDER BY source
"""
_LOST = """
    SELECT
        workers.client,
        workers.why,
        (workers.lost_ns - (SELECT min(given_ns) FROM shares)) / 1e9 AS at,
        (SELECT count(*) FROM shares WHERE shares.lost = workers.client) AS taken,
        (
            SELECT count(*)
            FROM operations
            WHERE operations.client = workers.client AND operations.completed_ns IS NULL
        ) AS open
    FROM workers
    WHERE workers.lost_ns IS NOT NULL
    ORDER BY workers.lost_ns
"""
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
    known: Mapping[str, KnownFinding] = MappingProxyType({}),
    progress: Progress = silent,
    opening: Opening = open_database,
) -> Verdict:
    """
    Judge the run called `run_name` that did `plan` and left `evidence`, a folder of Parquet files.

    `modified` names the files that are not as the run left them: the verdict says so, and is not HOLDS. `of_target` is
    the folder of the target's invariants, by default where the plan's target has them. `drafts` is a folder of the
    user's invariants, besides the general ones and the target's. The folder `keep` gets all rows of each invariant that
    has any, as `<invariant>.parquet`, in place of what an earlier judging left there; a verdict holds the first of
    them. `known` are the known findings that may explain such rows. `progress` is told each table that is made and each
    invariant that is examined. `opening` opens the database; the verdict is the same with each.

    Raises UsageError if `drafts` cannot be used.
    """
    with opening(plan, evidence, progress) as database:
        start = _answered(database, "SELECT load_start_ns FROM run") or [{"load_start_ns": 0}]
        telling = Telling(start[0]["load_start_ns"])
        explanations = Explanations(database, known.values(), plan.dapr_version, telling)
        of_target = of_target or plan.target.invariants
        offers = offered(plan, database)
        lacking_offers: dict[str, tuple[Offer, ...]] = {}
        findings = []
        users = {} if drafts is None else _users(drafts, plan, of_target)
        for unoffered, finding in _findings(database, telling, explanations, offers, of_target, users, keep, progress):
            # What contradicts a claim counts, whatever the target says that it offers.
            if unoffered and finding.result is not Result.VIOLATED:
                lacking_offers[finding.name] = unoffered
            else:
                findings.append(finding)
        met = explanations.met()
        counted = _answered(database, _CLASSES)
        kinds = _counts(counted, "kind")
        classes = _classes(kinds)
        taken = costs(database, plan)
        waited = latencies(database, plan)
        faults, thin, missed = _circumstances(database, plan, classes)
        calls = {row["outcome"]: row["calls"] for row in _answered(database, _CALLS)}
        bodies = _answered(database, _BODIES) or [{"ran": 0, "tasks": 0}]
        overlaps = _answered(database, _OVERLAPS) or [{"overlaps": 0}]
        changed = (f"{file} is not as the run left it" for file in modified)
        lacking = (*changed, *database.missing.values(), *thin)
        notes = (
            *(_lost(row) for row in _answered(database, _LOST)),
            *(_torn(row) for row in _answered(database, _TORN)),
            *(_settled(row) for row in _answered(database, _SETTLED)),
            *explanations.problems,
        )
    return Verdict(
        version=1,
        run=run_name,
        scenario=plan.scenario.name,
        claim=plan.scenario.claim,
        seed=plan.seed,
        result=worst([*(finding.result for finding in findings), *(Result.UNKNOWN for _ in lacking)]),
        reasons=(*_violated(findings), *lacking, *_unknown(findings)),
        lacking=lacking,
        classes=classes,
        kinds=kinds,
        workflows=_counts(counted, "workflow"),
        costs=taken,
        latencies=waited,
        operations={outcome: calls.get(outcome, 0) for outcome in _OUTCOMES},
        attempts=bodies[0]["ran"],
        repeated_attempts=bodies[0]["ran"] - bodies[0]["tasks"],
        overlapping_attempts=overlaps[0]["overlaps"],
        rests_on=rests_on(offers.evidence),
        findings=tuple(findings),
        not_applicable=tuple(not_applicable(lacking_offers)),
        faults=faults,
        missed_levels=missed,
        notes=notes,
        modified=tuple(modified),
        known=met,
        expect=plan.scenario.expect,
    )


def _lost(row: Row) -> str:
    return (
        f"the load worker {row['client']} was lost {row['at']:.1f} s after the first shares were given: {row['why']}; "
        f"{row['open']} of its calls have an unknown outcome, and others sent {row['taken']} of its starts"
    )


def _torn(row: Row) -> str:
    if row["file"].endswith(SUFFIX):
        return f"the last chunk of taps/{row['file']} was torn with its tap; nobody but the tap had got it"
    lines = "1 line" if row["torn"] == 1 else f"{row['torn']} lines"
    return (
        f"journal/{row['file']} has {lines} that a killed writer tore; what was to be said there is not in the evidence"
    )


def _settled(row: Row) -> str:
    calls = "1 effect of a call" if row["calls"] == 1 else f"{row['calls']} effects of calls"
    return (
        f"{calls} in {row['source']} got no answer; the ledger that settles them has {row['kept']} of them, so "
        f"{row['calls'] - row['kept']} did not happen"
    )


def _users(drafts: Path, plan: Plan, of_target: Path | None) -> dict[str, str]:
    """
    The user's invariants. Raises UsageError if they cannot be used.
    """
    taken = set(invariant.load(invariant.GENERAL))
    if of_target is not None:
        with suppress(OSError):  # the verdict says that these cannot be read
            taken |= invariant.load(of_target).keys()
    return invariant.load_own(drafts, taken, plan.target.defects)


def _findings(
    database: Database,
    telling: Telling,
    explanations: Explanations,
    offers: Offered,
    of_target: Path | None,
    users: Mapping[str, str],
    keep: Path | None,
    progress: Progress,
) -> Iterator[tuple[tuple[Offer, ...], Finding]]:
    """
    What each invariant needs and is not offered, and what it says: the general ones, the target's own, the user's, each
    by name. One that cannot contradict a claim is not examined if it is not offered what it needs.
    """
    general, targets, reason = invariant.load(invariant.GENERAL), {}, None
    if of_target is not None:
        try:
            targets = invariant.load(of_target)
        except OSError as error:
            reason = f"the target's invariants cannot be read: {error}"
    if keep is not None:
        shutil.rmtree(keep, ignore_errors=True)
    origins: Mapping[Origin, Mapping[str, str]] = {"general": general, "target": targets, "user": users}

    every = [
        (origin, name, text, invariant.unoffered(text, offers))
        for origin, texts in origins.items()
        for name, text in texts.items()
    ]

    def finding(origin: Origin, name: str, text: str, unoffered: tuple[Offer, ...], asked: Database) -> Finding:
        if origin == "target" and name in general:
            return unknown(name, "", "there is a general invariant of that name", origin)
        if unoffered and invariant.parse(text).severity == "unknown":
            return unknown(name, "", "it is not applicable", origin)
        return examine(asked, telling, name, text, origin, keep, explanations)

    answers = together(database, [partial(finding, *each) for each in every])
    for number, (origin, name, _, unoffered) in enumerate(every, 1):
        progress(f"invariant {name}", number, len(every))
        yield () if origin == "target" and name in general else unoffered, next(answers)
    if reason is not None:
        yield (), unknown("invariants", "The target's own invariants hold.", reason, "target")


def _counts(counted: Iterable[Row], column: str) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in counted:
        counts[row[column]][row["class"]] += row["instances"]
    return {value: dict(of) for value, of in counts.items()}


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
            tuple(levels.missed(database, plan, faults)),
        )
    except (UnansweredError, ValidationError) as error:
        why = (
            f"a row of the faults is none: {error.errors()[0]['msg']}" if isinstance(error, ValidationError) else error
        )
        return (), (f"whether the faults hit and the run was thick enough cannot be told: {why}",), ()


def _violated(findings: Sequence[Finding]) -> Iterator[str]:
    for finding in findings:
        if finding.result is Result.VIOLATED:
            times = "once" if finding.violations == 1 else f"{finding.violations} times"
            yield f"{finding.name} is violated {times}{_how_explained(finding)}: {finding.claim}"


def _unknown(findings: Sequence[Finding]) -> Iterator[str]:
    """
    Those of one reason in one sentence.
    """
    names: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        if finding.reason is not None:
            names[finding.reason].append(finding.name)
    for reason, of_reason in names.items():
        yield f"{', '.join(of_reason)} cannot be told: {reason}"


def _how_explained(finding: Finding) -> str:
    if not finding.explained:
        return ""
    rows = "all" if not finding.unexplained else f"{finding.explained}"
    return f" ({rows} explained by known findings)"


def _answered(database: Database, sql: str) -> list[Row]:
    """
    The rows of a query; none if the evidence does not answer it (which a finding says then).
    """
    try:
        return database.rows(sql)
    except UnansweredError:
        return []
