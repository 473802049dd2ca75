"""
Sentences for people: witnesses with readable times, and what the ledger holds of an instance.
"""

from __future__ import annotations

import re
import string
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from typing_extensions import override

from harness.checkers.database import Database, Parameters, Row, UnansweredError

_BODIES = """
    SELECT
        instance_id, root_id, activity, node, started_ns, ended_ns, outcome,
        row_number() OVER (PARTITION BY instance_id, task_id ORDER BY started_ns, attempt_id) AS number
    FROM attempts
    LEFT JOIN (SELECT instance_id, root_id FROM instances WHERE root_id IS NOT NULL) AS children USING (instance_id)
    WHERE instance_id IN (SELECT unnest(?)) OR root_id IN (SELECT unnest(?))
    ORDER BY started_ns, attempt_id
"""
_EFFECTS = """
    SELECT instance_id, effect, at_ns, source
    FROM effects
    WHERE instance_id IN (SELECT unnest(?))
    ORDER BY at_ns, source, position
"""
LIVES = files(__package__).joinpath("lives.sql").read_text(encoding="utf-8")
"""When instances lived, in one place for all who ask. Its three parameters are the same list of instances."""
_FAULTS = """
    SELECT step, fault, node, applied_ns, healed_ns
    FROM faults
    WHERE applied_ns IS NOT NULL
    ORDER BY applied_ns, step, node
"""
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMATS = ("", "at", "or")
_NEAR_NS = 5_000_000_000
"""Nanoseconds. A fault that was applied within this time before or after an effect is named next to the effect."""
_MOST_FAULTS = 3
"""The most faults that are named for one instance."""


class Telling(string.Formatter):
    """
    Fills the sentence of a witness from its row.

    `{column}` is the value of a column. `{column:at}` is a time in nanoseconds, shown as seconds after the load began.
    `{column:or}` is a value that may be NULL. Nothing else is allowed: no attribute or index of a value, no conversion
    and no other format. A sentence may come from a stranger, and Python's own formatting reaches every object.
    """

    def __init__(self, load_start_ns: int) -> None:
        self._load_start_ns = load_start_ns

    @override
    def parse(self, format_string: Any) -> Iterator[tuple[str, str | None, str | None, str | None]]:
        """
        Return the parts of a sentence. Raises ValueError if a format is made of columns itself.
        """
        for literal, name, format_spec, conversion in super().parse(format_string):
            if format_spec and "{" in format_spec:
                raise ValueError(f":{format_spec} is not a format; there are :at and :or")
            yield literal, name, format_spec, conversion

    @override
    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        """
        Return the value of a column. Raises ValueError if `field_name` is not the plain name of one.
        """
        if not _COLUMN.fullmatch(field_name):
            raise ValueError(f"{{{field_name}}} is not the name of a column")
        return kwargs[field_name], field_name

    @override
    def convert_field(self, value: Any, conversion: str | None) -> Any:
        """
        Return the value as it is. Raises ValueError if the sentence wants it converted.
        """
        if conversion is not None:
            raise ValueError(f"!{conversion} is not allowed")
        return value

    @override
    def format_field(self, value: Any, format_spec: str) -> str:
        """
        Return one value as text. Raises ValueError for a format that there is not.
        """
        if format_spec not in _FORMATS:
            raise ValueError(f":{format_spec} is not a format; there are :at and :or")
        if format_spec == "at":
            return self.at(value)
        return "nothing" if value is None else str(value)

    def at(self, at_ns: int | None) -> str:
        """
        Return a time (nanoseconds since the epoch) as in `12.204 s`, counted from the beginning of the load.
        """
        return "a time unknown" if at_ns is None else f"{(at_ns - self._load_start_ns) / 1e9:.3f} s"


def refuse(sentence: str) -> None:
    """
    Raise ValueError, which says why, if a sentence is not one that `Telling` fills.
    """
    telling = Telling(0)
    for _, name, format_spec, conversion in telling.parse(sentence):
        if name is not None:
            telling.get_field(name, (), {name: None})
            telling.convert_field(None, conversion)
            telling.format_field(None, format_spec or "")


