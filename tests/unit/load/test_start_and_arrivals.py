"""Load: a schedule that the seed decides, and what an answer means."""

import itertools

import pytest

from harness.backends.endpoints import Address, Endpoints, StoreAddress
from harness.evidence import journals
from harness.journal import Journal, Journals
from harness.load.arrivals import Arrival, Due, fill, schedule
from harness.load.requests import Requests, ask
from harness.load.start import Answer, start
from harness.model import DaprStart, HttpStart, Load, Workflow

WORKFLOW = Workflow.model_validate(
    {
        "start": {"http": "/things"},
        "body": {"id": "{id}", "kind": "{kind}", "size": "{size}", "note": "a {kind} of {size}", "n": [1, "{nothing}"]},
        "kinds": {"a": {"vary": {"size": [1, 2, 3]}, "ends": ["completed"]}, "b": {"ends": ["completed"]}},
        "outcome": "result",
        "outcomes": {"done": {"ends": "completed"}},
    }
)
BY_DAPR = WORKFLOW.model_copy(update={"start": DaprStart(dapr="dapr")})
WORKFLOWS = {"w v1": WORKFLOW}
LOAD = Load(workflow="w v1", rate=50, duration=20, mix={"a": 3, "b": 1})
ENDPOINTS = Endpoints(
    apps={f"app-{i}": Address(host="127.0.0.1", port=8000 + i) for i in range(2)},
    sidecars={f"sidecar-{i}": Address(host="127.0.0.1", port=3500 + i) for i in range(2)},
    services={},
    store=StoreAddress(host="127.0.0.1", port=6379),
    scheduler=Address(host="127.0.0.1", port=50006),
    links={},
)


def test_the_same_seed_gives_the_same_schedule_and_another_seed_another():
    first, again, other = (list(schedule(LOAD, WORKFLOWS, seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_arrivals_come_at_the_rate_in_order_within_the_duration():
    arrivals = list(schedule(LOAD, WORKFLOWS, 1))

    assert pytest.approx(len(arrivals), rel=0.1) == 1000
    assert all(a.at < b.at for a, b in itertools.pairwise(arrivals))
    assert arrivals[0].at > 0
    assert arrivals[-1].at < 20
    assert pytest.approx(sum(a.kind == "a" for a in arrivals) / len(arrivals), abs=0.05) == 0.75


def test_instance_ids_are_unique():
    arrivals = list(schedule(LOAD, WORKFLOWS, 1))

    assert len(arrivals) == len({a.instance_id for a in arrivals})


def test_a_rate_of_nothing_gives_no_arrivals():
    assert list(schedule(LOAD.model_copy(update={"rate": 0}), WORKFLOWS, 1)) == []


def test_placeholders_keep_their_types_and_unknown_ones_stay():
    assert fill(WORKFLOW.body, {"id": "x", "kind": "a", "size": 2}) == {
        "id": "x",
        "kind": "a",
        "size": 2,
        "note": "a a of 2",
        "n": [1, "{nothing}"],
    }


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(202, "ok"), (201, "ok"), (409, "fail"), (422, "fail"), (500, "unknown"), (503, "unknown"), (None, "unknown")],
)
def test_only_a_clear_answer_is_ok_or_fail(status, outcome):
    assert outcome == start("w v1", WORKFLOW, "x", {}, ENDPOINTS, 0).answer(status, "").outcome


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"order": {"id": "3f2a"}}', Answer("ok", "3f2a")),
        ('{"order": {"id": 17}}', Answer("ok", "17")),
        ("{}", Answer("unknown", None, "accepted, but `id: order.id` finds no instance id in {}")),
        ("<html>", Answer("unknown", None, "accepted, but `id: order.id` finds no instance id in <html>")),
    ],
)
def test_the_answer_may_bring_the_instance_id(text, answer):
    brings = WORKFLOW.model_copy(update={"start": HttpStart(http="/things", id="order.id")})

    assert start("w v1", brings, "x", {}, ENDPOINTS, 0).answer(202, text) == answer


def test_replicas_are_taken_in_turn():
    assert [start("w v1", WORKFLOW, "x", {}, ENDPOINTS, n).node for n in range(3)] == ["app-0", "app-1", "app-0"]


def test_a_start_by_dapr_goes_to_a_sidecar_with_its_names_quoted():
    call = start("w v1", BY_DAPR, "id/1", {}, ENDPOINTS, 1)

    assert call.node == "sidecar-1"
    assert call.url == "http://127.0.0.1:3501/v1.0/workflows/dapr/w%20v1/start?instanceID=id%2F1"


DUE = Due(1, 3.0, "raiseEvent", "go on", '{"n": 1}')
ARRIVAL = Arrival(4, 1.0, "id/1", "w v1", "a", {})


