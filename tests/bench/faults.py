"""
Faults: from command to proved effect and from heal to proved clean, in a real system under a light load, and beside
Chaos Toolkit doing the same kill and the same toxic.
"""

from __future__ import annotations

import http.client
import itertools
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from toxiproxy.api import APIConsumer

from harness import rundir
from harness.backends.endpoints import Address
from harness.backends.processes import Processes
from harness.faults import make
from harness.faults.base import NotFeltError, Proof
from harness.faults.broken_links import Timeout
from harness.planning import plan, scenario, target
from harness.runtime.locate import locate_all
from harness.runtime.versions import DAPR
from tests.bench import chaos_toolkit
from tests.bench.chaos_toolkit import ChaosToolkit
from tests.bench.table import Table

LINK, SIDECAR = "client->app-0", "sidecar-0"
MANY, SOME, FEW = 100, 40, 20
CLIENTS, PACE, REST = 4, 0.8, 0.1
"""How many start orders; seconds between two of one's; seconds that a fault is held and that then nothing is done."""
LATENCY_MS = 20
GOAL_MS, GOAL_RATIO = 50.0, 0.1


class Case(NamedTuple):
    """
    One fault, applied and healed so many times. `held` says of a proof how many milliseconds it took by design.
    """

    family: str
    fault: str
    node: str
    settings: Mapping[str, object] = {}
    times: int = SOME
    held: Callable[[Proof], float] = lambda _: 0.0
    rest: float = REST

    @property
    def name(self) -> str:
        return f"{self.fault} {self.node}" if self.family == "process" else self.fault


def slower(proof: Proof) -> float:
    """
    What the toxic added to the probe, where that depends on the bytes of the answer.
    """
    return proof["probe_during"] - proof["probe_before_ms"]


KILL = Case("process", "kill", SIDECAR, times=MANY)
LATENCY = Case("network", "latency", LINK, {"latency": LATENCY_MS / 1000}, MANY, held=lambda _: LATENCY_MS)
CASES = (
    KILL,
    Case("process", "kill", "app-0", times=FEW),
    Case("process", "stop", SIDECAR),
    Case("process", "pause", SIDECAR, held=lambda proof: proof["stalled_for_ms"]),
    LATENCY,
    Case("network", "timeout", LINK, held=lambda _: Timeout().patience() * 1000),
    Case("network", "reset", LINK),
    Case("network", "limit_data", LINK, {"bytes": 0}),
    Case("network", "bandwidth", LINK, {"rate": 1}, held=slower),
    Case("network", "slicer", LINK, held=slower),
    Case("network", "slow_close", LINK, {"delay": LATENCY_MS / 1000}, held=lambda _: LATENCY_MS),
    Case("network", "down", LINK),
    Case("store", "disconnect", "redis", times=FEW, rest=4.0),  # it takes Dapr some seconds to connect again
    Case("store", "read_only", "redis"),
    Case("store", "out_of_memory", "redis"),
    Case("provider", "misbehave", "provider-0", {"errors": 1.0}),
)
"""`starve` and `disk_full` are left out: what they prove is an average over a window, or an end to writing."""


class Spans(NamedTuple):
    """
    Milliseconds, one each time: until it was proved, what of that was by design, until it was proved to be gone.
    """

    apply: list[float]
    held: list[float]
    heal: list[float]

    @property
    def own(self) -> list[float]:
        return [apply - held for apply, held in zip(self.apply, self.held, strict=True)]


def measure(folder: Path, say: Callable[[str], None]) -> Table:
    """
    A fault that could not be proved is told in a note, and has no latency.
    """
    rows, figures, notes, loaded = [], {}, [], os.getloadavg()[0]
    with system(folder, say) as (running, client):
        ours = {}
        for case in CASES:
            say(f"{case.name}, {case.times} times")
            ours[case.name] = spans = repeat(running, case)
            rows.append(row(case.family, case.name, spans.apply, spans.own, spans.heal))
            figures |= figure(case.name.replace(" ", "_"), spans._asdict() | {"own": spans.own})
            if unfelt := case.times - len(spans.apply):
                notes.append(f"{case.name}: {unfelt} of {case.times} times it could not be proved")
            if case.family == "network" or case.fault == "kill":
                own = percentile(spans.own, 99)
                notes.append(f"p99 of our own of {case.name}: {own:.1f} ms, {goal(own, GOAL_MS)}")
        try:
            peer = chaos_toolkit.install(folder)
        except chaos_toolkit.UnavailableError as error:
            notes.append(f"Chaos Toolkit is not here to compare with: {error}")
        else:
            for case, act in ((KILL, killed(peer, running)), (LATENCY, slowed(peer, client))):
                say(f"{case.name} by Chaos Toolkit, {FEW} times")
                whole, command, action, heal = zip(*(act() for _ in range(FEW)), strict=True)
                for name, measured in (("chaos run", command), ("CT action", action)):
                    rows.append(row(name, case.name, measured, [], heal if heal[0] else []))
                    ratios = [percentile(ours[case.name].apply, at) / percentile(measured, at) for at in (50, 99)]
                    figures[f"ratio_{case.fault}_{name.replace(' ', '_')}"] = ratios
                    told = f"p50 {ratios[0]:.3f}, p99 {ratios[1]:.3f}"
                    notes.append(f"{case.name}, ours / {name}: {told}, {goal(max(ratios), GOAL_RATIO)}")
                spans = {"whole": whole, "command": command, "action": action}
                figures |= figure(f"chaos_toolkit_{case.fault}", spans | ({"heal": heal} if heal[0] else {}))
    notes.append(f"load average {loaded:.1f} before, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} cores")
    columns = ("", "fault", "times", "to proved", "our own", "to clean")
    return Table("faults: p50 / p99 in ms", columns, tuple(rows), figures, tuple(notes))


