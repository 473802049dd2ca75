"""
What evidence a target offers. An invariant that needs what the target does not offer is not applicable: it is no reason
for UNKNOWN. What a target offers and a run lacks is one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from harness.checkers.database import Database, UnansweredError
from harness.model import NotApplicable, Plan

ACTIVITIES, TAP, ATTEMPTS_FILE, ATTEMPTS = "activities", "tap", "attempts_file", "attempts"
DETERMINISM = "determinism"
REQUESTS, TAKEN, PAUSES, TERMINATES, PURGES = "requests", "taken", "pauses", "terminates", "purges"
READS, CHILDREN, RESTARTS = "reads", "children", "restarts"
EFFECTS, TIMES, COMPENSATIONS, ORDER, BALANCES = "effects", "times", "compensations", "order", "balances"
RETRIES, CALL_IDS, CALLS, UPDATES = "retries", "call_ids", "calls", "updates"
VERSIONS, SHARES = "versions", "shares"

_WORKFLOWS = "SELECT DISTINCT workflow FROM instances WHERE workflow IS NOT NULL ORDER BY workflow"
_ANY_EFFECT = "SELECT count(*) > 0 FROM (SELECT effect FROM effects LIMIT 1) AS first"
_ANY_CHILD = "SELECT count(*) > 0 FROM (SELECT parent_id FROM instances WHERE parent_id IS NOT NULL LIMIT 1) AS first"
_ANY_ACTIVITY = """
    SELECT
        EXISTS (SELECT 1 FROM history WHERE event = 'taskScheduled')
        OR EXISTS (SELECT 1 FROM attempts)
        OR EXISTS (SELECT 1 FROM deliveries)
"""
_ANY_ATTEMPT = "SELECT count(*) > 0 FROM (SELECT attempt_id FROM attempts LIMIT 1) AS first"
_ANY_UPDATE = "SELECT count(*) > 0 FROM (SELECT key FROM updates LIMIT 1) AS first"
_ANY_VERSION = "SELECT count(*) > 0 FROM (SELECT version FROM history WHERE version IS NOT NULL LIMIT 1) AS first"
_ANY_CALL_ID = """
    SELECT
        EXISTS (SELECT 1 FROM history WHERE event = 'taskScheduled' AND call_id IS NOT NULL)
        OR EXISTS (SELECT 1 FROM deliveries WHERE execution_id IS NOT NULL)
