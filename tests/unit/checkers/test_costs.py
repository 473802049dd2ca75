"""What the instances of each workflow took: from when a start was due, of those that ended, without canaries."""

import pytest

from harness.checkers.costs import costs
from harness.checkers.database import open_database
from harness.model import Share, WorkflowCost
from tests.builders.evidence import write_evidence

MS = 10**6


def rows():
    """Three instances of `split`, of which one has not ended; one of `whole`; a canary."""
    evidence = {"operations": [], "instances": [], "history": [], "attempts": []}
    for name, workflow, client, due, ended, bodies in (
        ("s1", "split", "c", 0, 300, [1, 2]),
        ("s2", "split", "c", 100, 1100, [1, 2, 2]),
        ("s3", "split", "c", 0, None, [1]),
        ("w1", "whole", "c", 50, 100, []),
        ("canary-0", "whole", "canary", 0, 9000, [1, 1]),
    ):
        call = {"instance_id": name, "op_id": name, "try": 1, "client": client, "workflow": workflow, "kind": "plain"}
        evidence["operations"].append(call | {"intended_ns": due * MS, "invoked_ns": due * MS + 7, "outcome": "ok"})
        row = {"instance_id": name, "workflow": workflow, "status": "COMPLETED" if ended else "RUNNING"}
        evidence["instances"].append(
            row | {"completed_ns": ended and ended * MS, "history_rows": 3 if name == "s1" else 6}
        )
        payloads = ('"ab"', '"\N{EURO SIGN}"', None) if name == "s1" else ()
        for position, payload in enumerate(payloads):
            event = {
                "instance_id": name,
                "position": position,
                "event": "taskScheduled",
                "at_ns": 0,
                "event_id": position,
            }
            evidence["history"].append(event | {"payload": payload})
        for number, task in enumerate(bodies):
            attempt = {"instance_id": name, "task_id": task, "attempt_id": f"{name}/{number}", "activity": "a"}
            evidence["attempts"].append(attempt | {"node": "app-0", "started_ns": number, "outcome": "ok"})
    return evidence


@pytest.fixture(name="found")
def _found(planned, tmp_path):
    def found(*workflows):
        shares = dict.fromkeys(workflows, Share(mix={"plain": 1}))
        load = planned.scenario.load.model_copy(update={"workflows": shares})
        plan = planned.model_copy(update={"scenario": planned.scenario.model_copy(update={"load": load})})
        with open_database(planned, write_evidence(tmp_path, rows()), None) as database:
            return costs(database, plan)

    return found


def test_each_workflow_has_the_figures_of_its_instances_that_ended(found):
    assert found("split", "whole") == {
        "split": WorkflowCost(
            instances=2, median=0.3, p99=1.0, history_rows=4.5, payload_bytes=4.5, attempts=5, repeated_attempts=1
        ),
        "whole": WorkflowCost(
            instances=1, median=0.05, p99=0.05, history_rows=6, payload_bytes=0, attempts=0, repeated_attempts=0
        ),
    }


def test_a_load_of_one_workflow_has_none(found):
    assert found() == {}