def repeat(running: Processes, case: Case) -> Spans:
    fault = make(case.fault, case.settings)
    spans = Spans([], [], [])
    for _ in range(case.times):
        while case.node == LINK and not running.users(LINK):  # those whom the last one cut off are not back yet
            time.sleep(REST / 10)
        began = time.perf_counter()
        proof = None
        with suppress(NotFeltError):
            proof = fault.apply_and_prove(running, case.node)
        proved = time.perf_counter()
        time.sleep(REST)
        healing = time.perf_counter()
        fault.heal(running, case.node)
        healed = time.perf_counter()
        if proof is not None:
            spans.apply.append((proved - began) * 1000)
            spans.held.append(case.held(proof))
            spans.heal.append((healed - healing) * 1000)
        time.sleep(case.rest)
    return spans


def killed(peer: ChaosToolkit, running: Processes) -> Callable[[], chaos_toolkit.Took]:
    """
    By the process id, which is all that it takes; we, its parent, reap it as soon as it has ended.
    """

    def once() -> chaos_toolkit.Took:
        process = running._nodes[SIDECAR]._process
        reaper = threading.Thread(target=process.wait)
        reaper.start()
        took = peer.kill(process.pid)
        reaper.join()
        running.start(SIDECAR)
        time.sleep(REST)
        return took

    return once


def slowed(peer: ChaosToolkit, client: Address) -> Callable[[], chaos_toolkit.Took]:
    toxiproxy = f"http://{APIConsumer.host}:{APIConsumer.port}"
    return lambda: peer.latency(toxiproxy, LINK, LATENCY_MS, f"{client.url}/nothing")


@contextmanager
def system(folder: Path, say: Callable[[str], None]) -> Iterator[tuple[Processes, Address]]:
    """
    One replica of the reference target on real Dapr, and a client that starts orders there, at `client`.
    """
    read = scenario.load(scenario.find("baseline"), ["topology.replicas=1"])
    made = plan.make(read, target.load(read.target), seed=1, dapr_version=DAPR)
    running = Processes(made, rundir.create(folder / "faults", "faults", 1), locate_all(DAPR))
    over = threading.Event()
    try:
        at = running.up(say).links[LINK]
        for number in range(CLIENTS):
            threading.Thread(target=order, args=(number, at, over), daemon=True).start()
        yield running, at
    finally:
        over.set()
        running.down()


def order(client: int, at: Address, over: threading.Event) -> None:
    """
    Start orders on one connection, and on a new one when it breaks: a link that nobody uses feels nothing.
    """
    numbers = itertools.count()
    while not over.wait(REST / 10):
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(at.host, at.port, timeout=2)
            connection.connect()
            while not over.wait(PACE):
                body = {"order_id": f"bench-{client}-{next(numbers)}", "kind": "plain", "sku": "sku-00", "quantity": 1}
                connection.request("POST", "/orders", json.dumps(body), {"Content-Type": "application/json"})
                connection.getresponse().read()


def percentile(values: Sequence[float], percent: int) -> float:
    """
    The nearest rank.
    """
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def row(family: str, fault: str, *spans: Sequence[float]) -> tuple[str, ...]:
    return (family, fault, str(len(spans[0])), *(f"{told(of, 50)} / {told(of, 99)}" if of else "" for of in spans))


def told(values: Sequence[float], percent: int) -> str:
    value = percentile(values, percent)
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def figure(name: str, spans: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {f"{name}_{what}_p{at}_ms": percentile(of, at) for what, of in spans.items() if of for at in (50, 99)}


def goal(value: float, most: float) -> str:
    return f"goal at most {most:g}: {'met' if value <= most else 'missed'}"