@pytest.mark.parametrize("workflow", [WORKFLOW, BY_DAPR])
def test_a_request_goes_to_the_sidecar_after_that_of_the_start_with_its_names_quoted(workflow):
    call = ask(DUE, ARRIVAL, workflow, ENDPOINTS)

    assert start("w v1", BY_DAPR, "id/1", {}, ENDPOINTS, ARRIVAL.number).node == "sidecar-0"
    assert (call.method, call.node, call.payload) == ("POST", "sidecar-1", '{"n": 1}')
    assert call.url == "http://127.0.0.1:3501/v1.0/workflows/dapr/id%2F1/raiseEvent/go%20on"


def test_what_is_no_event_has_no_name_and_no_body():
    call = ask(Due(2, 3.0, "terminate", None, None), ARRIVAL, BY_DAPR, ENDPOINTS)

    assert call.payload is None
    assert call.url == "http://127.0.0.1:3500/v1.0/workflows/dapr/id%2F1/terminate"


@pytest.mark.parametrize(
    ("status", "text", "answer"),
    [
        (202, "", Answer("ok")),
        (400, "no name", Answer("fail", detail="no name")),
        (404, "no such instance", Answer("fail", detail="no such instance")),
        (500, "no such instance", Answer("unknown", detail="no such instance")),
        (502, "", Answer("unknown", detail="HTTP 502")),
        (None, "connection closed.", Answer("unknown", detail="connection closed.")),
    ],
)
def test_only_a_clear_answer_to_a_request_is_ok_or_fail(status, text, answer):
    assert ask(DUE, ARRIVAL, BY_DAPR, ENDPOINTS).answer(status, text) == answer


READ = ask(Due(2, 3.0, "get", None, None), ARRIVAL, BY_DAPR, ENDPOINTS)


def test_a_status_is_read_at_the_instance_itself():
    assert (READ.method, READ.payload) == ("GET", None)
    assert READ.url == "http://127.0.0.1:3500/v1.0/workflows/dapr/id%2F1"


@pytest.mark.parametrize(
    ("status", "text", "answer"),
    [
        (200, '{"runtimeStatus": "RUNNING"}', Answer("ok", runtime_status="RUNNING")),
        (200, '{"runtimeStatus": ""}', Answer("unknown", detail='no status: {"runtimeStatus": ""}')),
        (200, "<html>", Answer("unknown", detail="no status: <html>")),
        (202, '{"runtimeStatus": "RUNNING"}', Answer("unknown", detail='{"runtimeStatus": "RUNNING"}')),
        (404, "no such instance", Answer("fail", detail="no such instance")),
        (500, "no", Answer("unknown", detail="no")),
    ],
)
def test_only_an_answer_with_a_status_is_ok(status, text, answer):
    assert READ.answer(status, text) == answer


def test_a_second_start_is_the_first_one_sent_to_another_sidecar():
    first = start("w v1", BY_DAPR, "id/1", {}, ENDPOINTS, ARRIVAL.number)
    again = ask(Due(1, 3.0, "start", None, "{}"), ARRIVAL, BY_DAPR, ENDPOINTS)

    assert (again.method, again.payload) == ("POST", "{}")
    assert (first.node, again.node) == ("sidecar-0", "sidecar-1")
    assert again.url == first.url.replace("3500", "3501")


def test_a_status_that_was_read_is_written_down(tmp_path):
    there = Journals(tmp_path)
    with Journal(there.requests("1")) as journal:
        requests = Requests(journal, "locust-1")
        read = requests.invoke(Due(2, 3.0, "get", None, None), ARRIVAL, "sidecar-0", 5)
        requests.complete(read, 200, Answer("ok", runtime_status="PENDING"))

    (row,) = journals.requests(there)

    assert (row["operation"], row["outcome"], row["runtime_status"]) == ("get", "ok", "PENDING")


def test_a_request_is_written_before_it_is_sent_and_unknown_until_it_is_answered(tmp_path):
    there = Journals(tmp_path)
    with Journal(there.requests("1")) as journal:
        requests = Requests(journal, "locust-1")
        first, second = (requests.invoke(DUE, ARRIVAL, "sidecar-1", 5) for _ in range(2))
        requests.complete(second, 202, Answer("ok"))

    rows = list(journals.requests(there))

    assert [(row["request_id"], row["outcome"], row.get("status")) for row in rows] == [
        (first, "unknown", None),
        (second, "ok", 202),
    ]
    assert {name: rows[0][name] for name in ("instance_id", "operation", "name", "payload", "number", "node")} == {
        "instance_id": "id/1",
        "operation": "raiseEvent",
        "name": "go on",
        "payload": '{"n": 1}',
        "number": 1,
        "node": "sidecar-1",
    }
