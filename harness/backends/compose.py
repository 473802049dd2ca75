"""
The `compose` backend: every node is a container of the target's compose file, and every link goes through Toxiproxy.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from typing_extensions import override

from harness import names
from harness.backends import composefile, containers, guard, ports, probe, ready, tapped, wired
from harness.backends.base import Death, Isolates, Say, Wipes
from harness.backends.composefile import GRPC, HEALTH, TOXIPROXY
from harness.backends.container import Node
from harness.backends.containers import ENGINE_ERRORS, DockerEngine
from harness.backends.endpoints import Address, Endpoints, Login, StoreAddress
from harness.backends.process import POLL, Child
from harness.backends.proxies import Proxies
from harness.backends.tapped import Tapped
from harness.backends.taps import Taps
from harness.errors import NodeError
from harness.model import Plan
from harness.rundir import RunDir

_PATIENCE = 60.0
_QUICK = 5.0


class Compose(wired.Wired[Node], Wipes, Isolates):
    """
    The whole system as containers.

    The power Fills is missing. A container's volumes have no size limit of their own, so it is not possible to fill the
    disk of one container alone.
    """

    def __init__(self, plan: Plan, run: RunDir, files: composefile.Files) -> None:
        super().__init__(plan)
        self._run = run
        self._files = files
        self._engine: DockerEngine = None
        self._variables: dict[str, str] = {}
        self._listeners: dict[str, int] = {}
        self._taps: dict[str, Child] = {}
        self._login: Login | None = None

    # --- Backend ---

    @override
    @containers.answering()
    def up(self, say: Say) -> Endpoints:
        """
        Start everything, in the order that the compose file gives.
        """
        try:
            self._engine = self._exits.enter_context(closing(containers.connect()))
            self._guard = self._exits.enter_context(guard.Guard(self._run.path, containers.WATCHER))
            lease = self._exits.enter_context(ports.lease())
            self._variables = composefile.settings(self._plan, self._run, self._files.ports, lease.take)
            self._let_write()
            self._proxies = Proxies(self._at(TOXIPROXY))
            services = self._services()
            self._login = composefile.login(services, self._plan.store)
            images = {service["image"]: service.get("pull_policy", "") for service in services.values()}
            containers.have_images(self._engine, images, say)
            say("starting " + ", ".join(services))
            points = self._let_reach_us(services, lease.take, say)
            self._start(services, say)
            self._find()
            self._find_links()
            for name, service in services.items():
                if name not in self._nodes:
                    say(f"{name} at {', '.join(composefile.published(service))}")
            say("waiting for every node to answer")
            wired.await_all(self._await_ready, self._plan.nodes)
        except BaseException:
            self.down()
            raise
        return self._endpoints("compose", points)

    @override
    def quiesce(self) -> None:
        for node, container in self._nodes.items():
            if names.node(node).replica is not None and container.state()["Running"]:
                container.kill()

    @override
    def down(self) -> None:
        """
        Stop everything that `up` started. The logs of the containers are kept; everything else of them is removed.
        """
        if self._engine is None:
            return
        try:
            with containers.removing(self._project, self._nodes or (TOXIPROXY, *self._plan.nodes)):
                containers.end_run(self._engine, self._run.path)
        finally:
            self._nodes.clear()
            self._engine = None
            self._exits.close()

    @override
    @containers.answering()
    def deaths(self) -> Mapping[str, Death]:
        exited = self._engine.containers.list(
            all=True,
            sparse=True,
            filters={"label": f"{containers.LABEL}={self._run.path}", "status": "exited"},
        )
        ended = {container.attrs["Labels"].get(containers.NODE) for container in exited}
        deaths = {}
        for node, container in self._nodes.items():
            # A tap that failed has cut off its sidecar, which must not look as if it had hung by itself.
            death = container.tap_death() if isinstance(container, Tapped) else None
            if death is None and node in ended:
                death = container.death()
            if death is not None:
                deaths[node] = death
        return deaths

    @override
    def halted(self) -> Collection[str]:
        return [node for node, container in self._nodes.items() if container.is_halted()]

    @override
    def usage(self) -> Mapping[str, tuple[float, int]]:
        with ThreadPoolExecutor(max_workers=len(self._nodes)) as pool:
            readings = zip(self._nodes, pool.map(Node.usage, self._nodes.values()), strict=True)
            return {node: usage for node, usage in readings if usage is not None}

    @override
    def store(self) -> StoreAddress:
        return super().store().model_copy(update={"login": self._login})

    # --- Kills ---

    @override
    def start(self, node: str) -> None:
        self._nodes[node].start()
        self._await_ready(node)

    # --- Wipes ---

    @override
    def wipe(self, node: str) -> int:
        """
        Remove the node's container and its volumes, and create them again; return how many files there were. No program
        runs inside the container for this, so an image needs no shell.
        """
        files, volumes = self._nodes[node].keeps()
        try:
            container = containers.of_run(self._engine, self._run.path)[node]
            containers.save_log(container, self._run.logs)
            container.remove()
            for name in volumes:
                self._engine.volumes.get(name).remove()
        except ENGINE_ERRORS as error:
            raise NodeError(f"what {node} keeps cannot be removed: {error}") from error
        self._command(self._files).create(node)
        self._nodes[node] = self._node(node, containers.of_run(self._engine, self._run.path)[node])
        return files

    # --- Isolates ---

    @override
    def isolate(self, node: str) -> int:
        return self._nodes[node].isolate()

    @override
    def reconnect(self, node: str) -> None:
        self._nodes[node].reconnect()

    @override
    def connections(self, node: str) -> int:
        return self._nodes[node].connections()

    # --- Links ---

    @override
    def users(self, link: str) -> int:
        """
        How many connections go through the link now. A probe closes its connection before it returns, so no probe is
        counted.
        """
        return self._nodes[TOXIPROXY].users(self._listeners[link])

    # --- starting ---

    def _command(self, files: composefile.Files) -> composefile.Command:
        return composefile.Command(files, self._project, self._variables)

    @property
    def _project(self) -> str:
        """
        The name of the Compose project. Two runs that begin in the same second, in two folders, have the same run name,
        so the project name also contains a hash of the path.
        """
        path = hashlib.sha256(str(self._run.path).encode()).hexdigest()[:6]
        return f"harness-{self._run.name.lower().replace('.', '_')}-{path}"

    def _let_reach_us(self, services: Mapping[str, Any], take: Callable[[], int], say: Say) -> Address | None:
        """
        Start the taps, and return the address at which the harness takes announcements of activity points; None if no
        step of the plan aims at one.
        """
        announced = ",".join(self._plan.points(by_tap=False))
        if not announced and not self._plan.tap:
            return None
        self._start([TOXIPROXY], say)  # this also creates every network that has a link
        self._toxiproxy().await_answer()
        app = next(node for node in self._plan.nodes if names.role(node) == names.APP)
        network = next(iter(services[app].get("networks") or {"default": None}))
        host = containers.reachable(self._engine, self._run.path, network, take())

        def take_there() -> Address:
            return Address(host=host, port=take())

        points = take_there() if any(step.aim is not None for step in self._plan.steps) else None
        if points is not None and announced:
            self._variables |= {"POINTS_URL": f"{points.url}/", "POINTS": announced}
        taps = Taps(self._plan, self._run, take_there, points)
        for link in self._plan.links:
            source, dest = names.link(link).source, str(names.link(link).dest)
            if source.role == names.APP and (entrance := taps.entrance(dest)) is not None:
                tap = tapped.tap(self._run, dest, taps.words(dest, self._at(dest, GRPC)), entrance)
                self._taps[dest] = self._exits.enter_context(tap)
                self._toxiproxy().redirect(link, str(entrance))
        return points

    def _let_write(self) -> None:
        """
        Let the target's programs, which do not run as root, append to their attempts files, and to nothing else of the
        run.
        """
        if os.getuid() != 0:
            return
        self._run.journals.folder.chmod(0o755)
        services = [str(names.Node(name, 0)) for name in self._plan.target.services]
        for node in (*services, *(node for node in self._plan.nodes if names.role(node) == names.APP)):
            file = self._run.journals.attempts(node)
            file.touch()
            os.chown(file, composefile.NOBODY, composefile.NOBODY)

    def _services(self) -> dict[str, Any]:
        """
        Return the services of the compose files that must run: Toxiproxy, the plan's nodes, and all services that
        overlays add.
        """
        in_base_file = self._command(composefile.Files(self._files.paths[:1])).services()
        wanted = {TOXIPROXY, *self._plan.nodes}
        in_all_files = self._command(self._files).services()
        return {name: service for name, service in in_all_files.items() if name in wanted or name not in in_base_file}

    def _start(self, services: Collection[str], say: Say) -> None:
        try:
            self._command(self._files).up(services, say)
        except NodeError as error:
            raise NodeError(f"{error}{self._ailing()}") from error

    def _ailing(self) -> str:
        """
        Return the end of the log of the first container that ended or is not healthy; empty if there is none.
        """
        for name, container in containers.of_run(self._engine, self._run.path).items():
            state = container.attrs["State"]
            if state["Status"] == "exited" or state.get("Health", {}).get("Status") == "unhealthy":
                return f"\n{name} {state['Status']}; its log ends with\n{Node(name, container).log_end()}"
        return ""

    def _find(self) -> None:
        """
        Find the containers, and the address at which each node is probed. Raises NodeError if a container does not have
        the label of the run.
        """
        found = containers.of_run(self._engine, self._run.path)
        if missing := [name for name in (TOXIPROXY, *self._plan.nodes) if name not in found]:
            raise NodeError(
                f"no container of {', '.join(missing)} has the label {containers.LABEL}; the compose file must give it"
            )
        self._nodes = {name: self._node(name, found[name]) for name in (TOXIPROXY, *self._plan.nodes)}
        for node in self._nodes.values():
            node.state()
        self._probes = {node: (self._at(node), probe.of_node(node, self._plan.target)) for node in self._plan.nodes}

    def _node(self, name: str, container: Any) -> Node:
        return Tapped(name, container, self._taps[name]) if name in self._taps else Node(name, container)

    def _find_links(self) -> None:
        """
        Find the links. Toxiproxy reads its proxies from a configuration of its own. Raises NodeError if a link of the
        plan is not among them.
        """
        proxies = self._toxiproxy().every()
        if missing := [link for link in self._plan.links if link not in proxies]:
            raise NodeError(f"Toxiproxy has no proxy called {', '.join(missing)}; the compose file must define them")
        self._listeners = {link: proxies[link].port for link in self._plan.links}
        self._links = {
            link: wired.Way(self._at(link), proxies[link].upstream, probe.of_link(link, self._plan.target))
            for link in self._plan.links
        }

    def _at(self, name: str, which: str = "") -> Address:
        return Address(host=ports.HOST, port=int(self._variables[composefile.port(name) + which]))

    def _await_ready(self, node: str) -> None:
        """
        Return once a node is ready. Raises NodeError, with the end of the node's log, if the node ends or is not ready
        in time.
        """
        container, deadline = self._nodes[node], time.monotonic() + _PATIENCE
        while not self._is_ready(node):
            if (death := container.ended()) is not None:
                raise NodeError(
                    f"{node} ended before it was ready (exit status {death.status}); "
                    f"its log ends with\n{container.log_end()}"
                )
            if time.monotonic() > deadline:
                raise NodeError(f"{node} was not ready after {_PATIENCE:g} s; its log ends with\n{container.log_end()}")
            time.sleep(POLL)

    def _is_ready(self, node: str) -> bool:
        """
        Return whether a node is ready. A node with a health route is asked there, as in the `processes` backend; a
        store must answer PING; every other node must answer a probe.
        """
        at, _ = self._probes[node]
        health = self._variables.get(composefile.port(node) + HEALTH)
        if node == self._plan.store:
            return ready.serves(self.store())
        if health is not None:
            return ready.answers(f"http://{ports.HOST}:{health}/healthz")
        if names.role(node) == names.SIDECAR:
            return ready.answers(f"{at.url}/v1.0/healthz")
        program = probe.program(node, self._plan.target)
        if program is not None:
            replica = names.replica(node)
            sidecar = None if replica is None else self._at(str(names.sidecar_of(names.node(node))))
            return ready.is_ready(program, at, sidecar)
        try:
            return self.probe_node(node, _QUICK) > 0
        except OSError:
            return False
