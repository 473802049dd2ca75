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
    assert "latency of sidecar-0->redis (step 0) was not healed" in verdict["reasons"]
    assert "stuck" not in verdict["classes"]
    assert not cell.left


def test_two_signals_end_a_run_whose_toxiproxy_hangs(tmp_path):
    cell = fill("toxiproxy", "load", tmp_path, signals=2)

    assert cell.code == 130, cell.said
    assert cell.seconds < 30
    assert not cell.left
