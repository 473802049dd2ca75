"""
The `processes` backend: every node is a process on this machine, and every link goes through Toxiproxy.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from typing_extensions import override

from harness import names
from harness.backends import groups, guard, ports, ready, running, sockets, wired
from harness.backends.base import Death, Fills, Say, Scales, Upgrades, Wipes
from harness.backends.endpoints import Address, Endpoints, StoreAddress
from harness.backends.postgresnode import PostgresNode
from harness.backends.process import Child, Spec
from harness.backends.proxies import Proxies
from harness.backends.topology import Topology
from harness.model import Plan
from harness.names import Store
from harness.rundir import RunDir


class Processes(wired.Wired[Child], Wipes, Upgrades, Scales, Fills):
    """
    The whole system as processes of this machine.

    `binaries` maps daprd, placement, scheduler, toxiproxy-server and the state store's program
    (redis-server or postgres) to their paths.
    """

    def __init__(self, plan: Plan, run: RunDir, binaries: Mapping[str, Path]) -> None:
        super().__init__(plan)
        self._run = run
        self._binaries = binaries
        self._store: StoreAddress | None = None
        self._versions: Mapping[str, Mapping[str, Spec]] = {}

    # --- Backend ---

    @override
    def up(self, say: Say) -> Endpoints:
        try:
            self._guard = self._exits.enter_context(guard.Guard(self._run.path))
            lease = self._exits.enter_context(ports.lease())
            topology = Topology(
                self._plan, self._run, self._binaries, lambda: Address(host=ports.HOST, port=lease.take())
            )
            stores, *others = topology.stages()
            self._launch(stores, say)
            self._store = topology.store
            self._make_links(topology)
            self._versions = topology.versions()
            for stage in others:
                self._launch(stage, say)
        except BaseException:
            self.down()
            raise
        return self._endpoints("processes", topology.points, topology.metrics)

    @override
    def quiesce(self) -> None:
        for node, child in self._nodes.items():
            if names.node(node).replica is not None:
                child.end()

    @override
    def down(self) -> None:
        """
        Kill everything that `up` started. The data stays in the run directory, so no process needs time to finish.
        """
        for child in reversed(self._nodes.values()):
            child.end()
        self._nodes.clear()
        self._exits.close()

    @override
    def deaths(self) -> Mapping[str, Death]:
        return {node: death for node, child in self._nodes.items() if (death := child.death()) is not None}

    @override
    def halted(self) -> Collection[str]:
        return [node for node, child in self._nodes.items() if child.is_halted()]

    @override
    def usage(self) -> Mapping[str, tuple[float, int]]:
        groups_of = groups.others([child.pid for child in self._nodes.values() if child.pid is not None])
        found: dict[str, tuple[float, int]] = {}
        for node, child in self._nodes.items():
            own, others = child.usage(), groups.used(groups_of.get(child.pid or 0, ()))
            if own is None:
                continue
            if child.spec.tapped:
                found |= {node: own, node + names.TAP: others}
            else:  # a node that is a wrapper (`npm start`) does its work in the others
                found[node] = (own[0] + others[0], own[1] + others[1])
        return found

    # --- Kills ---

    @override
    def start(self, node: str) -> None:
        if not self._nodes[node].runs():
            self._nodes[node].spawn()
        self._nodes[node].await_ready()

    # --- Upgrades ---

    @override
    def become(self, node: str, version: str) -> None:
        self._nodes[node].become(self._versions[node][version])

    @override
    def version(self, node: str) -> tuple[int, str | None]:
        pid, environment, command = self._nodes[node].told()
        return pid, running.version(self._versions[node], environment, command)

    # --- Scales ---

    @override
    def hosted(self, sidecar: str) -> int:
        return ready.hosted(self._probes[sidecar][0])

    # --- Wipes ---

    @override
    def store(self) -> StoreAddress:
        return self._store or super().store()

    @override
    def wipe(self, node: str) -> int:
        folder = self._run.data / node
        files = sum(1 for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
        folder.mkdir()
        return files

    # --- Fills ---

    @override
    def fill(self, node: str) -> None:
        self._nodes[node].fill()

    @override
    def empty(self, node: str) -> None:
        self._nodes[node].empty()

    @override
    def written_ns(self, node: str) -> int:
        return max((_written_ns(path) for path in (self._run.data / node).rglob("*")), default=0)

    @override
    def ended(self, node: str) -> Death | None:
        return self._nodes[node].ended()

    # --- Links ---

    @override
    def users(self, link: str) -> int:
        """
        How many connections go through the link now. A probe closes its connection before it returns, so no probe is
        counted.
        """
        return sockets.connections(self._links[link].listen.port)

    # --- starting ---

    def _launch(self, stage: tuple[Spec, ...], say: Say) -> None:
        """
        Start all nodes of a stage but those of spare replicas, then wait until all of them are ready.
        """
        for spec in stage:
            self._nodes[spec.name] = (PostgresNode if spec.name == Store.POSTGRES else Child)(spec)
        now = [spec.name for spec in stage if spec.name not in self._plan.spares]
        say("starting " + ", ".join(now))
        for node in now:
            self._nodes[node].spawn()
        wired.await_all(lambda node: self._nodes[node].await_ready(), now)

    def _make_links(self, topology: Topology) -> None:
        self._links, self._probes = topology.links, topology.probes
        self._proxies = Proxies(topology.toxiproxy_at)
        for name, link in self._links.items():
            self._proxies.create(name, link.listen, link.upstream)


def _written_ns(path: Path) -> int:
    """
    Return when a file was last written to (nanoseconds since the epoch); 0 if the path is not a file or does not exist
    any more. The node may rename and remove files while this runs.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0
    return status.st_mtime_ns if stat.S_ISREG(status.st_mode) else 0
