"""The reference target's pure parts, its ledger, and its providers over real HTTP."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from ruamel.yaml import YAML

from harness.model import Retry
from harness.planning.target import load
from target import defects, providers, stock, workflows
from target.contract import Attempts
from target.ledger import ClosedError, Ledger, Shipment
from target.workflows import cheapest

SHIPMENT = Shipment("o1", "heron", 2, 700)


@pytest.mark.parametrize(
    ("quotes", "chosen"),
    [
        ({"heron": 3, "kestrel": 2, "swift": 4}, "kestrel"),
        ({"heron": None, "kestrel": 9, "swift": None}, "kestrel"),
        ({"swift": 2, "heron": 2}, "heron"),
        ({"heron": None}, None),
        ({}, None),
    ],
)
def test_the_cheapest_that_answered_is_chosen(quotes, chosen):
    assert cheapest(quotes) == chosen


def test_stock_is_reserved_once_for_an_order():
    once = stock.reserve(stock.new("scarce-0"), "o1", 2)

    assert once["available"] == 1
    assert stock.reserve(once, "o1", 2) is None
    assert [m["attributes"] for m in once["movements"]] == [{"quantity": 2, "available": 1, "initial": 3}]


def test_stock_that_is_not_there_is_not_reserved():
    with pytest.raises(stock.InsufficientError, match="scarce-0: 4 wanted, 3 available"):
        stock.reserve(stock.new("scarce-0"), "o1", 4)


def test_stock_is_released_once_and_only_what_was_reserved():
    held = stock.reserve(stock.new("scarce-0"), "o1", 2)
    released = stock.release(held, "o1")

    assert released["available"] == 3
    assert stock.release(released, "o1") is None


def test_an_order_that_was_released_before_it_was_reserved_is_never_reserved():
    """An execution that was cut off can come back after everybody gave up on it."""
    closed = stock.release(stock.new("scarce-0"), "o1")

    assert closed["movements"] == []
    assert stock.reserve(closed, "o1", 1) is None
    assert stock.release(closed, "o1") is None


def test_a_reservation_that_was_released_is_not_made_again():
    """An execution that was cut off can come back after the compensation."""
    released = stock.release(stock.reserve(stock.new("scarce-0"), "o1", 2), "o1")

    assert stock.reserve(released, "o1", 2) is None


@pytest.fixture(name="ledger")
def _ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def kept(ledger):
    return [(row["effect"], row["key"]) for row in ledger.effects()]


def test_a_shipment_is_committed_once_under_its_key(ledger):
    assert ledger.ship("k", SHIPMENT) == ledger.ship("k", SHIPMENT) == "k"
    assert kept(ledger) == [("ship", "k")]


def test_another_key_is_another_shipment(ledger):
    ledger.ship("k1", SHIPMENT)
    ledger.ship("k2", SHIPMENT)

    assert kept(ledger) == [("ship", "k1"), ("ship", "k2")]


def test_a_cancelled_order_keeps_both_effects_and_is_cancelled_once(ledger):
    ledger.ship("k", SHIPMENT)

    assert [ledger.cancel("o1"), ledger.cancel("o1")] == [1, 0]
    assert kept(ledger) == [("ship", "k"), ("cancel", "k")]


def test_nothing_is_shipped_for_an_order_that_was_cancelled_before(ledger):
    assert ledger.cancel("o1") == 0

    with pytest.raises(ClosedError):
        ledger.ship("k", SHIPMENT)
    assert kept(ledger) == []


def test_the_ledger_survives_its_process(ledger, tmp_path):
    ledger.ship("k", SHIPMENT)
    again = Ledger(tmp_path / "ledger.sqlite")

    assert list(again.effects()) == list(ledger.effects())
    again.close()


def calls(ledger, kind, times=1):
    """What a client sees of so many tries to register: the status, or None for a lost answer."""

    async def run():
        seen = []
        async with TestServer(providers.build(ledger)) as server, aiohttp.ClientSession() as client:
            for _ in range(times):
                order = {"order_id": "o1", "kind": kind, "quantity": 1, "price": 600}
                url = server.make_url("/providers/heron/shipments")
                try:
                    async with client.post(url, json=order, headers={"Idempotency-Key": "k"}) as answer:
                        seen.append(answer.status)
                except aiohttp.ClientConnectionError:
                    seen.append(None)
            async with client.get(server.make_url("/effects")) as answer:
                lines = [json.loads(line) async for line in answer.content]
        return seen, [line["effect"] for line in lines]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("kind", "seen", "effects"),
    [
        ("plain", [200, 200, 200], ["ship"]),
        ("refused", [422, 422, 422], []),
        ("flaky", [503, 503, 200], ["ship"]),
        ("lost_answer", [None, 200, 200], ["ship"]),
        ("lost_for_good", [None, None, None], ["ship"]),
    ],
)
def test_a_kind_says_how_the_provider_treats_the_order(ledger, kind, seen, effects):
    assert calls(ledger, kind, 3) == (seen, effects)


def test_at_most_one_provider_keeps_silent_and_prices_are_always_the_same():
    prices = [[providers.price(p, f"o{n}", 1) for p in providers.PROVIDERS] for n in range(1000)]

    assert prices == [[providers.price(p, f"o{n}", 1) for p in providers.PROVIDERS] for n in range(1000)]
    assert {order.count(None) for order in prices} == {0, 1}
    assert 30 < sum(None in order for order in prices) < 100


def test_an_execution_leaves_a_line_at_its_start_and_one_at_its_end(tmp_path):
    attempts = Attempts(tmp_path / "attempts.jsonl", "app-0")
    attempts.end(attempts.begin("o1", "reserve_stock_v1", 3), ValueError("no"))

    start, end = map(json.loads, (tmp_path / "attempts.jsonl").read_text().splitlines())
    assert (start["instance_id"], start["activity"], start["task_id"], start["node"]) == (
        ("o1", "reserve_stock_v1", 3, "app-0")
    )
    assert (end["attempt_id"], end["outcome"], end["detail"]) == (start["attempt_id"], "error", "ValueError: no")


def test_the_description_names_every_defect(pytestconfig):
    described = YAML(typ="safe").load(pytestconfig.rootpath / "target/target.yaml")

    assert tuple(described["defects"]) == defects.ALL


class Recorded:
    """What a workflow's code asks the engine for: each activity with its retry policy."""

    def __init__(self):
        self.asked = set()

    def call_activity(self, name, *, retry_policy=None, **_):
        self.asked.add((name, retry_policy))
        return name

    def create_timer(self, after):
        return None


