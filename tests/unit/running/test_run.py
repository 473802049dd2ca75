"""The life cycle of a run, on a system in memory."""

import io
import json
import os
import signal
import time

import pytest
from rich.console import Console

from harness.backends.base import Death
from harness.backends.memory import Memory
from harness.errors import EvidenceError, LeftError, NodeError, UsageError
from harness.evidence.engine import State
from harness.journal import Journal
from harness.model import Stall
from harness.planning.request import Request
from harness.rows import Completed, Dropped, Invoked, LoadBegan, LoadEnded
from harness.rundir import create
from harness.running import canary
from harness.running import run as running
from harness.running.run import Run
from harness.running.screen import Screen
from tests.builders import lines

SHORT = ("load.duration=1s", "checks.settle=1s", "checks.stall=200ms", "faults=[]")
LEDGERS = ("before canary-0, canary-1", "after")
KILL = "faults=[{fault: kill, on: sidecar-0, at: 100ms, for: 100ms}]"


class Load:
    """
    A load of three starts, which are answered at once. `until` it returns true the load goes on; then it says that it
    `lasted` so many seconds, or nothing.
    """

    def __init__(self, run, until=lambda: True, *, dropped=0, begins=True, lasted=1.0):
        self.run, self.until, self.dropped, self.begins, self.lasted = run, until, dropped, begins, lasted
        self.ended = False

    def start(self):
        if not self.begins:
            return
        with Journal(self.run.journals.operations("1")) as journal:
            for number in range(3):
                call = {"op_id": f"1/{number}", "at_ns": time.time_ns()}
                about = {"instance_id": f"i{number}", "workflow": "order_v1", "kind": "plain", "client": "1"}
                journal.write(Invoked(**call, **about, node="app-0", attempt=1, intended_ns=time.time_ns()))
                journal.write(Completed(**call, outcome="ok", status=202, detail=None))
        with Journal(self.run.journals.load) as journal:
            self.began_ns = time.time_ns()
            journal.write(LoadBegan(at_ns=self.began_ns))

    pids = ()

    def alive(self):
        if self.begins and not self.ended and self.until():
            self.stop()
        return self.begins and not self.ended

    def stop(self):
        if self.begins and not self.ended:
            self.ended = True
            if self.lasted is None:
                return
            with Journal(self.run.journals.load) as journal:
                journal.write(LoadEnded(at_ns=self.began_ns + round(self.lasted * 1e9), dropped=self.dropped))


class Witnesses:
    """Every instance has completed, but for those that are `stuck`."""

    def __init__(self, stuck=()):
        self.stuck = set(stuck)
        self.asked = []
        self.known = set()
        self.ends = State("COMPLETED", "completed", 9)

    def states(self, ids, _outcome):
        return {i: State(None, None, 3) if i in self.stuck else self.ends for i in ids}

    def ids(self):
        return self.known

    def begin(self, canaries):
        self.asked.append(f"before {', '.join(canaries)}")

    def refuse_unfit(self, required):
        self.asked.append("after")

    def idle(self):
        return True

    def stall(self, waiting, phase, after):
        self.asked.append(phase)
        return Stall(at_ns=1, phase=phase, after=after, waiting=len(waiting), workers={}, instances=())

    def collect_living(self):
        return ["readings: not asked"]

    def collect_stopped(self):
        return []

    def close(self):
        self.asked.append("closed")


@pytest.fixture(name="made")
def _made(tmp_path, monkeypatch):
    """A run that can be executed: `made(settings, load options, stuck)` -> run, folder, memory, witnesses, output."""
    monkeypatch.setattr(running, "_TICK", 0.01)

    def make(*settings, stuck=(), load=None, **options):
        plan = Request("baseline", settings=(*SHORT, *settings)).plan(1)
        folder = create(tmp_path, "baseline", 1)
        memory, witnesses = Memory(plan), Witnesses(stuck)
        console = Console(record=True, width=200, file=io.StringIO())
        generator = (load or Load)(folder, **options)
        run = Run(plan, folder, memory, generator, Screen("baseline", console), lambda *_: witnesses)
        return run, folder, memory, witnesses, console

    return make


