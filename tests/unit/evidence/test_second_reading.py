"""What Dapr tells of itself, over a workflow API and a scheduler that are played."""

import http.server
import json
import threading
from concurrent import futures

import grpc
import pytest

from harness.backends import ports
from harness.backends.endpoints import Address
from harness.errors import EvidenceError
from harness.evidence import api, jobs
from harness.planning import target

ENDED = {
    "instanceID": "a/b",
    "workflowName": "payment_v1",
    "createdAt": "2026-11-24T03:00:00.000000005Z",
    "lastUpdatedAt": "2026-11-24T03:00:01.5Z",
    "runtimeStatus": "COMPLETED",
    "properties": {"dapr.workflow.output": '{"result": "paid"}'},
}
WAITING = {"instanceID": "x", "workflowName": "", "createdAt": "0001-01-01T00:00:00Z", "runtimeStatus": "PENDING"}
NOWHERE = (404, '{"errorCode":"ERR_INSTANCE_ID_NOT_FOUND","message":"unable to find workflow"}')
T0 = 1_795_489_200_000_000_000


@pytest.fixture(name="sidecar")
def _sidecar():
    """A workflow API: a path ends in an instance id; its answer (status, body)."""
    answers = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = answers[self.path.removeprefix("/v1.0/workflows/dapr/")]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield Address(host="127.0.0.1", port=server.server_address[1]), answers
        server.shutdown()


@pytest.fixture(name="nobody")
def _nobody():
    """An address where nobody listens."""
    with ports.lease() as lease:
        yield Address(host="127.0.0.1", port=lease.take())


def told(row):
    return {name: row.get(name) for name in ("status", "workflow", "output", "created_ns", "updated_ns", "error")}


def test_an_instance_is_read_as_dapr_tells_of_it(sidecar):
    at, answers = sidecar
    answers["a%2Fb"] = (200, json.dumps(ENDED))

    (row,) = api.readings(["a/b"], {"sidecar-0": at})

    assert row["asked_ns"] <= row["answered_ns"]
    assert (row["instance_id"], row["node"]) == ("a/b", "sidecar-0")
    assert told(row) == {
        "status": "COMPLETED",
        "workflow": "payment_v1",
        "output": '{"result": "paid"}',
        "created_ns": T0 + 5,
        "updated_ns": T0 + 1_500_000_000,
        "error": None,
    }


def test_an_instance_that_dapr_does_not_know_is_a_reading_without_a_status(sidecar):
    at, answers = sidecar
    answers["x"] = NOWHERE

    (row,) = api.readings(["x"], {"sidecar-0": at})

    assert set(told(row).values()) == {None}


def test_of_an_instance_of_which_nothing_has_run_there_is_only_a_status(sidecar):
    at, answers = sidecar
    answers["x"] = (200, json.dumps(WAITING))

    (row,) = api.readings(["x"], {"sidecar-0": at})

    assert {name: value for name, value in told(row).items() if value is not None} == {"status": "PENDING"}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, "actor runtime is closed"), "HTTP 500: actor runtime is closed"),
        ((404, "404 page not found"), "HTTP 404: 404 page not found"),
        ((200, "<html>"), "JSONDecodeError"),
    ],
)
def test_a_reading_that_failed_is_a_row_with_its_error(sidecar, answer, error):
    at, answers = sidecar
    answers["x"] = answer

    (row,) = api.readings(["x"], {"sidecar-0": at})

    assert row["error"].startswith(error)
    assert row["answered_ns"] >= row["asked_ns"]


def test_the_sidecars_stand_in_for_each_other(sidecar, nobody):
    at, answers = sidecar
    answers |= dict.fromkeys("xy", NOWHERE)

    rows = list(api.readings(["x", "y"], {"sidecar-0": nobody, "sidecar-1": at}))

    assert [(row["node"], row.get("error")) for row in rows] == [("sidecar-1", None)] * 2


def test_when_nobody_answers_the_last_error_is_told(nobody):
    (row,) = api.readings(["x"], {"sidecar-0": nobody})

    assert row["error"].startswith("ConnectError")


def test_of_very_many_instances_a_sample_is_asked_for_that_the_seed_decides():
    many = [f"i-{n}" for n in range(api.MOST + 1)]

    assert api.chosen(["b", "a", "b"], 1) == ["a", "b"]
    assert api.chosen(many, 1) == api.chosen(reversed(many), 1) != api.chosen(many, 2)
    assert len(set(api.chosen(many, 1))) == api.MOST


@pytest.fixture(name="paying")
def _paying(pytestconfig):
    return target.load(pytestconfig.rootpath / "tests/targets/payments/target.yaml")


def played(held):
    """A scheduler that holds jobs: actor type -> (actor id, name)."""

    def answer(request, context):
        asked = request.metadata.target.actor.type
        found = jobs._CLASSES["ListJobsResponse"]()
        for actor, name in held.get(asked, ()):
            job = found.jobs.add(name=name)
            job.metadata.target.actor.id, job.metadata.target.actor.type = actor, asked
        return found

    handler = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=jobs._CLASSES["ListJobsRequest"].FromString,
        response_serializer=jobs._CLASSES["ListJobsResponse"].SerializeToString,
    )
    server = grpc.server(futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("dapr.proto.scheduler.v1.Scheduler", {"ListJobs": handler}),)
    )
    return server, Address(host="127.0.0.1", port=server.add_insecure_port("127.0.0.1:0"))


def test_jobs_are_told_with_the_instance_and_the_task_that_they_would_wake(paying):
    prefix = "dapr.internal.default.payments"
    server, at = played(
        {
            f"{prefix}.workflow": [("b", "timer-7"), ("a::1", "start-x")],
            f"{prefix}.activity": [("a::1::12::1", "run-activity")],
        }
    )
    server.start()
    try:
        rows = list(jobs.left(paying, at))
    finally:
        server.stop(None).wait()

    assert [(row["instance_id"], row["kind"], row["name"], row["task_id"]) for row in rows] == [
        ("a::1", "workflow", "start-x", None),
        ("b", "workflow", "timer-7", None),
        ("a::1", "activity", "run-activity", 12),
    ]


def test_a_scheduler_that_does_not_answer_is_an_evidence_error(paying, nobody):
    with pytest.raises(EvidenceError, match="could not be asked for its jobs"):
        list(jobs.left(paying, nobody))
