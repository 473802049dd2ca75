"""Runs in containers: the same verdicts, and nothing of ours left in the engine on any way out."""

import json
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from harness.backends import containers
from tests.builders import lines
from tests.builders.command import BIN, ROOT, left, until
from tests.builders.hangs import fill

pytestmark = pytest.mark.compose

SCENARIO = "tests/e2e/short_kill.yaml"


@pytest.fixture(name="ours")
def _ours(tmp_path):
    """Whether the engine holds anything of a run in this test's folder."""
    with closing(containers.connect()) as engine:
        yield lambda: [run for run in containers.owners(engine) if run.is_relative_to(tmp_path)]


def test_a_killed_sidecar_is_felt_and_the_promises_are_kept(harness, ours):
    finished = harness.run(SCENARIO, "--backend", "compose")

    assert finished.holds(), finished.out
    fault = finished.verdict["faults"][0]
    assert fault["fault"] == "kill"
    assert fault["felt_after"] is not None
    agree = next(each for each in finished.verdict["findings"] if each["name"] == "record_attempts")
    assert (agree["result"], agree["examined"] > 100) == ("HOLDS", True)
    plan = json.loads((finished.run / "plan.json").read_text())
    for node in plan["nodes"]:
        assert (finished.run / f"logs/{node}.log").is_file(), node
    assert ours() == []
    assert left(finished.runs) == []


def test_a_run_on_postgres_reads_it_and_does_to_it_what_the_plan_says(harness, ours):
    with closing(containers.connect()) as engine:
        if not engine.images.list("postgres:15"):
            pytest.skip("no postgres:15 (`harness images build --overlay postgres`)")

    finished = harness.run("tests/e2e/refused_store.yaml", "--backend", "compose", "--store", "postgres")

    assert finished.holds(), finished.out
    faults = {fault["fault"]: fault["felt_after"] is not None for fault in finished.verdict["faults"]}
    assert faults == {"disconnect": True, "read_only": True}
    assert finished.finding("history_whole")["examined"] > 30, "it was read from there"
    assert (finished.run / "logs/postgres.log").is_file()
    assert not (finished.run / "logs/redis.log").exists()
    assert "login" not in (finished.run / "endpoints.json").read_text()
    assert ours() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_in_the_engine_after_an_end_in_the_middle(number, tmp_path, ours):
    with subprocess.Popen(
        [BIN / "harness", "run", SCENARIO, "--backend", "compose", "--out", tmp_path],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        # In the load, with a fault in force; but SIGKILL in the middle of the start, which is harder.
        if number == signal.SIGKILL:
            until(ours, 60)
        else:
            faults = tmp_path / "latest/journal/faults.jsonl"
            until(lambda: any(row["event"] == "felt" for row in lines.read(faults)), 150)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=120)

    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), printed
    until(lambda: not ours() and not left(tmp_path), 30)


def test_ctrl_c_ends_a_run_whose_engine_hangs_while_compose_starts_the_system(tmp_path):
    cell = fill("docker", "up", tmp_path, signals=1)  # fails unless the guard removes all once the engine answers

    assert cell.code in (70, 130), cell.said
    assert cell.seconds < 90
    told = cell.said.partition("what the run left in the engine (")[2]
    assert cell.left
    assert set(cell.left) <= set(told.partition(")")[0].split(", "))
    assert "docker compose --project-name" in told


def test_a_system_that_is_left_up_answers_and_is_ended_by_down(harness, ours, tmp_path):
    harness("up", "--backend", "compose", "--out", tmp_path, check=0)
    run = Path(tmp_path, "latest").resolve()
    assert ours() == [run]
    assert left(tmp_path) == []  # nobody watches over it any more

    harness("down", "--out", tmp_path, check=0)

    assert ours() == []
    assert (run / "logs/app-0.log").is_file()
