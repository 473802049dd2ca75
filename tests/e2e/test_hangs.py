"""A helper that hangs: the run ends in bounded time, says so, heeds Ctrl-C, and leaves nothing."""

import json

import pytest

from tests.builders.hangs import fill

pytestmark = pytest.mark.e2e


def test_a_toxiproxy_that_hangs_while_a_toxic_is_on_ends_the_run_as_unknown(tmp_path):
    cell = fill("toxiproxy", "load", tmp_path)

    assert cell.code == 2, cell.said
    assert cell.seconds < 120
    verdict = json.loads((tmp_path / "latest/verdict.json").read_text())
    # either link may be the first that feels its toxic, and the other one is then not even felt
    unhealed = [f"latency of sidecar-{replica}->redis (step 0) was not healed" for replica in range(2)]
    assert set(unhealed) & set(verdict["reasons"]), verdict["reasons"]
    assert "stuck" not in verdict["classes"]
    assert not cell.left


def test_two_signals_end_a_run_whose_toxiproxy_hangs(tmp_path):
    cell = fill("toxiproxy", "load", tmp_path, signals=2)

    assert cell.code == 130, cell.said
    assert cell.seconds < 30
    assert not cell.left
