"""
What the plan decides of a run and what its target declares, as tables: the arrivals, the faults, which effects there
are and who makes them, where the ledgers are, and what the nodes are called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import duckdb

from harness.evidence.columns import Table
from harness.evidence.schema import OF_BALANCES, OF_CALLS, OF_REQUESTS, OF_SHARES, OF_TAP, TURNS
from harness.load.arrivals import schedule
from harness.model import CalledLedger, Load, Plan, StateLedger, Target
from harness.model.load import Operation

_MOST = 1_000_000
"""Arrivals of a plan. A run has a few thousand."""
_EVENTS: Mapping[Operation, str] = {
    "raiseEvent": "eventRaised",
    "pause": "executionSuspended",
    "resume": "executionResumed",
    "terminate": "executionTerminated",
}
"""
Operation of Dapr's workflow API -> the event of the history that it becomes. A purge leaves no history, a get brings
nothing into it, and a start begins another.
"""
_FIELD = re.compile(r"[A-Za-z_]\w*")
"""A JMESPath that is the name of one field."""


def without(plan: Plan) -> list[Table]:
    """
    Return the tables of evidence that a run of a plan rightly does not have.
    """
    load = plan.scenario.load
    has = (plan.target.balances, plan.target.called, load.asked, load.workers > 1, plan.tap, plan.doubles_turns)
    optional = zip(has, (OF_BALANCES, OF_CALLS, OF_REQUESTS, OF_SHARES, OF_TAP, (TURNS,)), strict=True)
    return [table for is_there, of in optional if not is_there for table in of]


def declare(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, str]:
    """
    Make the tables of what the target declares, and arrivals(number, instance_id, workflow, kind, at_ns, body),
    dues(instance_id, number, operation, name, payload, at_ns, replica), raised(workflow, event, name),
    becomes(operation, event), holds(step, hold_ns), makers(workflow, activity, effect),
    sources(node, prefix, timed, keyed, called), starts(balance, key, began),
    movers(balance, key_field, amount_field, direction), nodes(node),
    outcome_fields(workflow, field) and promised(duration_ns, retries, copies, replicas, by_file).

    Return the name of each that cannot be made -> why.
    """
    target, load = plan.target, plan.scenario.load
    _declare_effects(connection, target)
    _declare_workflows(connection, plan)
    _table(
        connection, "holds(step INTEGER, hold_ns BIGINT)", [(step.step, round(step.hold * 1e9)) for step in plan.steps]
    )
    makers = [
        (workflow, activity, each.effect)
        for workflow, about in target.workflows.items()
        for activity, each in about.activities.items()
    ]
    _table(connection, "makers(workflow VARCHAR, activity VARCHAR, effect VARCHAR)", makers)
    sources = [
        (
            name,
            ledger.prefix if isinstance(ledger, StateLedger) else None,
            ledger.row.at is not None,
            ledger.row.key is not None,
            isinstance(ledger, CalledLedger),
        )
        for ledger, name in zip(target.ledgers, target.sources, strict=True)
    ]
    _table(connection, "sources(node VARCHAR, prefix VARCHAR, timed BOOLEAN, keyed BOOLEAN, called BOOLEAN)", sources)
    numbers = [(name, key, float(balance.start)) for name, balance in target.balances.items() for key in balance.keys]
    _table(connection, "starts(balance VARCHAR, key VARCHAR, began DOUBLE)", numbers)
    movers = [
        (name, balance.key, balance.amount, 1 if balance.moves == "up" else -1)
        for name, balance in target.balances.items()
        if _FIELD.fullmatch(balance.key) and _FIELD.fullmatch(balance.amount)
    ]
    _table(connection, "movers(balance VARCHAR, key_field VARCHAR, amount_field VARCHAR, direction INTEGER)", movers)
    _table(connection, "nodes(node VARCHAR)", [(node,) for node in plan.nodes])
    fields = [
        (workflow, about.outcome)
        for workflow, about in {**target.children, **target.workflows}.items()
        if about.outcome is not None and _FIELD.fullmatch(about.outcome)
    ]
    _table(connection, "outcome_fields(workflow VARCHAR, field VARCHAR)", fields)
    columns = "duration_ns BIGINT, retries BIGINT, copies BIGINT, replicas BIGINT, by_file BOOLEAN"
    promised = [
        (round(load.duration * 1e9), load.retries, plan.copies, plan.scenario.topology.replicas, target.attempts)
    ]
    _table(connection, f"promised({columns})", promised)
    _table(
        connection,
        "raised(workflow VARCHAR, event VARCHAR, name VARCHAR)",
        list(dict.fromkeys(_raised(load))),
    )
    _table(connection, "becomes(operation VARCHAR, event VARCHAR)", list(_EVENTS.items()))
    arrivals = (
        "arrivals(number BIGINT, instance_id VARCHAR, workflow VARCHAR, kind VARCHAR, at_ns BIGINT, body VARCHAR)"
    )
    try:
        planned = list(islice(schedule(load, plan.workflows, plan.seed), _MOST + 1))
    except (ArithmeticError, LookupError, ValueError) as error:
        return dict.fromkeys(("arrivals", "dues"), f"when the plan starts what cannot be told: {error!r}")
    if len(planned) > _MOST:
        return dict.fromkeys(("arrivals", "dues"), f"the plan has more than {_MOST:,} arrivals")
    _table(
        connection,
        arrivals,
        [
            (each.number, each.instance_id, each.workflow, each.kind, round(each.at * 1e9), json.dumps(each.body))
            for each in planned
        ],
    )
    _table(
        connection,
        "dues(instance_id VARCHAR, number INTEGER, operation VARCHAR, name VARCHAR, payload VARCHAR, at_ns BIGINT, "
        "replica BIGINT)",
        [
            (
                *(start.instance_id, each.number, each.operation, each.event, each.payload, round(each.at * 1e9)),
                (start.number + each.number) % plan.scenario.topology.replicas,
            )
            for start in planned
            for each in start.requests
        ],
    )
    return {}


def _raised(load: Load) -> Iterator[tuple[str, str, str | None]]:
    """
    Return (workflow, event in a history, name) of what the requests of a load bring into histories.
    """
    for workflow, requests in load.asked.items():
        for request in requests:
            followed: tuple[Operation, ...] = ("resume",) if request.resume_after else ()
            for operation in (request.operation, *followed):
                if operation in _EVENTS:
                    yield workflow, _EVENTS[operation], request.event


def _declare_effects(connection: duckdb.DuckDBPyConnection, target: Target) -> None:
    """
    Make the tables effect_pairs and effect_names.
    """
    _table(
        connection,
        "effect_pairs(ordinal INTEGER, forward VARCHAR, compensation VARCHAR)",
        [(ordinal, pair.forward, pair.compensation) for ordinal, pair in enumerate(target.effects)],
    )
    _table(
        connection,
        "effect_names(effect VARCHAR, ordinal INTEGER, forward BOOLEAN)",
        [
            row
            for ordinal, pair in enumerate(target.effects)
            for row in ((pair.forward, ordinal, True), (pair.compensation, ordinal, False))
            if row[0] is not None
        ],
    )


def _declare_workflows(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """
    Make the tables outcomes, kinds, answers, ids_by_answer, retries and steps.
    """
    target = plan.target
    bits = {pair.forward: 1 << ordinal for ordinal, pair in enumerate(target.effects)}
    _table(
        connection,
        "outcomes(workflow VARCHAR, status VARCHAR, outcome VARCHAR, ends VARCHAR, calls BIGINT)",
        [
            (workflow, status, outcome, meaning.ends, sum(bits[effect] for effect in set(meaning.effects)))
            for workflow, about in {**target.children, **target.workflows}.items()
            for (status, outcome), meaning in about.meanings().items()
        ],
    )
    wider, started = plan.scenario.checks.ends, plan.scenario.load.shares
    _table(
        connection,
        "kinds(workflow VARCHAR, kind VARCHAR, ends VARCHAR)",
        [
            (workflow, kind, ends)
            for workflow, about in target.workflows.items()
            for kind, of in about.kinds.items()
            for ends in dict.fromkeys((*of.ends, *(wider.get(kind, ()) if workflow in started else ())))
        ],
    )
    _table(
        connection,
        "answers(workflow VARCHAR, status INTEGER, outcome VARCHAR)",
        [
            (workflow, status, outcome)
            for workflow, about in target.workflows.items()
            for outcome, statuses in (("ok", about.start.accepted), ("fail", about.start.refused))
            for status in statuses
        ],
    )
    _table(
        connection,
        "ids_by_answer(workflow VARCHAR)",
        [(workflow,) for workflow, about in target.workflows.items() if about.start.id is not None],
    )
    _table(
        connection,
        "retries(activity VARCHAR, attempts INTEGER, first DOUBLE, backoff DOUBLE, longest DOUBLE)",
        [(name, retry.attempts, retry.first, retry.backoff, retry.max) for name, retry in target.retries.items()],
    )
    # `node` is NULL if the run decides which of `nodes` is hit. `aim` is the point of an aimed fault, in words.
    _table(
        connection,
        "steps(step INTEGER, fault VARCHAR, node VARCHAR, at_ns BIGINT, nodes VARCHAR[], aim VARCHAR)",
        [
            (step.step, step.fault, node, round(step.at * 1e9), list(step.nodes), step.aim and str(step.aim))
            for step in plan.steps
            for node in ((None,) if step.aim is not None and step.aim.own else step.nodes)
        ],
    )


def _table(connection: duckdb.DuckDBPyConnection, schema: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """
    Make a table with these rows. They are handed over column by column, because an INSERT for each takes a millisecond.
    """
    connection.execute(f"CREATE TABLE {schema}")
    name, _, columns = schema.rstrip(")").partition("(")
    types = [column.split()[-1] for column in columns.split(", ")]
    lists = ", ".join(f"unnest(?::{type_}[])" for type_ in types)
    if rows:
        connection.execute(f"INSERT INTO {name} SELECT {lists}", [list(column) for column in zip(*rows, strict=True)])