def phases(folder):
    rows = lines.read(folder.journals.phases)
    return {row["phase"]: row.get("detail") for row in rows if row["event"] == "end"}


def test_a_run_goes_through_its_phases_and_leaves_nothing_up(made):
    run, folder, memory, witnesses, _ = made()

    ended = run.execute()

    assert (ended.interrupted, ended.missing) == (False, ("readings: not asked",))
    assert phases(folder) == dict.fromkeys(("up", "load", "heal", "settle", "collect"))
    assert [what for what, _ in memory.did] == ["up", "quiesce", "down", "down"]
    assert witnesses.asked == [*LEDGERS, "closed"]
    assert json.loads((folder.path / "endpoints.json").read_text())["backend"] == "memory"
    assert {row["client"] for row in lines.read(folder.journals.operations("canary")) if "client" in row} == {"canary"}
    assert "evidence/phases.parquet" in folder.sums.read_text()


def test_a_fault_of_the_plan_is_applied_and_healed_while_the_load_goes_on(made):
    run, folder, memory, _, _ = made(KILL)

    run.execute()

    assert [row["event"] for row in lines.read(folder.journals.faults)] == ["intent", "applied", "felt", "healed"]
    assert memory.did[1:3] == [("kill", "sidecar-0"), ("start", "sidecar-0")]


def test_a_canary_that_is_refused_ends_the_run_before_its_load(made):
    run, folder, memory, _, _ = made()
    memory.accepts = 503

    with pytest.raises(NodeError, match="app-0 did not accept a canary: 503"):
        run.execute()
    assert memory.did[-1] == ("down", "")
    assert not folder.journals.load.exists()


def test_an_output_of_another_shape_than_declared_ends_the_run_before_its_load(made):
    run, folder, _, witnesses, _ = made()
    witnesses.ends = State("COMPLETED", None, 9, '{"processed": true}')

    with pytest.raises(UsageError) as caught:
        run.execute()

    assert 'canary-0 ended with the output {"processed": true}; `outcome: outcome` finds no word in it' in str(
        caught.value
    )
    assert "declares the outcomes completed, compensated, rejected of order_v1" in str(caught.value)
    assert "load" not in phases(folder)


def test_an_application_that_chooses_its_own_ids_ends_the_run_before_its_load(made, monkeypatch):
    monkeypatch.setattr(canary, "_LOOK", 0.0)
    run, _, _, witnesses, _ = made(stuck=["canary-0", "canary-1"])
    answers = iter([set()])
    monkeypatch.setattr(witnesses, "ids", lambda: next(answers, {"3f2a"}))

    with pytest.raises(
        UsageError, match=r"canary-0, canary-1 was accepted, and .* it has 3f2a, which nobody asked for"
    ):
        run.execute()


def test_a_load_that_never_begins_is_no_run(made):
    run, _, memory, _, _ = made(begins=False)

    with pytest.raises(NodeError, match="the load generator never began"):
        run.execute()
    assert memory.did[-1] == ("down", "")


def test_a_node_that_ends_by_itself_is_a_fault_that_no_plan_holds(made):
    run, folder, memory, _, console = made()
    memory.ended["placement-0"] = Death(pid=7, started=1.0, status=1)

    run.execute()

    (row,) = lines.read(folder.journals.faults)
    assert (row["step"], row["fault"], row["node"], row["event"]) == (-1, "exit", "placement-0", "applied")
    assert row["proof"] == {"pid": 7, "status": 1}
    assert "placement-0 ended by itself (exit status 1)" in console.export_text()


def test_what_stands_still_while_settling_is_told_once_and_waited_out(made):
    run, folder, _, witnesses, console = made(stuck=["i1"])

    run.execute()

    assert witnesses.asked == [*LEDGERS, "settle", "closed"]
    assert folder.load_stall().waiting == 1
    assert phases(folder)["settle"] is None
    assert "1 instances have not moved" in console.export_text()


