"""
What one run shows of the capacity of its system, from its evidence alone: throughput, latency, and who used the CPU.

Latencies count from the time at which a start was due, so a client that is held up hides nothing (G. Tene's
"coordinated omission"). Percentiles are discrete and exact. The begin of the load is left out, since at first nothing
can end.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness import names
from harness.capacity.result import Machine, Measured, Percentiles, Used
from harness.checkers.database import Database, Row, UnansweredError, connected, derived
from harness.model import Plan
from harness.names import Store
from harness.rundir import RunDir

_WARM_UP = 5.0
_LARGEST_WARM_UP = 0.25
"""Of the load."""
FULL = 90.0
"""Percent of one core, or of all cores of the machine: from here on it is called full."""
_FOLLOWS = 0.9
_LEAST_BEHIND = 10
"""The system keeps up if it ends nine of ten instances that are due; of so few it cannot be told."""
_MOST_UNANSWERED = 0.05
_MOST_TOLD = 3
_LITTLE = 10.0
"""Percent of one core: less is not told."""
_FOREVER = 9e9
"""Seconds: what counts as infinitely slow."""

_WINDOW = "SELECT load_start_ns + $warm_ns AS from_ns, load_start_ns + $load_ns AS until_ns FROM run"
_STARTS = """
    SELECT
        instance_id,
        min(intended_ns) AS due_ns,
        min(invoked_ns) AS sent_ns,
        min(completed_ns) FILTER (outcome = 'ok') AS accepted_ns,
        bool_and(outcome = 'fail') AS refused
    FROM operations
    WHERE client <> 'canary'
    GROUP BY instance_id
"""
_LOAD = f"""
    WITH span AS ({_WINDOW}), seen AS (
        SELECT
            starts.*,
            instances.completed_ns,
            due_ns >= from_ns AND due_ns < until_ns AS is_due,
            completed_ns >= from_ns AND completed_ns < until_ns AS has_ended
        FROM ({_STARTS}) AS starts LEFT JOIN instances USING (instance_id), span
    )
    SELECT
        count_if(is_due) AS due,
        count_if(has_ended) AS ended,
        quantile_disc(coalesce(completed_ns - due_ns, 9000000000000000000), 0.5) FILTER (is_due AND NOT refused) / 1e9
            AS p50,
        quantile_disc(coalesce(completed_ns - due_ns, 9000000000000000000), 0.99) FILTER (is_due AND NOT refused) / 1e9
            AS p99,
        count_if(is_due AND accepted_ns IS NULL AND NOT refused) AS unanswered,
        quantile_disc(sent_ns - due_ns, 0.99) FILTER (is_due) / 1e9 AS late
    FROM seen
"""  # noqa: S608 - a constant
_USED = f"""
    SELECT node, metric, avg(value) AS mean
    FROM samples, ({_WINDOW}) AS span
    WHERE at_ns >= from_ns AND at_ns < until_ns AND metric IN ('cpu_percent', 'cores', 'iowait_percent')
    GROUP BY node, metric
    ORDER BY mean DESC, node