"""
"""
The engine hands an activity out with the id that its taskScheduled event has (durabletask-go, `backend/executor.go`,
ExecuteActivity). So if the tap saw one and the history has none, the history was not read as it is.
"""


@dataclass(frozen=True)
class Offer:
    """
    One kind of evidence that a target may offer: what it tells, and how a team gives it.
    """

    tells: str
    give: str


OFFERS: Mapping[str, Offer] = {
    ACTIVITIES: Offer("activities", "a load whose workflows call some, if they do"),
    TAP: Offer("what app and sidecar say to each other", "a run with the tap (docs/tap.md)"),
    ATTEMPTS_FILE: Offer(
        "what an activity says of itself",
        "an attempts file, the sharpest witness, and `attempts: true` in target.yaml (docs/target-contract.md)",
    ),
    ATTEMPTS: Offer("which activities ran", "a run with the tap, or an attempts file"),
    DETERMINISM: Offer(
        "whether the code of a workflow orders the same again",
        "`checks: {determinism: 1.0}` in the scenario, and a run with the tap (docs/tap.md)",
    ),
    REQUESTS: Offer(
        "what clients asked of instances after their start",
        "`requests` in the load of the scenario (docs/writing-a-scenario.md)",
    ),
    TAKEN: Offer(
        "what clients asked that instances take in",
        "`requests` in the load of the scenario that are no purges, gets and starts",
    ),
    PAUSES: Offer("what clients paused", "`{operation: pause}` among the `requests` of the load"),
    TERMINATES: Offer("what clients terminated", "`{operation: terminate}` among the `requests` of the load"),
    PURGES: Offer("what clients purged", "`{operation: purge}` among the `requests` of the load"),
    CHILDREN: Offer("child workflows", "a load that starts a workflow with some"),
    RESTARTS: Offer("what clients started again", "`{operation: start}` among the `requests` of the load"),
    READS: Offer("which statuses clients read", "`{operation: get}` among the `requests` of the load"),
    EFFECTS: Offer(
        "what the outside world kept",
        "`effects` and `ledgers` in target.yaml (a route, a table, documents, or calls to Dapr's API), and a load that "
        "has some",
    ),
    TIMES: Offer("when effects were committed", "times in every ledger (`row: {at: ...}` in target.yaml)"),
    COMPENSATIONS: Offer("what undoes an effect", "the `compensation` of an effect in target.yaml, if it has one"),
    ORDER: Offer("in which order effects come", "a second effect in target.yaml, if there is one"),
    BALANCES: Offer(
        "what numbers are left in the state store", "`balances` in target.yaml, if effects leave only a number"
    ),
    RETRIES: Offer("how activities are tried again", "`retries` in target.yaml"),
    CALLS: Offer(
        "which calls of the application were answered",
        "a ledger that is made of calls, if an effect is one (`observed` or `calls` in target.yaml)",
    ),
    UPDATES: Offer(
        "which documents of the state store are read and then saved",
        "a run with the tap of an application that does so by gRPC, and of whose calls it can be told which execution "
        "makes them (docs/tap.md)",
    ),
    VERSIONS: Offer(
        "as which version of its workflow an instance runs",
        "workflows with named versions (Dapr's versioning of workflows), and a load that starts one",
    ),
    SHARES: Offer("which worker was to send what", "`workers` in the load of the scenario, more than 1"),
    CALL_IDS: Offer(
        "which tries belong to one call", "an SDK that gives all tries of a call one id (taskExecutionId), as Python's"
    ),
}
"""Every kind of evidence that the header `needs` of an invariant can name."""


@dataclass(frozen=True)
class Offered:
    """
    What a run offers: which of `OFFERS`, and the workflows of which there may be instances.
    """

    evidence: frozenset[str]
    workflows: frozenset[str]

    def lacking(self, needs: Collection[str], workflows: Collection[str]) -> tuple[Offer, ...]:
        """
        Return what is not offered of the evidence in `needs`, and of `workflows`, of which one is enough.
        """
        lacking = tuple(OFFERS[need] for need in needs if need not in self.evidence)
        if workflows and self.workflows.isdisjoint(workflows):
            names = " or ".join(workflows)
            lacking += (Offer(f"instances of {names}", f"a load that starts {names} (`load` in the scenario)"),)
        return lacking


def offered(plan: Plan, database: Database) -> Offered:
    """
    Return what a run offers: what its target.yaml and its load declare, and what is there undeclared.
    """
    target = plan.target
    effects = bool(target.effects) and (_has_effects(plan) or _has(database, _ANY_EFFECT, untold=True))
    asked = {request.operation for requests in plan.scenario.load.asked.values() for request in requests}
    undone = effects and any(pair.compensation is not None for pair in target.effects)
    found = {
        ACTIVITIES: bool(plan.activities) or _has(database, _ANY_ACTIVITY, untold=True),
        TAP: plan.tap,
        ATTEMPTS_FILE: target.attempts,
        ATTEMPTS: plan.tap or target.attempts or _has(database, _ANY_ATTEMPT, untold=False),
        DETERMINISM: plan.doubles_turns,
        REQUESTS: bool(asked),
        TAKEN: bool(asked - {"purge", "get", "start"}),
        PAUSES: "pause" in asked,
        TERMINATES: "terminate" in asked,
        PURGES: "purge" in asked,
        READS: "get" in asked,
        RESTARTS: "start" in asked,
        CHILDREN: _has(database, _ANY_CHILD, untold=True),
        SHARES: plan.scenario.load.workers > 1,
        EFFECTS: effects,
        TIMES: all(ledger.row.at is not None for ledger in target.ledgers),
        COMPENSATIONS: undone,
        ORDER: undone or (effects and len(target.effects) > 1),
        BALANCES: bool(target.balances),
        RETRIES: bool(target.retries),
        CALLS: bool(target.called),
        UPDATES: plan.tap and _has(database, _ANY_UPDATE, untold=True),
        CALL_IDS: _has(database, _ANY_CALL_ID, untold=True),
        VERSIONS: _has(database, _ANY_VERSION, untold=True),
    }
    return Offered(
        frozenset(name for name, is_offered in found.items() if is_offered),
        frozenset(plan.workflows).union(_there(database)),
    )


def _has_effects(plan: Plan) -> bool:
    """
    Whether the load may have effects: target.yaml says so of a workflow that it starts, or says it of none at all.
    """
    workflows = plan.target.workflows
    having = {
        name
        for name, of in workflows.items()
        if any(meaning.effects for meaning in of.meanings().values())
        or any(activity.effect is not None for activity in of.activities.values())
    }
    return not having or not having.isdisjoint(plan.workflows)


def _there(database: Database) -> list[str]:
    """
    The workflows of the instances that are there, children included.
    """
    try:
        return [row["workflow"] for row in database.rows(_WORKFLOWS)]
    except UnansweredError:
        return []


def rests_on(offers: Collection[str]) -> tuple[str, ...]:
    """
    Say on which witnesses a verdict rests.
    """
    always = ("what clients were told", "what the engine stored")
    ran = {ATTEMPTS} if ACTIVITIES in offers else set()
    return (*always, *(OFFERS[name].tells for name in (EFFECTS, BALANCES, *ran) if name in offers))


def not_applicable(lacking: Mapping[str, tuple[Offer, ...]]) -> Iterator[NotApplicable]:
    """
    Say what would make invariants applicable. `lacking` maps each to what it needs and is not offered. Those that lack
    the same are told together.
    """
    groups: dict[tuple[Offer, ...], list[str]] = defaultdict(list)
    for name, needs in lacking.items():
        groups[needs].append(name)
    for needs, names in groups.items():
        yield NotApplicable(
            invariants=tuple(names),
            lacking=" and ".join(need.tells for need in needs),
            give="; ".join(need.give for need in needs),
        )


def _has(database: Database, sql: str, *, untold: bool) -> bool:
    """
    Return the answer of a query; `untold` if the evidence does not answer it.
    """
    try:
        return bool(database.scalar(sql))
    except UnansweredError:
        return untold
