"""PostgreSQL as the state store of real Dapr: the same promises hold, and nothing of the server is left behind."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders import postgres
from tests.builders.command import left

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not postgres.HERE, reason="PostgreSQL is not installed")]


@pytest.fixture(name="out")
def _out():
    with postgres.folder() as folder:
        yield folder


def segments():
    """The keys of the segments of shared memory that are on this machine (System V)."""
    return {line.split()[0] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def test_the_reference_target_holds_on_postgres(harness, out):
    """Nothing is broken, so nothing that Dapr is known to do under faults can be met."""
    short = ("--duration", "8s", "--set", "checks.minimum={instances: 50}")
    finished = replace(harness("run", "baseline", "--store", "postgres", *short, "--out", out, check=0), runs=out)

    assert finished.holds(), finished.out
    assert {"completed", "compensated", "rejected"} <= finished.verdict["classes"].keys()
    assert (finished.run / "data/postgres/PG_VERSION").is_file()
    assert not (finished.run / "data/redis").exists()
    assert left(out) == []


def test_a_system_on_postgres_is_left_up_and_ended_whole(harness, out):
    up = harness("up", "--store", "postgres", "--out", out)
    try:
        assert up.code == 0, up.out
        assert left(out).count("postgres") > 3
        run = (out / "latest").resolve()
        segment = (run / "data/postgres/postmaster.pid").read_text().splitlines()[6].split()[0]
        assert segment in segments()
        assert "password" not in (run / "endpoints.json").read_text()
    finally:
        harness("down", "--out", out, check=0)
    assert left(out) == []
    assert segment not in segments()