def asked_for(monkeypatch, answers):
    """All (activity, policy) that an order asks for; `answers` has what each activity says, an exception included."""
    monkeypatch.setattr(workflows, "when_all", list)
    ctx = Recorded()
    order = workflows.order_v1(ctx, {"order_id": "o1", "sku": "s", "quantity": 1})
    told = next(order)
    while True:
        answer = [answers.get(name) for name in told] if isinstance(told, list) else answers.get(told)
        try:
            told = order.throw(answer) if isinstance(answer, Exception) else order.send(answer)
        except StopIteration:
            return ctx.asked


def test_the_description_declares_the_retries_that_the_code_asks_for(monkeypatch, pytestconfig):
    target = load(pytestconfig.rootpath / "target/target.yaml")
    described = {name: target.retries[name] for name in target.workflows[workflows.NAME].activities}
    reserved, quoted = {workflows.RESERVE: True}, {workflows.QUOTE: 5}
    asked = asked_for(monkeypatch, reserved) | asked_for(monkeypatch, reserved | quoted)

    assert len(asked) == len({name for name, _ in asked}), "an activity has one policy"
    assert described == {
        name: Retry(attempts=1)
        if policy is None
        else Retry(
            attempts=policy.max_number_of_attempts,
            first=policy.first_retry_interval.total_seconds(),
            backoff=policy.backoff_coefficient,
            max=policy.max_retry_interval and policy.max_retry_interval.total_seconds(),
        )
        for name, policy in asked
    }
