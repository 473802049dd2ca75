"""Too little CPU and no room on the disk: real processes, held back and let go."""

import os
import sys
import time

import pytest

from harness.backends.base import Death
from harness.backends.process import Child, Spec
from harness.faults.base import NotFeltError
from harness.faults.starvation import DiskFull, Starve
from tests.builders.waiting import until

BUSY = "while True: pass"
IDLE = "import time; time.sleep(60)"
STUBBORN = """
import time
while True:
    try:
        with open("kept", "ab", 0) as kept: kept.write(b"x" * 100)
    except OSError:
        pass
    time.sleep(0.01)
"""
STRICT = """
import os, time
while True:
    with open("kept", "ab", 0) as kept: kept.write(b"x" * 100)
    time.sleep(0.01)
"""


class System:
    """A backend with the powers Starves and Fills, of one node."""

    def __init__(self, folder, program):
        command = (sys.executable, "-c", program)
        log = folder.with_suffix(".log")
        self.child = Child(Spec("node", command, dict(os.environ), folder, log, lambda: True))
        self.folder = folder
        self.child.spawn()

    def throttle(self, node, share):
        self.child.throttle(share)

    def unthrottle(self, node):
        self.child.unthrottle()

    def consumed(self, node):
        return self.child.consumed()

    def fill(self, node):
        self.child.fill()

    def empty(self, node):
        self.child.empty()

    def ended(self, node):
        return self.child.ended()

    def start(self, node):
        self.child.spawn()

    def written_ns(self, node):
        return max((file.stat().st_mtime_ns for file in self.folder.iterdir()), default=0)


@pytest.fixture(name="system")
def _system(tmp_path, monkeypatch):
    monkeypatch.setattr(DiskFull, "patience", 1.5)
    made = []

    def make(program):
        made.append(System(tmp_path / "data", program))
        return made[0]

    yield make
    for system in made:
        system.child.unthrottle()
        system.child.end()


def test_a_busy_node_is_held_to_its_share_and_let_go(system):
    busy = system(BUSY)
    fault = Starve(share=0.2)

    proof = fault.apply_and_prove(busy, "node")
    fault.heal(busy, "node")
    begun, _ = busy.consumed("node")

    assert proof["stopped_for_s"] > 0
    assert proof["cpu_during"] <= 0.25
    until(lambda: busy.consumed("node")[0] > begun + 0.1)


def test_a_node_that_wants_no_more_than_its_share_does_not_feel_it(system):
    with pytest.raises(NotFeltError, match=r"wanted no more than 0\.5 of a core"):
        Starve(share=0.5).apply_and_prove(system(IDLE), "node")


def test_a_node_that_is_killed_while_it_is_held_back_can_start_again(system):
    busy = system(BUSY)
    busy.throttle("node", 0.1)
    time.sleep(0.1)

    assert busy.child.kill().status == -9
    busy.start("node")
    busy.unthrottle("node")
    assert busy.ended("node") is None


def test_a_node_that_lives_with_a_full_disk_writes_nothing_until_there_is_room(system):
    stubborn = system(STUBBORN)
    fault = DiskFull()

    proof = fault.apply_and_prove(stubborn, "node")
    size = (stubborn.folder / "kept").stat().st_size
    fault.heal(stubborn, "node")

    assert proof["last_write_ms"] < 500
    assert stubborn.child.death() is None
    until(lambda: (stubborn.folder / "kept").stat().st_size > size)


def test_a_node_that_dies_of_a_full_disk_is_no_surprise_and_starts_again(system):
    strict = system(STRICT)
    fault = DiskFull()

    proof = fault.apply_and_prove(strict, "node")
    assert proof["status"] == 1
    assert strict.child.death() is None
    assert isinstance(strict.ended("node"), Death)

    fault.heal(strict, "node")
    assert strict.ended("node") is None


def test_a_node_that_writes_nothing_cannot_feel_it(system):
    with pytest.raises(NotFeltError, match="wrote nothing"):
        DiskFull().apply_and_prove(system(IDLE), "node")


def test_a_node_that_is_killed_and_started_again_is_still_held_to_its_share(system):
    busy = system(BUSY)
    busy.throttle("node", 0.3)
    busy.child.kill()
    busy.child.spawn()

    cpu, held = busy.consumed("node")
    time.sleep(1.0)  # the window in which CPU is counted
    cpu_then, held_then = busy.consumed("node")

    assert cpu_then - cpu < 0.5
    assert held_then > held
    busy.unthrottle("node")


def test_a_death_says_which_process_it_was(system):
    quick = system("pass")
    until(lambda: quick.ended("node") is not None)

    assert abs(quick.ended("node").started - time.time()) < 60
