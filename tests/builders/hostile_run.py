"""A run in which every text that comes from outside is hostile."""

from harness.model import Finding, Known, Result, Stall, Stuck, Witness
from harness.rundir import RunDir
from tests.builders import shop
from tests.builders.hostile import HOSTILE

TEXTS = tuple(text[:5000] for text in HOSTILE if "\ud800" not in text and "\ufffe" not in text and text.strip())
"""Those that a JSON document and a Parquet file can hold."""

_S = 1_000_000_000


def _evidence():
    """Instances whose ids are the texts; in each of them every text stands wherever one may stand."""
    made = shop.evidence(30)
    start = shop.LOAD_START_NS
    for number, name in enumerate(TEXTS):
        at = start + number * _S // 4
        seen = {"instance_id": name}
        made.rows["operations"].append(
            {**seen, "op_id": name, "workflow": name, "kind": name, "client": name, "node": name, "try": 1}
            | {
                "intended_ns": at,
                "invoked_ns": at,
                "completed_ns": at + 9,
                "outcome": name,
                "status": 500,
                "detail": name,
            }
        )
        made.rows["instances"].append(
            {**seen, "workflow": name, "status": name, "outcome": name, "output": name, "created_ns": at}
            | {"completed_ns": at + _S, "generation": 1, "history_length": 3, "history_rows": 2, "inbox_length": 1}
            | {"inbox_rows": 1}
        )
        for position, text in enumerate(TEXTS):
            event = text if position % 2 else "taskScheduled"
            made.rows["history"].append(
                {
                    **seen,
                    "position": position,
                    "event": event,
                    "event_id": position,
                    "at_ns": at + position,
                    "name": text,
                }
                | {"task_id": position, "payload": text, "error": text}
            )
        made.rows["attempts"].append(
            {**seen, "activity": name, "task_id": 1, "attempt_id": name, "node": name, "started_ns": at}
            | {"ended_ns": at + 5, "outcome": name, "detail": name}
        )
        made.rows["effects"].append(
            {
                **seen,
                "effect": name,
                "key": name,
                "at_ns": at + 2,
                "source": name,
                "position": number,
                "attributes": name,
            }
        )
        made.rows["effects"].append({**made.rows["effects"][-1], "effect": "ship"})
        made.rows["jobs"].append({**seen, "kind": name, "name": name, "task_id": 1, "listed_ns": at + _S})
        made.rows["readings"].append({**seen, "node": name, "asked_ns": at, "answered_ns": at + _S, "error": name})
        made.rows["faults"].append(
            {"step": 7, "fault": name, "node": name, "planned_ns": at, "applied_ns": at, "healed_ns": at + _S}
            | {"proof": "{}"}
        )
    return made


def _finding(number, result=Result.VIOLATED):
    shown = TEXTS[number * 10 : number * 10 + 10]
    witnesses = tuple(
        Witness(instance_id=text, sentence=text, row={text: text, "at_ns": 5}, explained_by=(text,)) for text in shown
    )
    name = TEXTS[number]
    return Finding(
        name=name,
        claim=name,
        result=result,
        examined=9,
        violations=900,
        witnesses=witnesses,
        reason=name,
        catches=(name,),
    )


def write(folder):
    """Write the evidence of the run into `folder`. Return its verdict and its plan."""
    _evidence().write(folder / "evidence")
    counts = dict.fromkeys(TEXTS, 7)
    known = tuple(
        Known(name=text, title=text, layer=text, upstream=(text,), fixed=text, instances=1, rows=1, sentences=(text,))
        for text in TEXTS
    )
    stuck = tuple(Stuck(instance_id=t, status=t, why=t, last_event=t, last_attempt=t, jobs=(t,)) for t in TEXTS)
    RunDir(folder).save_stall(
        Stall(
            at_ns=shop.LOAD_START_NS,
            phase=TEXTS[0],
            after=15.2,
            waiting=3,
            workers=dict(zip(TEXTS, TEXTS, strict=False)),
            instances=stuck,
        )
    )
    faults = tuple(
        one.model_copy(update={"fault": text, "unrecovered": text, "recovery": None, "proof": {text: text}})
        for one, text in zip(shop.fault_findings() * 20, TEXTS, strict=False)
    )
    verdict = shop.verdict(
        (*tuple(_finding(number) for number in range(6)), _finding(7, Result.UNKNOWN)),
        run=TEXTS[0],
        scenario=TEXTS[0],
        claim=TEXTS[0],
        classes=counts,
        kinds=dict.fromkeys(TEXTS[:6], counts),
        workflows=dict.fromkeys(TEXTS[:6], counts),
        operations=counts,
        reasons=TEXTS[:20],
        lacking=TEXTS[10:20],
        notes=TEXTS,
        modified=TEXTS,
        missed_levels=TEXTS,
        known=known,
        faults=faults,
    )
    return verdict, shop.starting(shop.plan(), TEXTS)