def test_a_node_that_somebody_else_has_stopped_keeps_instances_from_their_end(made):
    run, folder, memory, _, console = made(stuck=["i1"])
    memory.halts = {"toxiproxy"}

    run.execute()

    told = "toxiproxy was stopped by a signal that is not the run's"
    assert phases(folder)["settle"] == told
    assert told in console.export_text()


def test_a_node_that_is_stopped_when_all_has_ended_is_not_of_interest(made):
    run, folder, memory, _, _ = made()
    memory.halts = {"toxiproxy"}

    run.execute()

    assert phases(folder)["settle"] is None


def test_a_run_that_stands_still_is_given_up_with_the_reason(made, monkeypatch):
    monkeypatch.setattr("harness.running.safety._EVERY", 0.0)
    run, folder, _, witnesses, console = made("safety.standstill=300ms", stuck=["i1"], until=lambda: False)

    run.execute()

    assert "nothing moved for" in phases(folder)["load"]
    assert witnesses.asked[2] == "load"
    assert "given up: nothing moved for" in console.export_text()


@pytest.mark.parametrize(
    ("lasted", "told"),
    [(0.4, "the load was stopped after 0.4 s of 1 s"), (None, "the load generator ended and did not say so")],
)
def test_a_load_that_somebody_stopped_is_told_in_the_phase(made, lasted, told):
    run, folder, _, _, _ = made(lasted=lasted)

    run.execute()

    assert phases(folder)["load"] == told


def test_arrivals_that_were_dropped_are_told_in_the_phase(made):
    run, folder, _, _, _ = made(dropped=2)

    run.execute()

    assert phases(folder)["load"] == "2 arrivals were dropped: too many were in flight"


def test_a_start_that_is_dropped_is_told_while_the_load_goes_on(made):
    run, folder, _, _, console = made(until=lambda: "starts are dropped" in console.export_text(clear=False))
    with Journal(folder.journals.operations("2")) as journal:
        for number in range(2):
            journal.write(Dropped(instance_id=f"x{number}", client="2", intended_ns=1, at_ns=1))

    run.execute()

    told = "starts are dropped: 2000 wait for their answers (load.max_in_flight)"
    assert console.export_text().count(told) == 1


def press_when_felt(folder):
    """Press Ctrl-C once a fault is felt; the load goes on."""
    if any(row["event"] == "felt" for row in lines.read(folder.journals.faults)):
        os.kill(os.getpid(), signal.SIGINT)
    return False


def test_ctrl_c_heals_settles_collects_and_is_judged(made):
    run, folder, memory, _, console = made(
        "faults=[{fault: pause, on: sidecar-0, at: 0s, for: 60s}]", until=lambda: press_when_felt(folder)
    )

    ended = run.execute()

    assert ended.interrupted
    assert [row["event"] for row in lines.read(folder.journals.faults)][-1] == "healed"
    assert set(phases(folder)) == {"up", "load", "heal", "settle", "collect"}
    assert "interrupted: healing" in console.export_text()
    assert memory.did[-1] == ("down", "")


def test_ctrl_c_twice_heals_and_leaves(made):
    run, folder, memory, _, _ = made(KILL.replace("for: 100ms", "for: 60s"), until=lambda: press_when_felt(folder))
    start = memory.start

    def start_and_press(node):
        start(node)
        os.kill(os.getpid(), signal.SIGINT)

    memory.start = start_and_press

    with pytest.raises(LeftError, match="every fault was healed and nothing is left running"):
        run.execute()
    assert memory.did[-1] == ("down", "")
    assert set(phases(folder)) == {"up", "load"}


def test_a_ledger_that_cannot_be_used_ends_the_run_before_its_load(made):
    for method in ("begin", "refuse_unfit"):
        run, folder, memory, witnesses, _ = made()

        def refuse(*_):
            raise EvidenceError("no such table: charges")

        setattr(witnesses, method, refuse)
        with pytest.raises(EvidenceError, match="no such table") as caught:
            run.execute()

        assert caught.value.exit_code == 70
        assert not folder.journals.load.exists()
        assert memory.did[-1][0] == "down"