"""  # noqa: S608 - a constant


def warm_up(duration: float) -> float:
    """
    Return how many seconds at the begin of a load of `duration` seconds are not measured.
    """
    return min(_WARM_UP, _LARGEST_WARM_UP * duration)


def read(folder: RunDir, plan: Plan) -> Measured:
    """
    Return what was measured in a run. Raises EvidenceError if its evidence cannot be read.
    """
    with connected(plan, folder.evidence) as (connection, missing):
        database = Database(connection, missing)
        database.derive({"run": derived()["run"]})
        return of(database, plan.scenario.load.duration)


def of(database: Database, duration: float) -> Measured:
    """
    Return what was measured in a run whose load lasts `duration` seconds. The database has the derived table `run`.
    """
    warm = warm_up(duration)
    span = {"warm_ns": round(warm * 1e9), "load_ns": round(duration * 1e9)}
    load = next(iter(_rows(database, _LOAD, span)), {})
    due, ended = load.get("due") or 0, load.get("ended") or 0
    cpu, machine = _used(_rows(database, _USED, span))
    seconds = duration - warm
    told = due > 0 and seconds > 0
    return Measured(
        offered=due / seconds if told else None,
        throughput=ended / seconds if told else None,
        behind=due - ended if told else None,
        end=Percentiles(p50=_finite(load["p50"]), p99=_finite(load["p99"])) if told else None,
        unanswered=load["unanswered"] / due if told else None,
        late=load["late"] if told else None,
        used=cpu,
        machine=machine,
    )


def saturated(measured: Measured) -> tuple[str, ...]:
    """
    Return in plain sentences why the system did not keep up with the rate; nothing if it did.
    """
    found = []
    if measured.offered is None or measured.throughput is None or measured.behind is None:
        return ()
    if measured.throughput < _FOLLOWS * measured.offered and measured.behind >= _LEAST_BEHIND:
        found.append(
            f"throughput no longer follows the rate: {measured.throughput:.1f} of {measured.offered:.1f} instances/s "
            "ended"
        )
    if measured.unanswered is not None and measured.unanswered > _MOST_UNANSWERED:
        found.append(f"clients got no clear answer to {100 * measured.unanswered:.0f} % of the starts")
    return tuple(found)


def exhausted(measured: Measured) -> str:
    """
    Return in a plain sentence what was full: nodes that used 90 % of a core or more, the machine; or that nothing was.
    """
    machine = measured.machine
    full = [_named(each) for each in measured.used if each.cpu_percent >= FULL]
    if machine is not None and machine.cpu_percent >= FULL * machine.cores:
        share = machine.cpu_percent / machine.cores
        whole = f"the machine: its {machine.cores} cores were {share:.0f} % busy ({_busiest(measured)})"
        return "; ".join((whole, *full))
    if full:
        return "; ".join(full)
    if not measured.used:
        return "not told: there are no samples of this time"
    waited = "" if machine is None else f"; cores waited for a disk for {machine.iowait_percent:.0f} % of one core"
    return (
        "nothing was full: the wait is elsewhere (a disk, a lock, a limit of concurrent work); the busiest were "
        f"{_busiest(measured)}{waited}"
    )


def _named(each: Used) -> str:
    """
    `redis, the store, used 97 % of a core`.
    """
    if each.name in (names.GENERATOR, names.HARNESS):
        told = f"the {each.name}, which is the harness and not the system,"
    elif each.name.endswith(names.TAP):
        told = f"{each.name}, which is the harness and not the system,"
    elif each.name in tuple(Store):
        told = f"{each.name}, the store,"
    else:
        told = each.name
    return f"{told} used {each.cpu_percent:.0f} % of a core"


def _busiest(measured: Measured) -> str:
    told = [f"{each.name} {each.cpu_percent:.0f} %" for each in measured.used[:_MOST_TOLD]]
    if measured.machine is not None and measured.machine.others_percent >= _LITTLE:
        told.append(f"not of this run {measured.machine.others_percent:.0f} %")
    return ", ".join(told) + " of one core"


def _used(rows: list[Row]) -> tuple[tuple[Used, ...], Machine | None]:
    machine: Mapping[str, float] = {row["metric"]: row["mean"] for row in rows if row["node"] == names.MACHINE}
    used = tuple(
        Used(name=row["node"], cpu_percent=round(row["mean"], 1))
        for row in rows
        if row["metric"] == "cpu_percent" and row["node"] != names.MACHINE
    )
    if "cores" not in machine or "cpu_percent" not in machine:
        return used, None
    others = machine["cpu_percent"] - sum(each.cpu_percent for each in used)
    return used, Machine(
        cores=round(machine["cores"]),
        cpu_percent=round(machine["cpu_percent"], 1),
        iowait_percent=round(machine.get("iowait_percent", 0.0), 1),
        others_percent=round(max(0.0, others), 1),
    )


def _rows(database: Database, sql: str, span: Mapping[str, int]) -> list[Row]:
    """
    Return the rows of a query; none if evidence for it is missing.
    """
    try:
        return database.rows(sql, span)
    except UnansweredError:
        if not database.missing:
            raise
        return []


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or seconds >= _FOREVER else seconds
