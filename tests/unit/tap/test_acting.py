"""A tap that acts, between a made-up sidecar and made-up workers: turns are executed twice, and nobody notices."""

import asyncio
import json
from contextlib import asynccontextmanager

import grpc
import pytest
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2 as durabletask

from harness.journal import Journal
from harness.rows import TurnTwice
from harness.tap import acting
from harness.tap.acting import Acting
from tests.builders.sidecar import TURN_ENDS, WORK, Sidecar, act, serving, tapped


@asynccontextmanager
async def worker(at, execute, *, echoes=True):
    """Executes turns: `execute(item)` gives the names of the activities that it orders."""

    async def run(channel):
        async for body in channel.unary_stream(WORK)(b""):
            item = durabletask.WorkItem.FromString(body)
            token = item.completionToken if echoes else ""
            answer = durabletask.WorkflowResponse(instanceId=item.workflowRequest.instanceId, completionToken=token)
            for number, name in enumerate(execute(item)):
                answer.actions.add(id=number).scheduleTask.name = name
            await channel.unary_unary(TURN_ENDS)(answer.SerializeToString())

    async with grpc.aio.insecure_channel(at) as channel:
        running = asyncio.create_task(run(channel))
        await asyncio.sleep(0.1)
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def turn(instance="a", token="", past=1):
    item = durabletask.WorkItem(completionToken=token)
    item.workflowRequest.instanceId = instance
    for _ in range(past):
        item.workflowRequest.pastEvents.add()
    item.workflowRequest.newEvents.add()
    return item.SerializeToString()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - of a file and of lists, which have no event
            await asyncio.sleep(0.02)


