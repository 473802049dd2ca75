"""Activities that a tap announces at their points, and holds there until it is answered."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2 as durabletask

from harness.journal import Journal
from harness.rows import TurnTwice
from harness.running.aim import Announcement
from harness.tap.answers import ROUTE, Answer
from tests.builders.sidecar import ACTIVITY_ENDS, SAVE, WORK, act, tapped


class Harness:
    """Takes announcements down, and answers none before `go`."""

    def __init__(self):
        self.announced = []
        self.go = threading.Event()
        harness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taken = Answer if self.path == ROUTE else Announcement
                harness.announced.append(taken.model_validate_json(body))
                harness.go.wait(20)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(name="harness")
def _harness():
    harness = Harness()
    yield harness
    harness.close()


@pytest.fixture(name="journal")
def _journal(tmp_path):
    with Journal[TurnTwice](tmp_path / "turns.jsonl") as turns:
        yield turns


def activity(name="ship_v1", instance="a", task=5):
    item = durabletask.WorkItem()
    item.activityRequest.name = name
    item.activityRequest.taskId = task
    item.activityRequest.taskExecutionId = f"{instance}-execution"
    item.activityRequest.workflowInstance.instanceId = instance
    return item.SerializeToString()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - of lists, which have no event
            await asyncio.sleep(0.02)


class Worker:
    """Takes work, and gives each activity a result, or an error."""

    def __init__(self, tap, *, fails=False):
        self._channel = grpc.aio.insecure_channel(tap)
        self._fails = fails
        self.got = []
        self._running = asyncio.create_task(self._work())

    async def _work(self):
        async for body in self._channel.unary_stream(WORK)(b""):
            request = durabletask.WorkItem.FromString(body).activityRequest
            self.got.append(request.name)
            instance = request.workflowInstance.instanceId
            response = durabletask.ActivityResponse(instanceId=instance, taskId=request.taskId)
            if self._fails:
                response.failureDetails.errorType = "ValueError"
            await self._channel.unary_unary(ACTIVITY_ENDS)(response.SerializeToString())

    async def stop(self):
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._channel.close()


def talk(journal, url, points, steps, **options):
    """Run `steps(sidecar, worker)` with a tap between the two."""

    async def run():
        async with tapped(journal, url=url, points=points) as (sidecar, tap):
            worker = Worker(tap, **options)
            await steps(sidecar, worker)
            await worker.stop()
            sidecar.work.put_nowait(None)

    asyncio.run(run())


def test_before_its_body_an_activity_waits_and_no_other_does(harness, journal):
    async def steps(sidecar, worker):
        sidecar.work.put_nowait(activity())
        await until(lambda: harness.announced)
        sidecar.work.put_nowait(activity("quote_v1", task=6))
        await until(lambda: [result.taskId for result in sidecar.results] == [6])
        assert worker.got == ["quote_v1"]
        harness.go.set()
        await until(lambda: [result.taskId for result in sidecar.results] == [6, 5])

    talk(journal, harness.url, ("ship_v1:before_body",), steps)

    (announced,) = harness.announced
    assert (announced.instance_id, announced.activity, announced.task_id) == ("a", "ship_v1", 5)
    assert (announced.point, announced.node, announced.attempt_id) == ("before_body", "sidecar-0", "a-execution")


def test_after_its_return_a_result_waits(harness, journal):
    async def steps(sidecar, worker):
        sidecar.work.put_nowait(activity())
        await until(lambda: harness.announced)
        assert worker.got == ["ship_v1"]
        assert sidecar.results == []
        harness.go.set()
        await until(lambda: len(sidecar.results) == 1)

    talk(journal, harness.url, ("ship_v1:after_return",), steps)

    assert [announced.point for announced in harness.announced] == ["after_return"]


def test_a_result_that_is_held_when_its_application_dies_never_reaches_the_sidecar(harness, journal):
    async def steps(sidecar, worker):
        sidecar.work.put_nowait(activity())
        await until(lambda: harness.announced)
        await worker.stop()
        await asyncio.sleep(0.1)
        harness.go.set()
        await asyncio.sleep(0.2)
        assert sidecar.results == []

    talk(journal, harness.url, ("ship_v1:after_return",), steps)


def test_an_activity_that_fails_does_not_return(harness, journal):
    async def steps(sidecar, _):
        sidecar.work.put_nowait(activity())
        await until(lambda: len(sidecar.results) == 1)

    talk(journal, harness.url, ("ship_v1:after_return",), steps, fails=True)

    assert harness.announced == []


def test_an_activity_goes_on_where_nobody_takes_announcements(harness, journal):
    harness.close()

    async def steps(sidecar, _):
        sidecar.work.put_nowait(activity())
        await until(lambda: len(sidecar.results) == 1)

    talk(journal, harness.url, ("ship_v1:before_body", "ship_v1:after_return"), steps)


def saving(journal, url, steps, operations=("save",)):
    """Run `steps(sidecar, call)` with a tap that holds answers to these operations of Dapr's API."""

    async def run():
        async with (
            tapped(journal, url=url, operations=operations) as (sidecar, tap),
            grpc.aio.insecure_channel(tap) as to,
        ):
            await steps(sidecar, to.unary_unary(SAVE))

    asyncio.run(run())


def test_after_an_effect_the_answer_to_its_call_waits(harness, journal):
    async def steps(sidecar, save):
        call = asyncio.ensure_future(save(b"\xff asked"))
        await until(lambda: harness.announced)
        assert sidecar.saved == [b"\xff asked"], "the effect is there"
        await asyncio.sleep(0.1)
        assert not call.done()
        harness.go.set()
        assert await call == b""

    saving(journal, harness.url, steps)

    (held,) = harness.announced
    assert (held.node, held.method, held.body) == ("sidecar-0", "SaveState", b"\xff asked")


def test_a_call_that_was_refused_has_no_effect_and_its_refusal_does_not_wait(harness, journal):
    async def steps(_, save):
        with pytest.raises(grpc.aio.AioRpcError, match="another etag"):
            await save(b"stale")

    saving(journal, harness.url, steps)

    assert harness.announced == []


def test_an_answer_goes_on_where_it_is_no_point_or_nobody_takes_announcements(harness, journal):
    async def steps(_, save):
        assert await save(b"asked") == b""

    saving(journal, harness.url, steps, operations=("publish",))
    assert harness.announced == []
    harness.close()
    saving(journal, harness.url, steps)


def test_the_words_in_front_of_a_sidecar_say_all_that_a_tap_needs():
    given = act("127.0.0.1:1", share=0.5, peers={"sidecar-1": "127.0.0.1:2"}, points=("ship_v1:before_body",))

    *_, module, text = given.command()

    assert module == "harness.tap.act"
    assert json.loads(text)["peers"] == {"sidecar-1": "127.0.0.1:2"}
