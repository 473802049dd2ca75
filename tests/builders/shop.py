"""A run as the harness would leave it, made up: a plan, a verdict and evidence, two kills and a slow store."""

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from harness_reports.reported import ReportedRun

from harness.checkers import invariant
from harness.checkers.gate import Decision, decide
from harness.errors import Exit
from harness.evidence import schema, tables
from harness.model import (
    FaultFinding,
    Finding,
    Known,
    Latencies,
    Plan,
    Quantiles,
    Result,
    Share,
    Verdict,
    Witness,
    WorkflowCost,
    worst,
)

DECISION = Decision(Exit.HOLDS)
"""Of a gate that has nothing to say."""
COST = WorkflowCost(
    instances=114, median=0.466, p99=1.28, history_rows=48, payload_bytes=1400, attempts=1590, repeated_attempts=12
)
QUICK = Quantiles(number=480, p50=0.21, p95=0.4, p99=1.28, longest=2.5)
SLOW_ENDS = Quantiles(number=113, p50=0.9, p95=4.2, p99=None, longest=None)
LATENCIES = tuple(
    Latencies(
        measure=measure,
        name=name,
        all=Quantiles(number=593, p50=0.25, p95=2.1, p99=5.5, longest=None if measure == "end" else 7.25),
        in_faults=SLOW_ENDS if measure == "end" else QUICK,
        outside_faults=QUICK,
        steps={"0": QUICK, "1": QUICK, "2": SLOW_ENDS},
    )
    for measure, name in (("start", ""), ("end", ""), ("activity", "ship_v1"), ("turn", "order_v1"))
)
LOAD_START_NS = 1_795_478_190_000_000_000
RUN = "20261123T235630Z-demo-7"
EVIL = 'shop-<script>document.title="owned"</script>-"&\x1b[31m'
"""An instance id that tries to be HTML, an attribute's end, an entity and a terminal command at once."""

KILLS = ((0, "sidecar-0", 6.0, 8.1), (2, "sidecar-1", 30.0, 32.2))
SLOW = (1, ("sidecar-0->redis", "sidecar-1->redis"), 16.0, 22.0)
ACTIVITIES = ("reserve_v1", "quote_v1", "quote_v1", "ship_v1")


def plan(**changes) -> Plan:
    """The plan of the made-up run."""
    program = {"command": ["python", "app.py"], "workdir": "/srv/shop"}
    target = {
        "name": "shop",
        "app_id": "shop",
        "app": program,
        "components": "/srv/shop/components",
        "configuration": "/srv/shop/configuration.yaml",
        "workflows": {
            "order_v1": {
                "start": {"http": "/orders"},
                "body": {"kind": "{kind}"},
                "kinds": {
                    "plain": {"ends": ["completed"]},
                    "scarce": {"ends": ["completed", "rejected"]},
                    "refused": {"ends": ["compensated"]},
                },
                "outcome": "result",
                "outcomes": {
                    "shipped": {"ends": "completed", "effects": ["reserve", "ship"]},
                    "undone": {"ends": "compensated"},
                    "out_of_stock": {"ends": "rejected"},
                },
            }
        },
        "effects": [
            {"forward": "reserve", "compensation": "release"},
            {"forward": "ship", "compensation": "cancel"},
        ],
        "ledgers": [{"service": "providers", "path": "/ledger"}],
        "defects": {"double_ship": "a provider call without an idempotency key"},
    }
    faults = [
        {"fault": "kill", "on": "sidecar", "at": 6, "for": 2},
        {"fault": "latency", "on": "sidecar-*->redis", "pick": "all", "at": 16, "for": 6},
        {"fault": "kill", "on": "sidecar", "at": 30, "for": 2},
    ]
    scenario = {
        "name": "demo",
        "claim": "While sidecars are killed and the state store answers late, every order that was accepted "
        "completes, is compensated or is rejected, exactly once.",
        "target": "/srv/target/target.yaml",
        "load": {
            "workflow": "order_v1",
            "rate": 15,
            "duration": 40,
            "mix": {"plain": 60, "scarce": 20, "refused": 20},
        },
        "faults": faults,
    }
    steps = [
        {"step": 0, "fault": "kill", "nodes": ["sidecar-0"], "at": 6, "hold": 2, "settings": {}},
        {
            "step": 1,
            "fault": "latency",
            "nodes": list(SLOW[1]),
            "at": 16,
            "hold": 6,
            "settings": {"latency": 0.1, "jitter": 0.02},
        },
        {"step": 2, "fault": "kill", "nodes": ["sidecar-1"], "at": 30, "hold": 2, "settings": {}},
    ]
    nodes = [f"{role}-{n}" for role in ("app", "sidecar") for n in (0, 1)]
    return Plan.model_validate(
        {
            "scenario": scenario,
            "target": target,
            "seed": 7,
            "dapr_version": "1.18.2",
            "nodes": [*nodes, "placement-0", "scheduler-0", "redis", "providers"],
            "links": list(SLOW[1]),
            "steps": steps,
            **changes,
        }
    )


