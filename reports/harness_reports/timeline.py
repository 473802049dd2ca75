"""
The timeline of one instance: what client, engine, activity bodies and ledger say about it, merged on one clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.model import FaultFinding
from harness_reports import words
from harness_reports.evidence import Evidence, MissingError, Row

MOST_ENTRIES = 200
"""The most entries of one timeline that are shown. The Parquet files have all of them."""

_MOST_LETTERS = 160

Teller = Literal["fault", "client", "engine", "body", "ledger"]
_TELLERS: tuple[Teller, ...] = ("fault", "client", "engine", "body", "ledger")
"""The sources of entries. Entries at the same moment are sorted in this order."""


@dataclass(frozen=True)
class Entry:
    """
    One thing that happened. `at` and `end` are in seconds after the load began. At a single moment `end` equals `at`;
    if nobody recorded the end, it is None. `during` names the faults that were in force meanwhile.
    """

    at: float
    end: float | None
    teller: Teller
    what: str
    where: str
    detail: str
    during: tuple[str, ...] = ()

    @property
    def took(self) -> str:
        """
        How long it took, in words; empty for a single moment.
        """
        if self.end is None:
            return "no end"
        return "" if self.end == self.at else words.took(self.end - self.at)


@dataclass(frozen=True)
class Timeline:
    """
    The entries of one instance in order of time, between `first` and `last` (seconds after the load began).

    `hidden` is the number of entries that are not shown. `missing` says which evidence is missing.
    """

    instance_id: str
    entries: tuple[Entry, ...]
    first: float
    last: float
    hidden: int
    missing: tuple[str, ...]

    def left(self, at: float) -> float:
        """
        Return the place of a moment between first and last, in per cent.
        """
        length = (self.last - self.first) or 1.0
        return round(100 * min(1.0, max(0.0, (at - self.first) / length)), 2)

    def width(self, entry: Entry) -> float:
        """
        Return how much of the time between first and last an entry took, in per cent.
        """
        return round(self.left(self.last if entry.end is None else entry.end) - self.left(entry.at), 2)


def read(
    evidence: Evidence, instances: Sequence[str], origin_ns: int, faults: Sequence[FaultFinding]
) -> dict[str, Timeline]:
    """
    Return the timelines of some instances. `origin_ns` is when the load began, in nanoseconds since the epoch.
    """
    entries: dict[str, list[Entry]] = defaultdict(list)
    missing = []
    for sql, tell in ((_CALLS, _call), (_EVENTS, _event), (_BODIES, _body), (_EFFECTS, _effect)):
        try:
            rows = evidence.rows(sql, {"instances": list(instances), "origin_ns": origin_ns})
        except MissingError as error:
            missing.append(str(error))
            continue
        for row in rows:
            entries[row["instance_id"]].append(tell(row))
    return {instance: _merged(instance, entries[instance], faults, tuple(missing)) for instance in instances}


def _merged(
    instance: str, entries: Sequence[Entry], faults: Iterable[FaultFinding], missing: tuple[str, ...]
) -> Timeline:
    first = min((entry.at for entry in entries), default=0.0)
    last = max((entry.at if entry.end is None else entry.end for entry in entries), default=0.0)
    met = [fault for fault in map(_fault, filter(_applied, faults)) if _overlap(fault, first, last)]
    marked = [
        replace(entry, during=tuple(dict.fromkeys(fault.what for fault in met if _overlap(fault, entry.at, entry.end))))
        for entry in entries
    ]
    entries = sorted([*met, *marked], key=lambda entry: (entry.at, _TELLERS.index(entry.teller)))
    hidden = max(0, len(entries) - MOST_ENTRIES)
    return Timeline(instance, tuple(entries[:MOST_ENTRIES]), first, last, hidden, missing)


def _overlap(fault: Entry, since: float, until: float | None) -> bool:
    return (until is None or fault.at <= until) and (fault.end is None or fault.end >= since)


def _applied(fault: FaultFinding) -> bool:
    return fault.at is not None


def _fault(fault: FaultFinding) -> Entry:
    felt = "not felt" if fault.felt_after is None else f"felt after {words.took(fault.felt_after)}"
    return Entry(fault.at or 0.0, fault.healed_at, "fault", f"#{fault.step} {fault.fault}", fault.node, felt)


_CALLS = """
    SELECT
        instance_id, try, node, outcome, status, detail,
        (invoked_ns - $origin_ns) / 1e9 AS at,
        (completed_ns - $origin_ns) / 1e9 AS "end"
    FROM operations
    WHERE list_contains($instances, instance_id)
    ORDER BY invoked_ns
"""


def _call(row: Row) -> Entry:
    answer = f"{row['outcome']}, {'no answer' if row['status'] is None else 'status ' + str(row['status'])}"
    return Entry(
        row["at"], row["end"], "client", f"start, try {row['try']}", row["node"], _joined(answer, row["detail"])
    )


_EVENTS = """
    SELECT instance_id, position, event, name, task_id, payload, error, (at_ns - $origin_ns) / 1e9 AS at
    FROM history
    WHERE list_contains($instances, instance_id)
    ORDER BY position
"""


def _event(row: Row) -> Entry:
    what = row["event"] if row["name"] is None else f"{row['event']} {row['name']}"
    task = None if row["task_id"] is None else f"task {row['task_id']}"
    detail = _joined(task, row["error"], row["payload"])
    return Entry(row["at"], row["at"], "engine", what, f"history {row['position']}", detail)


_BODIES = """
    SELECT
        instance_id, activity, task_id, node, outcome, detail,
        row_number() OVER (PARTITION BY instance_id, task_id ORDER BY started_ns, attempt_id) AS execution,
        (started_ns - $origin_ns) / 1e9 AS at,
        (ended_ns - $origin_ns) / 1e9 AS "end"
    FROM attempts
    WHERE list_contains($instances, instance_id)
    ORDER BY started_ns
"""


def _body(row: Row) -> Entry:
    again = f"task {row['task_id']}" + (f", execution {row['execution']}" if row["execution"] > 1 else "")
    outcome = "cut off" if row["end"] is None else row["outcome"]
    return Entry(row["at"], row["end"], "body", row["activity"], row["node"], _joined(again, outcome, row["detail"]))


_EFFECTS = """
    SELECT instance_id, effect, key, source, attributes, (at_ns - $origin_ns) / 1e9 AS at
    FROM effects
    WHERE list_contains($instances, instance_id)
    ORDER BY at_ns, source, position
"""


def _effect(row: Row) -> Entry:
    detail = _joined(f"key {row['key']}", row["attributes"])
    return Entry(row["at"], row["at"], "ledger", row["effect"], row["source"], detail)


def _joined(*parts: str | None) -> str:
    return words.shortened("; ".join(part for part in parts if part), _MOST_LETTERS)
