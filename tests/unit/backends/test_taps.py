"""A service whose calls are effects has a tap before it, where that can be, and no other service has one."""

import itertools
import json
import sys

import pytest

from harness.backends.endpoints import Address
from harness.backends.taps import Taps
from harness.errors import UsageError
from harness.model import Aim, Step
from harness.names import BackendName
from harness.planning.powers import refuse_unservable
from harness.rundir import RunDir
from tests.builders import tutorial

BANK = Address(host="127.0.0.1", port=9)


@pytest.fixture(name="calling")
def _calling():
    charges = {"calls": "bank", "path": "/charges", "row": {"instance_id": "x", "effect": "y", "key": None}}
    program = {"command": ["python", "bank.py"]}
    return tutorial.plan(services={"bank": program, "mail": program}, ledgers=[charges])


def test_the_tap_of_a_service_records_what_its_link_brings(calling, tmp_path):
    ports = itertools.count(20_000)
    taps = Taps(calling, RunDir(tmp_path), lambda: Address(host="127.0.0.1", port=next(ports)), None)

    entrance = taps.entrance("bank-0")

    assert taps.words("bank-0", BANK) == (
        *(sys.executable, "-P", "-m", "harness.tap"),
        *(str(entrance), str(BANK), str(tmp_path / "taps"), "bank-0"),
    )
    assert (taps.entrance("mail-0"), taps.words("mail-0", BANK)) == (None, ())


def test_before_a_service_and_a_sidecar_answers_are_held_where_a_fault_waits_for_them(tmp_path):
    row = {"instance_id": "x", "key": None}
    plan = tutorial.plan(
        {"activities": {"charge": {"effect": "charge"}, "note": {"effect": "note"}}},
        services={"bank": {"command": ["python", "bank.py"]}},
        ledgers=[
            {"calls": "bank", "path": "/charges", "row": {**row, "effect": "'charge'"}},
            {"observed": "save", "matching": "*", "row": {**row, "effect": "'note'"}},
        ],
    ).model_copy(update={"tap": True})

    def taps(activity):
        aim = Aim(activity=activity, point="after_effect", occurrence=1, own=True)
        step = Step(step=0, fault="kill", nodes=("app-0",), at=0, hold=1, settings={}, aim=aim)
        ports = itertools.count(20_000)
        take = lambda: Address(host="127.0.0.1", port=next(ports))  # noqa: E731
        return Taps(plan.model_copy(update={"steps": (step,)}), RunDir(tmp_path), take, take())

    charging, noting = taps("charge"), taps("note")

    assert charging.acting("sidecar-0") is None
    assert charging.words("bank-0", BANK)[:6] == (
        *(sys.executable, "-P", "-m", "harness.tap.service"),
        *(str(charging.entrance("bank-0")), "127.0.0.1:20002"),
    )
    assert charging.words("bank-0", BANK)[6:8] == ("bank-0", "http://127.0.0.1:20000")
    assert charging.words("bank-0", BANK)[11:14] == ("harness.tap", "127.0.0.1:20002", str(BANK))
    assert noting.words("bank-0", BANK)[3] == "harness.tap"
    assert json.loads(noting.words("sidecar-0", BANK)[4])["operations"] == ["save"]


def test_where_calls_to_a_service_cannot_be_recorded_that_is_told(calling):
    with pytest.raises(UsageError, match=r"compose does not record calls to a service.*--backend processes"):
        refuse_unservable(calling, BackendName.COMPOSE)
