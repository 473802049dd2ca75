"""
What the tap costs, paired in one run: the same load on two replicas at the same time, a tap before the sidecar of one
of them and none before the other's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import duckdb
import psutil

from harness import rundir
from harness.backends import processes
from harness.backends.process import Child
from harness.backends.topology import Topology
from harness.evidence import collect, conversation
from harness.evidence.ledgers import Ledgers
from harness.planning import plan, scenario, target
from harness.runtime.locate import locate_all
from harness.runtime.versions import DAPR
from tests.bench.faults import goal, order
from tests.bench.table import Table

SECONDS = 60
CLIENTS = 4
TAPPED, PLAIN, LINK = "sidecar-0", "sidecar-1", "app-1->sidecar-1"
GOAL_SHARE, GOAL_MS = 0.05, 1.0

_ACTIVITIES = """
    SELECT attempts.node, count(*) AS activities, median(ended.at_ns - began.at_ns) / 1e6 AS ms
    FROM '{0}/history.parquet' AS began
    JOIN '{0}/history.parquet' AS ended
        ON ended.instance_id = began.instance_id AND ended.task_id = began.task_id AND ended.event = 'taskCompleted'
    JOIN '{0}/attempts.parquet' AS attempts
        ON attempts.instance_id = began.instance_id AND attempts.task_id = began.task_id
    WHERE began.event = 'taskScheduled'
    GROUP BY attempts.node
    ORDER BY attempts.node
"""


class Half(Topology):
    """One sidecar has a tap, and the other has none."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        del self._taps._recording[PLAIN]
        self.links[LINK] = self._link(LINK)


def seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def spent(nodes: dict[str, Child]) -> tuple[float, float]:
    """
    Seconds of CPU of the tap, and of everything.
    """
    tap = every = 0.0
    for name, child in nodes.items():
        process = psutil.Process(child._process.pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                used = seconds(each)
                every += used
                tap += used if name == TAPPED and each is not process else 0.0
    return tap, every


def measure(folder: Path, say: Callable[[str], None]) -> Table:
    """
    Its share of the CPU, and how much longer an activity takes from its schedule to its result in the history.
    """
    read = scenario.load(scenario.find("baseline"), ["topology.replicas=2"])
    made = plan.make(read, target.load(read.target), seed=1, dapr_version=DAPR).model_copy(update={"tap": True})
    run = rundir.create(folder / "tap", "tap", 1)
    running = processes.Processes(made, run, locate_all(DAPR))
    over = threading.Event()
    try:
        with patch.object(processes, "Topology", Half):
            endpoints = running.up(say)
        for number in range(CLIENTS):
            at = endpoints.links[f"client->app-{number % 2}"]
            threading.Thread(target=order, args=(number, at, over), daemon=True).start()
        time.sleep(5)
        say(f"{SECONDS} s of load")
        before = spent(running._nodes)
        time.sleep(SECONDS)
        after = spent(running._nodes)
        over.set()
        time.sleep(5)
        resident = psutil.Process(running._nodes[TAPPED]._process.pid).children()[0].memory_info().rss
        running.quiesce()
        collect.from_system(run, made.target, endpoints, Ledgers(made.target, endpoints, run.data, run.taps))
    finally:
        over.set()
        running.down()
    run.journals.phases.touch()
    began = time.process_time()
    heard = conversation.read(run.taps)
    decoding = time.process_time() - began
    collect.from_journals(run, made.target)
    orders = len({row["instance_id"] for row in heard.deliveries})
    size = sum(file.stat().st_size for file in run.taps.iterdir())
    tap, every = (now - then for now, then in zip(after, before, strict=True))
    (_, tapped, slow), (_, plain, fast) = duckdb.sql(_ACTIVITIES.format(run.evidence)).fetchall()
    # All traffic of one sidecar passes the tap, and the other sidecar has as much: with two taps it would be twice.
    share = 2 * tap / (every + tap)
    figures = {
        "tap_share_of_cpu": share,
        "tap_ms_of_cpu_per_delivery": 1000 * tap / max(1, len(heard.deliveries)),
        "activity_median_tapped_ms": slow,
        "activity_median_plain_ms": fast,
        "record_bytes_per_delivery": size / max(1, len(heard.deliveries)),
        "decoding_ms_per_delivery": 1000 * decoding / max(1, len(heard.deliveries)),
        "tap_resident_bytes": resident,
    }
    rows = (
        ("share of all CPU, if every sidecar has one", f"{share:.1%}", f"{GOAL_SHARE:.0%}"),
        ("median of an activity: with a tap", f"{slow:.2f} ms", f"{tapped:,} activities"),
        ("median of an activity: without", f"{fast:.2f} ms", f"{plain:,} activities"),
        ("record", f"{size / 1e6:.1f} MB", f"{len(heard.deliveries):,} deliveries of {orders:,} orders"),
        ("decoding it", f"{decoding:.2f} s", ""),
        ("memory of the tap", f"{resident / 1e6:.0f} MB", ""),
    )
    notes = (
        f"share of the CPU: {goal(share, GOAL_SHARE)}",
        f"longer at the median of an activity: {slow - fast:+.2f} ms, {goal(slow - fast, GOAL_MS)}",
    )
    return Table("tap", ("", "", ""), rows, figures, notes)