def starting(made: Plan, workflows: Iterable[str]) -> Plan:
    """A plan whose load starts several workflows, each with the mix of the one that it started before."""
    load = made.scenario.load
    several = {name: Share(weight=number, mix=load.mix) for number, name in enumerate(workflows, 1)}
    load = load.model_copy(update={"workflow": "", "mix": {}, "workflows": several})
    return made.model_copy(update={"scenario": made.scenario.model_copy(update={"load": load})})


@dataclass
class Evidence:
    """The rows of the made-up run, table by table."""

    rows: dict[str, list[dict]] = field(default_factory=lambda: {table.name: [] for table in schema.TABLES})

    def write(self, folder: Path) -> None:
        """Save every table as Parquet."""
        for table in schema.TABLES:
            tables.write(folder, table, self.rows[table.name])


def _ns(seconds: float) -> int:
    return LOAD_START_NS + round(seconds * 1e9)


def evidence(number: int = 600, seed: int = 7) -> Evidence:
    """What `number` instances leave behind over 40 s."""
    dice = random.Random(seed)
    made = Evidence()
    for index in range(number):
        _instance(made, dice, index, 0.05 + 39.9 * index / number)
    for step, node, at, healed in KILLS:
        made.rows["faults"].append(
            _fault(step, "kill", node, at, 0.0123, healed, {"pid": 4000 + step, "started": 1.5, "status": -9})
        )
    for lane, node in enumerate(SLOW[1]):
        proof = {"probe_before_ms": 0.42 + lane, "probe_during_ms": 104.8 + lane}
        made.rows["faults"].append(_fault(SLOW[0], "latency", node, SLOW[2], 0.33, SLOW[3], proof))
    begin = -4.8
    for phase, end in (("up", -0.01), ("load", 40.4), ("heal", 40.41), ("settle", 43.2), ("collect", 44.0)):
        made.rows["phases"].append({"phase": phase, "started_ns": _ns(begin), "ended_ns": _ns(end)})
        begin = end
    return made


def _fault(step, fault, node, at, felt, healed, proof):
    return {
        "step": step,
        "fault": fault,
        "node": node,
        "planned_ns": _ns(at),
        "applied_ns": _ns(at),
        "felt_ns": _ns(at + felt),
        "healed_ns": _ns(healed),
        "proof": json.dumps(proof),
    }


def _instance(made: Evidence, dice: random.Random, index: int, at: float) -> None:
    kind, outcome = dice.choices(
        (("plain", "shipped"), ("scarce", "out_of_stock"), ("refused", "undone")), weights=(60, 20, 20)
    )[0]
    name = EVIL if index == 101 else f"{kind}-{index:06d}"
    replica = index % 2
    down = next((healed for _, node, since, healed in KILLS if node.endswith(str(replica)) and since <= at < healed), 0)
    slow = 0.35 if SLOW[2] <= at < SLOW[3] else 0.0
    call = {"instance_id": name, "workflow": "order_v1", "kind": kind, "client": "locust-1"}
    accepted = at
    tries = 1
    if down:
        made.rows["operations"].append(
            {
                **call,
                "op_id": f"{index}/1",
                "node": f"app-{replica}",
                "try": 1,
                "intended_ns": _ns(at),
                "invoked_ns": _ns(at + 0.001),
                "completed_ns": _ns(at + 0.012),
                "outcome": "unknown",
                "status": 503,
                "detail": "connection reset by peer",
            }
        )
        replica, accepted, tries = 1 - replica, at + 0.5, 2
    answered = accepted + dice.lognormvariate(-4, 0.5) + slow
    made.rows["operations"].append(
        {
            **call,
            "op_id": f"{index}/{tries}",
            "node": f"app-{replica}",
            "try": tries,
            "intended_ns": _ns(accepted),
            "invoked_ns": _ns(accepted + 0.001),
            "completed_ns": _ns(answered),
            "outcome": "ok" if index % 97 else "fail",
            "status": 202 if index % 97 else 422,
            "detail": None if index % 97 else "quantity must be positive",
        }
    )
    if index % 97 == 0:
        return
    _engine(made, dice, name, f"app-{replica}", outcome, accepted + 0.004, slow)