def ledgers(database: Database, telling: Telling, instances: Sequence[str]) -> Mapping[str, str]:
    """
    Return for each instance, in words, what the ledger holds of it, in order of time: each effect with the body that
    made it and a fault that was near in time, as far as the evidence has them. A body of a child workflow may have made
    an effect of the instance at the head of its family.
    """
    bodies: dict[str, list[Row]] = defaultdict(list)
    for body in _known(database, _BODIES, [list(instances)] * 2):
        for instance in {body["instance_id"], body["root_id"]}:
            bodies[instance].append(body)
    faults = _known(database, _FAULTS)
    told: dict[str, list[str]] = {instance: [] for instance in instances}
    for effect in _known(database, _EFFECTS, [list(instances)]):
        told[effect["instance_id"]].append(
            f"{effect['effect']} at {telling.at(effect['at_ns'])}"
            + _made_by(effect, bodies[effect["instance_id"]])
            + _near(effect["at_ns"], faults)
        )
    return {instance: "; ".join(effects) or "nothing of it" for instance, effects in told.items()}


def faults_met(database: Database, telling: Telling, instances: Sequence[str]) -> Mapping[str, str]:
    """
    Return for each instance, in words, the faults that were in force during its life, with their times, as in
    `kill of sidecar-0 (10.004 s to 12.010 s)`. An instance that met no fault is left out.
    """
    faults = _known(database, _FAULTS)
    if not faults:
        return {}
    lives = _known(database, LIVES, [list(instances)] * 3)
    told = {
        life["instance_id"]: _windows(telling, [fault for fault in faults if _meets(fault, life)]) for life in lives
    }
    return {instance: windows for instance, windows in told.items() if windows}


def in_force(applied_ns: int, healed_ns: int | None, since_ns: int, until_ns: int | None) -> bool:
    """
    Was a fault in force at some time from `since_ns` to `until_ns`? None is for ever.
    """
    return (until_ns is None or applied_ns <= until_ns) and (healed_ns is None or healed_ns >= since_ns)


def _meets(fault: Row, life: Row) -> bool:
    return in_force(fault["applied_ns"], fault["healed_ns"], life["begun_ns"], life["ended_ns"])


def _windows(telling: Telling, faults: Sequence[Row]) -> str:
    """
    Return these faults in words, in order of time, and the faults of one step together.
    """
    steps: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for fault in faults:
        steps[fault["step"], fault["fault"]].append(fault)
    told = []
    for (_, name), of in steps.items():
        nodes = of[0]["node"] + (f" and {len(of) - 1} more" if len(of) > 1 else "")
        healed = [fault["healed_ns"] for fault in of]
        since = telling.at(min(fault["applied_ns"] for fault in of))
        window = f"since {since}" if None in healed else f"{since} to {telling.at(max(healed))}"
        told.append(f"{name} of {nodes} ({window})")
    rest = len(told) - _MOST_FAULTS
    return ", ".join(told[:_MOST_FAULTS]) + (f" and {rest} faults more" if rest > 0 else "")


def _known(database: Database, sql: str, parameters: Parameters = ()) -> list[Row]:
    try:
        return database.rows(sql, parameters)
    except UnansweredError:
        return []


def _made_by(effect: Row, bodies: Iterable[Row]) -> str:
    """
    Return in words the last body that began before the effect and can have made it; the ledger if there is none.
    """
    at = effect["at_ns"]
    bodies_before = [
        body
        for body in bodies
        if at is not None
        and body["started_ns"] <= at
        and (body["outcome"] != "ok" or body["ended_ns"] is None or body["ended_ns"] >= at)
    ]
    if not bodies_before:
        return f" in {effect['source']}"
    body = bodies_before[-1]
    return f" by attempt {body['number']} of {body['activity']} on {body['node']}"


def _near(at_ns: int | None, faults: Iterable[Row]) -> str:
    distances = [] if at_ns is None else [(at_ns - fault["applied_ns"], fault) for fault in faults]
    near = [found for found in distances if abs(found[0]) <= _NEAR_NS]
    if not near:
        return ""
    distance, fault = min(near, key=lambda found: abs(found[0]))
    side = "after" if distance >= 0 else "before"
    return f", {abs(distance) / 1e6:.0f} ms {side} {fault['fault']} of {fault['node']}"
