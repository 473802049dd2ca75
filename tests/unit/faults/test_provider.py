"""The outside world misbehaves: what the reference target's providers then do, and how the fault proves it."""

import asyncio

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from harness.faults.base import NotFeltError
from harness.faults.provider import Misbehave
from target import providers
from target.ledger import Ledger
from target.misbehaviour import Misbehaviour


def seen(tmp_path, wanted, times):
    """What a client sees of so many shipments (a status, None for a lost answer), the ledger, and the counters."""

    async def run():
        ledger = Ledger(tmp_path / "ledger.sqlite")
        statuses = []
        async with TestServer(providers.build(ledger)) as server, aiohttp.ClientSession() as client:
            async with client.put(server.make_url("/misbehave"), json=wanted) as answer:
                assert answer.status == 200, await answer.text()
            for number in range(times):
                order = {"order_id": f"o{number}", "kind": "plain", "quantity": 1, "price": 600}
                url = server.make_url("/providers/heron/shipments")
                try:
                    async with client.post(url, json=order, headers={"Idempotency-Key": f"k{number}"}) as answer:
                        statuses.append(answer.status)
                except aiohttp.ClientConnectionError:
                    statuses.append(None)
            async with client.get(server.make_url("/misbehave")) as answer:
                done = await answer.json()
        effects = [row["instance_id"] for row in ledger.effects()]
        ledger.close()
        return statuses, effects, {kind: count for kind, count in done.items() if count}

    return asyncio.run(run())


def test_errors_happen_before_anything_else(tmp_path):
    assert seen(tmp_path, {"errors": 0.5}, 4) == ([200, 503, 200, 503], ["o0", "o2"], {"errors": 2})


def test_a_lost_answer_is_lost_after_the_commit(tmp_path):
    assert seen(tmp_path, {"lost": 0.25}, 4) == ([200, 200, 200, None], ["o0", "o1", "o2", "o3"], {"lost": 1})


def test_nothing_asked_for_is_nothing_done(tmp_path):
    assert seen(tmp_path, {}, 3) == ([200, 200, 200], ["o0", "o1", "o2"], {})


def test_a_request_that_comes_twice_is_carried_out_twice_and_ships_once(tmp_path):
    assert seen(tmp_path, {"twice": 1.0}, 2) == ([200, 200], ["o0", "o1"], {"twice": 2})


@pytest.mark.parametrize("wanted", [{"eror": 1}, {"errors": 2}, {"errors": "often"}])
def test_what_is_not_understood_is_refused(wanted):
    with pytest.raises((ValueError, TypeError)):
        Misbehaviour().ask(wanted)


class Service:
    """A service that can misbehave, in memory; `meets` of its kinds meet a request between two looks."""

    def __init__(self, meets):
        self.counts = dict.fromkeys(("errors", "slow", "lost", "twice"), 5)
        self.meets = meets
        self.wanted = None

    def misbehave(self, node, wanted):
        if wanted is not None:
            self.wanted = dict(wanted)
        elif self.wanted:
            self.counts |= {kind: self.counts[kind] + 1 for kind in self.meets}
        return dict(self.counts)


def test_it_is_proved_by_the_services_own_record_and_healed():
    service = Service({"errors", "lost"})
    fault = Misbehave(errors=0.5, lost=0.1)

    assert fault.apply_and_prove(service, "provider-0") == {"errors": 1, "lost": 1}
    assert service.wanted == {"errors": 0.5, "lost": 0.1, "delay": 1.0}
    fault.heal(service, "provider-0")
    assert service.wanted == {}


def test_a_kind_of_trouble_that_no_request_met_is_not_felt(monkeypatch):
    monkeypatch.setattr(Misbehave, "patience", 0.1)
    with pytest.raises(NotFeltError, match="no request met") as caught:
        Misbehave(errors=0.5, lost=0.1).apply_and_prove(Service({"errors"}), "provider-0")
    assert caught.value.proof["lost"] == 0


def test_asking_for_nothing_is_refused():
    with pytest.raises(ValidationError, match="at least one of errors, slow, lost, twice must be above 0"):
        Misbehave()
