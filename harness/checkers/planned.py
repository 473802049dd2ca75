"""
What the plan decides of a run, as tables: the arrivals, how long each fault is held, who makes which effect, where the
ledgers are, and what the nodes are called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

import duckdb

from harness.evidence.columns import Table
from harness.evidence.schema import OF_BALANCES, OF_CALLS, OF_TAP, TURNS
from harness.load.arrivals import schedule
from harness.model import CalledLedger, Plan, StateLedger

_MOST = 1_000_000
"""Arrivals of a plan. A run has a few thousand."""
_FIELD = re.compile(r"[A-Za-z_]\w*")
"""A JMESPath that is the name of one field."""


def without(plan: Plan) -> list[Table]:
    """
    Return the tables of evidence that a run of a plan rightly does not have.
    """
    has = (plan.target.balances, plan.target.called, plan.tap, plan.doubles_turns)
    optional = zip(has, (OF_BALANCES, OF_CALLS, OF_TAP, (TURNS,)), strict=True)
    return [table for is_there, of in optional if not is_there for table in of]


def declare(connection: duckdb.DuckDBPyConnection, plan: Plan) -> dict[str, str]:
    """
    Make the tables arrivals(number, instance_id, kind, at_ns, body), holds(step, hold_ns), makers(workflow, activity,
    effect), sources(node, prefix, timed, keyed, called), starts(balance, key, began), movers(balance, key_field,
    amount_field, direction), nodes(node), outcome_fields(workflow, field) and promised(duration_ns, retries, copies,
    replicas).

    Return the name of each that cannot be made -> why.
    """
    target, load = plan.target, plan.scenario.load
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
    promised = [(round(load.duration * 1e9), load.retries, plan.copies, plan.scenario.topology.replicas)]
    _table(connection, "promised(duration_ns BIGINT, retries BIGINT, copies BIGINT, replicas BIGINT)", promised)
    arrivals = "arrivals(number BIGINT, instance_id VARCHAR, kind VARCHAR, at_ns BIGINT, body VARCHAR)"
    try:
        planned = list(islice(schedule(load, plan.workflow, plan.seed), _MOST + 1))
    except (ArithmeticError, LookupError, ValueError) as error:
        return {"arrivals": f"when the plan starts what cannot be told: {error!r}"}
    if len(planned) > _MOST:
        return {"arrivals": f"the plan has more than {_MOST:,} arrivals"}
    _table(
        connection,
        arrivals,
        [(each.number, each.instance_id, each.kind, round(each.at * 1e9), json.dumps(each.body)) for each in planned],
    )
    return {}


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
