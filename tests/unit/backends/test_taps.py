"""A service whose calls are effects has a tap before it, where that can be, and no other service has one."""

import itertools
import sys

import pytest

from harness.backends.base import BackendName
from harness.backends.endpoints import Address
from harness.backends.taps import Taps
from harness.errors import UsageError
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


def test_where_calls_to_a_service_cannot_be_recorded_that_is_told(calling):
    with pytest.raises(UsageError, match=r"compose does not record calls to a service.*--backend processes"):
        refuse_unservable(calling, BackendName.COMPOSE)