def _engine(made, dice, name, node, outcome, start, slow):
    events = [("workflowStarted", -1, None, None, start), ("executionStarted", -1, "order_v1", None, start + 0.001)]
    at = start + 0.01 + slow / 2
    for task, activity in enumerate(ACTIVITIES, start=1):
        events.append(("taskScheduled", task, activity, task, at))
        broken = next((healed for _, _, since, healed in KILLS if since <= at < healed and dice.random() < 0.5), 0)
        if broken:
            made.rows["attempts"].append(_attempt(name, activity, task, node, at + 0.003, None))
            at = broken + dice.uniform(0.2, 1.4)
        ended = at + 0.003 + dice.lognormvariate(-3.6, 0.6) + slow / 2
        made.rows["attempts"].append(_attempt(name, activity, task, node, at + 0.003, ended))
        if activity in ("reserve_v1", "ship_v1"):
            effect = activity.removesuffix("_v1")
            made.rows["effects"].append(_effect(name, effect, f"{name}/{effect}", ended - 0.001))
        events.append(("taskCompleted", -1, None, task, ended + 0.002))
        at = ended + 0.008
    events.append(("executionCompleted", 9, None, None, at))
    for position, (event, event_id, called, task, when) in enumerate(events):
        made.rows["history"].append(
            {
                "instance_id": name,
                "position": position,
                "event_id": event_id,
                "event": event,
                "at_ns": _ns(when),
                "name": called,
                "task_id": task,
                "payload": '{"kind": "plain"}' if event == "executionStarted" else None,
            }
        )
    made.rows["instances"].append(
        {
            "instance_id": name,
            "workflow": "order_v1",
            "status": "COMPLETED",
            "outcome": outcome,
            "output": json.dumps({"result": outcome}),
            "created_ns": _ns(start + 0.001),
            "completed_ns": _ns(at),
            "generation": 1,
            "history_length": len(events),
            "history_rows": len(events),
            "inbox_length": 0,
            "inbox_rows": 0,
        }
    )


def _attempt(name, activity, task, node, started, ended):
    return {
        "instance_id": name,
        "activity": activity,
        "task_id": task,
        "attempt_id": f"{name}/{task}/{started:.6f}",
        "node": node,
        "started_ns": _ns(started),
        "ended_ns": None if ended is None else _ns(ended),
        "outcome": None if ended is None else "ok",
    }


def _effect(name, effect, key, at):
    return {
        "instance_id": name,
        "effect": effect,
        "key": key,
        "at_ns": _ns(at),
        "source": "providers",
        "position": 0,
        "attributes": '{"provider": "north", "price": 4.2}',
    }


def fault_findings(**changes) -> tuple[FaultFinding, ...]:
    """What the verdict says of the four faults."""
    kills = [
        FaultFinding(
            step=step,
            fault="kill",
            node=node,
            at=at,
            felt_after=0.0123,
            healed_at=healed,
            in_flight=17 + step,
            first_failure=0.031,
            first_success=healed - at + 1.02,
            recovery=healed - at + 1.31,
            proof={"pid": 4000 + step, "started": 1795478187.88, "status": -9},
            **changes,
        )
        for step, node, at, healed in KILLS
    ]
    slow = [
        FaultFinding(
            step=SLOW[0],
            fault="latency",
            node=node,
            at=SLOW[2],
            felt_after=0.33,
            healed_at=SLOW[3],
            in_flight=23,
            recovery=0.4,
            proof={"probe_before_ms": 0.42, "probe_during_ms": 104.8},
        )
        for node in SLOW[1]
    ]
    return (kills[0], *slow, kills[1])


CLAIMS = {
    "one_end": "Every instance ends in exactly one class.",
    "duplicated": "No step has an effect twice.",
    "lost": "What was accepted exists, and has its effects.",
    "half_compensated": "A compensated instance leaves no effect behind.",
    "over_compensated": "Nothing is compensated that was not made, and nothing twice.",
    "phantom": "There is no effect that no client asked for.",
    "stuck": "Everything accepted has ended after the settle time.",
    "history_ends": "A history ends at most once, and nothing comes after the end.",
    "history_tasks": "Every scheduled task is completed at most once, by a task that was scheduled.",
}


def whole(verdict: Verdict) -> Verdict:
    """The verdict with a finding of every general invariant, as the judge makes it; those that it lacks hold."""
    told = {each.name for each in verdict.findings}
    rest = [finding(name) for name in invariant.load(invariant.GENERAL) if name not in told]
    return verdict.model_copy(update={"findings": (*verdict.findings, *rest)})


def finding(name: str, result: Result = Result.HOLDS, **changes) -> Finding:
    """A finding of an invariant of CLAIMS."""
    return Finding(
        **{
            "name": name,
            "claim": CLAIMS.get(name, "Stock at the start is stock at the end, and what was taken."),
            "result": result,
            "examined": 612,
            "violations": 0,
            "catches": ("double_ship",) if name == "duplicated" else (),
            **changes,
        }
    )


