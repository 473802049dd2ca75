"""
The `processes` backend: every node a process on this machine, every link through Toxiproxy.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from toxiproxy import Toxiproxy

from harness.backends import guard, ports, sockets, wired
from harness.backends.base import Address, Death, Endpoints, Say
from harness.backends.process import Child, Spec
from harness.backends.topology import Topology
from harness.model import Plan
from harness.rundir import RunDir


class Processes(wired.Wired):
    """
    The whole system as processes of this machine. Powers: Kills, Pauses, Links, Store, Wipes,
    Misbehaves, Starves, Fills.

    `binaries` maps daprd, placement, scheduler, toxiproxy-server and redis-server to their paths.
    """

    def __init__(self, plan: Plan, run: RunDir, binaries: Mapping[str, Path]) -> None:
        super().__init__(plan)
        self._run = run
        self._binaries = binaries
        self._exits = ExitStack()
        self._guard: guard.Guard | None = None
        self._children: dict[str, Child] = {}

    # --- Backend ---

    def up(self, say: Say) -> Endpoints:
        """
        Start everything, in the order in which the parts need each other; see Backend.
        """
        try:
            self._guard = self._exits.enter_context(guard.Guard(self._run.path))
            lease = self._exits.enter_context(ports.lease())
            topology = Topology(
                self._plan, self._run, self._binaries, lambda: Address(host=ports.HOST, port=lease.take())
            )
            stores, *others = topology.stages()
            self._launch(stores, say)
            self._make_links(topology)
            for stage in others:
                self._launch(stage, say)
        except BaseException:
            self.down()
            raise
        return self._endpoints("processes", topology.steps)

    def quiesce(self) -> None:
        """
        See Backend.
        """
        for node, child in self._children.items():
            if node.startswith(("app-", "sidecar-")):
                child.end()

    def down(self) -> None:
        """
        See Backend. Data lives in the run directory, so there is nothing to wait for: SIGKILL.
        """
        for child in reversed(self._children.values()):
            child.end()
        self._children.clear()
        self._exits.close()

    def leave(self) -> None:
        """
        See Backend.
        """
        if self._guard is not None:
            self._guard.release()
        self._exits.pop_all()

    def deaths(self) -> Mapping[str, Death]:
        """
        See Backend.
        """
        return {node: death for node, child in self._children.items() if (death := child.death()) is not None}

    def usage(self) -> Mapping[str, tuple[float, int]]:
        """
        See Backend.
        """
        return {node: usage for node, child in self._children.items() if (usage := child.usage()) is not None}

    # --- Kills ---

    def kill(self, node: str) -> Death:
        """
        See Kills.
        """
        return self._children[node].kill()

    def start(self, node: str) -> None:
        """
        See Kills.
        """
        if not self._children[node].runs():
            self._children[node].spawn()
        self._children[node].await_ready()

    def stop(self, node: str, grace: float) -> Death:
        """
        See Kills.
        """
        return self._children[node].terminate(grace)

    # --- Wipes ---

    def wipe(self, node: str) -> int:
        """
        See Wipes.
        """
        folder = self._run.data / node
        files = sum(1 for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
        folder.mkdir()
        return files

    # --- Pauses ---

    def pause(self, node: str) -> None:
        """
        See Pauses.
        """
        self._children[node].pause()

    def resume(self, node: str) -> None:
        """
        See Pauses.
        """
        self._children[node].resume()

    # --- Starves, Fills ---

    def throttle(self, node: str, share: float) -> None:
        """
        See Starves.
        """
        self._children[node].throttle(share)

    def unthrottle(self, node: str) -> None:
        """
        See Starves.
        """
        self._children[node].unthrottle()

    def consumed(self, node: str) -> tuple[float, float]:
        """
        See Starves.
        """
        return self._children[node].consumed()

    def fill(self, node: str) -> None:
        """
        See Fills.
        """
        self._children[node].fill()

    def empty(self, node: str) -> None:
        """
        See Fills.
        """
        self._children[node].empty()

    def written_ns(self, node: str) -> int:
        """
        See Fills.
        """
        files = (path for path in (self._run.data / node).rglob("*") if path.is_file())
        return max((path.stat().st_mtime_ns for path in files), default=0)

    def ended(self, node: str) -> Death | None:
        """
        See Fills.
        """
        return self._children[node].ended()

    # --- Links ---

    def users(self, link: str) -> int:
        """
        See Links. A probe closes its connection before it returns.
        """
        return sockets.connections(self._links[link].listen.port)

    # --- starting ---

    def _launch(self, stage: tuple[Spec, ...], say: Say) -> None:
        """
        Start nodes at once, then wait until all of them are ready.
        """
        say("starting " + ", ".join(spec.name for spec in stage))
        for spec in stage:
            self._children[spec.name] = Child(spec)
            self._children[spec.name].spawn()
        with ThreadPoolExecutor(max_workers=len(stage)) as pool:
            for ready in [pool.submit(self._children[spec.name].await_ready) for spec in stage]:
                ready.result()

    def _make_links(self, topology: Topology) -> None:
        wired.use(topology.toxiproxy_at)
        self._links, self._probes = topology.links, topology.probes
        self._proxies = {
            name: Toxiproxy().create(name=name, listen=str(link.listen), upstream=link.upstream)
            for name, link in self._links.items()
        }