def rows(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture(name="journal")
def _journal(tmp_path):
    with Journal[TurnTwice](tmp_path / "turns.jsonl") as turns:
        yield turns, tmp_path / "turns.jsonl"


def executed(journal, execute, *, share=1.0, more=None, echoes=True):
    """What the sidecar was answered on one turn, and what was written down."""
    turns, file = journal

    async def run():
        async with tapped(turns, share=share) as (sidecar, tap):
            async with worker(tap, execute, echoes=echoes):
                sidecar.work.put_nowait(turn(token="theirs"))
                await until(lambda: len(sidecar.answers) == 1)
                await until(lambda: len(rows(file)) == (1 if share else 0))
                if more is not None:
                    await more(tap)
            sidecar.work.put_nowait(None)
        return sidecar.answers

    return asyncio.run(run()), rows(file)


def test_a_turn_is_executed_twice_and_answered_once_with_its_own_token(journal):
    seen = []

    def execute(item):
        seen.append(item.completionToken)
        return ["reserve", "ship"]

    (answer,), (row,) = executed(journal, execute)

    assert len(set(seen)) == 2
    assert (answer.completionToken, answer.instanceId) == ("theirs", "a")
    assert [action.scheduleTask.name for action in answer.actions] == ["reserve", "ship"]
    about = ("instance_id", "node", "other", "past", "new", "same", "difference", "first", "second")
    assert tuple(row[name] for name in about) == ("a", "sidecar-0", "sidecar-0", 1, 1, True, None, None, None)


def test_what_only_one_of_them_ordered_is_kept_side_by_side(journal):
    names = iter(["heron", "swift"])

    _, (row,) = executed(journal, lambda item: ["reserve", next(names)])

    assert row["same"] is False
    ordered = {json.loads(row[which])["scheduleTask"]["name"] for which in ("first", "second")}
    assert ordered == {"heron", "swift"}
    assert row["difference"] in (
        "the first ordered heron with nothing, the second swift with nothing",
        "the first ordered swift with nothing, the second heron with nothing",
    )


def test_an_sdk_that_echoes_no_token_is_understood_all_the_same(journal):
    names = iter(["heron", "swift"])

    (answer,), (row,) = executed(journal, lambda item: ["reserve", next(names)], echoes=False)

    assert [action.scheduleTask.name for action in answer.actions] == ["reserve", "heron"]
    assert answer.completionToken == "theirs"
    assert row["difference"] == "the first ordered heron with nothing, the second swift with nothing"


def test_without_tokens_the_next_turn_waits_for_the_twin_and_no_answer_is_taken_for_another(journal):
    turns, file = journal

    async def run():
        async with tapped(turns, share=1.0) as (sidecar, tap):
            async with worker(tap, lambda item: [f"past {len(item.workflowRequest.pastEvents)}"], echoes=False):
                for past in range(1, 31):
                    sidecar.work.put_nowait(turn(past=past))
                    await until(lambda past=past: len(sidecar.answers) == past)  # the engine has one at a time
                await until(lambda: len(rows(file)) == 30)
            sidecar.work.put_nowait(None)
        return sidecar.answers

    answers = asyncio.run(run())

    assert [answer.actions[0].scheduleTask.name for answer in answers] == [f"past {past}" for past in range(1, 31)]
    assert {row["same"] for row in rows(file)} == {True}


def test_without_tokens_two_turns_of_one_instance_at_once_say_nothing(journal):
    turns, file = journal

    async def run():
        async with tapped(turns, share=1.0) as (sidecar, tap):
            async with grpc.aio.insecure_channel(tap) as channel:

                async def answer(name):
                    answer = durabletask.WorkflowResponse(instanceId="a")
                    answer.actions.add(id=0).scheduleTask.name = name
                    await channel.unary_unary(TURN_ENDS)(answer.SerializeToString())

                call = channel.unary_stream(WORK)(b"")
                sidecar.work.put_nowait(turn())
                sidecar.work.put_nowait(turn())
                await call.read()
                await call.read()  # the worker has both before it answers one; their twins wait for that
                await answer("heron")
                await answer("swift")
                for name in ("kestrel", "swallow"):
                    await call.read()
                    await answer(name)
                await until(lambda: len(rows(file)) == 2)
            sidecar.work.put_nowait(None)
        return sidecar.answers

    answers = asyncio.run(run())

    assert [action.scheduleTask.name for answer in answers for action in answer.actions] == ["heron", "swift"]
    assert [row["same"] for row in rows(file)] == [None, None]


def test_a_turn_does_not_wait_for_a_twin_whose_worker_has_gone(journal):
    turns, file = journal

    async def run():
        async with tapped(turns, share=1.0) as (sidecar, tap):
            async with grpc.aio.insecure_channel(tap) as channel:
                call = channel.unary_stream(WORK)(b"")
                sidecar.work.put_nowait(turn())
                item = durabletask.WorkItem.FromString(await call.read())
                answer = durabletask.WorkflowResponse(instanceId=item.workflowRequest.instanceId)
                await channel.unary_unary(TURN_ENDS)(answer.SerializeToString())
                await call.read()  # the twin, which gets no answer
                call.cancel()
            await until(lambda: rows(file))
            async with worker(tap, lambda item: ["ship"], echoes=False):
                sidecar.work.put_nowait(turn())
                await until(lambda: len(sidecar.answers) == 2)
            sidecar.work.put_nowait(None)

    asyncio.run(run())

    assert rows(file)[0]["same"] is None


def test_without_a_share_nothing_is_touched(journal):
    seen = []

    (answer,), none = executed(journal, lambda item: seen.append(item.completionToken) or ["ship"], share=0.0)

    assert (seen, answer.completionToken, none) == (["theirs"], "theirs", [])


def test_the_answer_to_a_twin_of_a_life_before_is_kept_from_the_sidecar_and_a_turns_is_not(journal):
    async def late(tap):
        async with grpc.aio.insecure_channel(tap) as channel:
            for token in ("harness-twin-sidecar-0-1-1", "harness-turn-sidecar-0-99"):
                answer = durabletask.WorkflowResponse(instanceId="late", completionToken=token)
                await channel.unary_unary(TURN_ENDS)(answer.SerializeToString())

    answers, _ = executed(journal, lambda item: [], more=late)

    assert [(answer.instanceId, answer.completionToken) for answer in answers] == [("a", "theirs"), ("late", "")]


def test_an_error_of_the_sidecar_arrives_as_it_is(journal):
    async def ask(tap):
        async with grpc.aio.insecure_channel(tap) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await channel.unary_unary("/other/Method")(b"asked", metadata=(("dapr-app-id", "orders"),))
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND
        assert raised.value.details() == "no such thing"
        assert ("why", "not here") in tuple(raised.value.trailing_metadata())

    executed(journal, lambda item: [], more=ask)


def test_a_twin_goes_to_another_replica_if_one_answers(journal, monkeypatch):
    monkeypatch.setattr(acting, "_AT_HOME", 0.0)
    turns, file = journal

    async def run():
        one, two = Sidecar(), Sidecar()
        async with serving(one) as a, serving(two) as b, serving(Acting(act(b, node="sidecar-1"), turns)) as there:
            tap = Acting(act(a, share=1.0, peers={"sidecar-1": there}), turns)
            async with serving(tap) as here, worker(here, lambda item: ["here"]):
                one.work.put_nowait(turn("alone"))  # nobody is connected over there
                await until(lambda: len(rows(file)) == 1)
                async with worker(there, lambda item: ["there"]):
                    one.work.put_nowait(turn("both"))
                    await until(lambda: len(rows(file)) == 2)
                    two.work.put_nowait(None)
            one.work.put_nowait(None)
        return one.answers, two.answers

    ours, theirs = asyncio.run(run())

    assert [answer.instanceId for answer in ours] == ["alone", "both"]
    assert theirs == []
    alone, both = rows(file)
    assert (alone["other"], alone["same"]) == ("sidecar-0", True)
    assert (both["other"], both["same"]) == ("sidecar-1", False)
    assert '"here"' in both["first"]
    assert '"there"' in both["second"]


def test_a_twin_without_an_answer_says_nothing(journal, monkeypatch):
    monkeypatch.setattr(acting, "_PATIENCE", 0.3)
    turns, file = journal

    async def run():
        async with tapped(turns, share=1.0) as (sidecar, tap):
            async with grpc.aio.insecure_channel(tap) as channel:
                call = channel.unary_stream(WORK)(b"")
                sidecar.work.put_nowait(turn())
                await until(lambda: rows(file))
                call.cancel()
            sidecar.work.put_nowait(None)

    asyncio.run(run())

    (row,) = rows(file)
    assert (row["same"], row["other"]) == (None, None)


def test_where_an_error_came_from_is_no_difference():
    one, two = durabletask.WorkflowResponse(), durabletask.WorkflowResponse()
    for number, answer in enumerate((one, two)):
        details = answer.actions.add().completeWorkflow.failureDetails
        details.errorMessage = f"no <Order object at 0x7f00000{number}>"
        details.stackTrace.value = f"line {number}"

    assert acting.orders(one) == acting.orders(two)

    two.actions[0].completeWorkflow.failureDetails.errorType = "ValueError"
    assert acting.orders(one) != acting.orders(two)


def test_neither_the_ids_of_calls_nor_the_order_in_which_actions_are_sent_is_a_difference():
    one, two = durabletask.WorkflowResponse(), durabletask.WorkflowResponse()
    for answer, numbers in ((one, (1, 2)), (two, (2, 1))):
        for number in numbers:
            action = answer.actions.add(id=number)
            action.scheduleTask.name = f"quote {number}"
            action.scheduleTask.taskExecutionId = str(id(action))  # Go's SDK draws one at random

    assert acting.orders(one) == acting.orders(two)

    two.actions[0].id, two.actions[1].id = 1, 2
    assert acting.orders(one) != acting.orders(two)


def test_a_difference_is_told_from_where_it_begins():
    def action(text):
        return json.dumps({"id": 1, "router": {}, "scheduleTask": {"name": "quote", "input": text}})

    one, two = action("a" * 500 + "1" * 500), action("a" * 500 + "2" * 500)

    told = acting.difference([one, "same"], [two, "same"])
    assert told == f"the first ordered ...{'a' * 60}{'1' * 60}, the second ...{'a' * 60}{'2' * 60}"
    assert acting.difference([one], []).endswith("the second nothing more")
    assert acting.difference([one, two], [two, one]) == "they ordered the same in another order"
    later = json.dumps({"id": 2, "scheduleTask": {"name": "quote", "input": "b"}})
    sooner = json.dumps({"id": 1, "scheduleTask": {"name": "quote", "input": "b"}})
    assert '"id": 2' in acting.difference([later], [sooner])