def verdict(findings: tuple[Finding, ...] | None = None, **changes) -> Verdict:
    """The verdict of the made-up run: HOLDS, unless told otherwise."""
    found = findings or (*(finding(name) for name in CLAIMS), finding("stock_conserved", origin="target"))
    return Verdict(
        **{
            "version": 1,
            "run": RUN,
            "scenario": "demo",
            "claim": plan().scenario.claim,
            "seed": 7,
            "result": worst([one.result for one in found]),
            "reasons": (),
            "classes": {"completed": 358, "compensated": 121, "rejected": 114, "refused": 7},
            "kinds": {
                "plain": {"completed": 358, "refused": 4},
                "refused": {"compensated": 121, "refused": 1},
                "scarce": {"rejected": 114, "refused": 2},
            },
            "operations": {"ok": 593, "fail": 7, "unknown": 32},
            "attempts": 2431,
            "repeated_attempts": 59,
            "rests_on": ("what clients were told", "what the engine stored"),
            "findings": found,
            "faults": fault_findings(),
            "latencies": LATENCIES,
            **changes,
        }
    )


def reported(found: Verdict, decision: Decision | None = None, took: float | None = 48.8, **changes) -> ReportedRun:
    """The run of a verdict, as reports take it; the plan's own gate decides, unless told otherwise."""
    made = plan(**changes)
    return ReportedRun(made, decision or decide(made, found), verdict=found, began_ns=LOAD_START_NS, took=took)


def explained() -> tuple[Verdict, Decision]:
    """A verdict of VIOLATED of which a known finding explains all, and the decision of a gate that allows it."""
    witness = Witness(
        instance_id=EVIL, sentence=f"{EVIL} never ended.", row={"instance_id": EVIL}, explained_by=("result_discarded",)
    )
    stuck = finding("stuck", Result.VIOLATED, violations=2, explained=2, witnesses=(witness,))
    met = Known(
        name="result_discarded",
        title="An activity whose first result is discarded is never executed again.",
        layer="engine",
        number=1,
        fixed="1.19.0",
        upstream=("dapr/dapr#10490",),
        instances=2,
        rows=2,
        sentences=(f"{EVIL}: its result was discarded.",),
    )
    found = verdict((stuck, finding("lost")), known=(met,), reasons=("stuck is violated 2 times",))
    return found, Decision(Exit.HOLDS, ("every violation is explained by a known finding",), accepted=True)


def violated(made: Evidence) -> Verdict:
    """
    A verdict of VIOLATED, and the evidence changed so that it shows it: two effects made twice (one of an instance
    with an evil name), one effect that is gone, and a question that nothing answers.
    """
    seen = {row["instance_id"] for row in made.rows["instances"]}
    twice = [name for name in ("plain-000090", "refused-000090", "scarce-000090") if name in seen] + [EVIL]
    again = []
    for name in twice:
        first = next(row for row in made.rows["effects"] if row["instance_id"] == name and row["effect"] == "ship")
        again.append({**first, "key": f"{first['key']}/again", "at_ns": first["at_ns"] + 1_480_000_000})
    made.rows["effects"] += again
    witnesses = tuple(
        Witness(
            instance_id=row["instance_id"],
            sentence=f"{row['instance_id']} has the effect ship 2 times: first at 6.9 s, 80 ms before kill of "
            "sidecar-0, and again 1.48 s later.",
            row={"instance_id": row["instance_id"], "effect": "ship", "times": 2, "at_ns": row["at_ns"]},
        )
        for row in again
    )
    lost = next(row["instance_id"] for row in made.rows["instances"] if row["created_ns"] > _ns(31))
    made.rows["effects"] = [row for row in made.rows["effects"] if row["instance_id"] != lost]
    gone = Witness(
        instance_id=lost,
        sentence=f"{lost} was accepted at 31.1 s and says shipped, and the ledger holds nothing of it.",
        row={"instance_id": lost, "told": "accepted", "status": "COMPLETED", "effects": None},
    )
    found = tuple(
        finding(name, Result.VIOLATED, violations=2, witnesses=witnesses, catches=("double_ship",))
        if name == "duplicated"
        else finding(name, Result.VIOLATED, violations=31, witnesses=(gone,), catches=("early_ack",))
        if name == "lost"
        else finding(name, Result.UNKNOWN, examined=0, reason="it examined nothing: no instance was compensated")
        if name == "over_compensated"
        else finding(name)
        for name in CLAIMS
    )
    return verdict(
        (*found, finding("stock_conserved", origin="target", catches=("lost_update",))),
        reasons=("duplicated is violated 2 times", "lost is violated 31 times", "over_compensated examined nothing"),
        classes={"completed": 325, "compensated": 121, "rejected": 114, "refused": 7, "lost": 31, "duplicated": 2},
        kinds={
            "plain": {"completed": 325, "refused": 4, "lost": 31, "duplicated": 2},
            "refused": {"compensated": 121, "refused": 1},
            "scarce": {"rejected": 114, "refused": 2},
        },
    )
